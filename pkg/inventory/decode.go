package inventory

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// decoder fills Go values from YAML nodes, led by the types and their tags. It
// reports every mistake; a value with a mistake stays zero.
type decoder struct{ *source }

// value fills v, which is the field f or an entry of it.
func (d decoder) value(n *yaml.Node, path string, v reflect.Value, f field) {
	if n.Kind == 0 {
		return
	}
	d.values[path] = positionOf(n)
	switch {
	case isText(v.Type()):
		d.text(n, path, v, f)
	case v.Kind() == reflect.Struct:
		d.mapping(n, path, v, f)
	case v.Kind() == reflect.Slice:
		d.list(n, path, v, f)
	case v.Kind() == reflect.Map:
		d.dictionary(n, path, v)
	default:
		d.scalar(n, path, v, f)
	}
}

// mapping fills a struct from a mapping, or from the scalar that stands for it.
func (d decoder) mapping(n *yaml.Node, path string, v reflect.Value, f field) {
	fields := fieldsOf(v.Type())
	short, hasShort := scalarField(v.Type())
	defaults := f.tag.Get("inherit") == ""
	switch {
	case n.Kind == yaml.ScalarNode && hasShort:
		setDefaults(v)
		d.value(n, join(path, short.key), v.FieldByIndex(short.index), short)
		return
	case n.Kind != yaml.MappingNode:
		hint := "write its keys, indented: " + keyList(fields)
		if hasShort {
			hint = fmt.Sprintf("write its %s, or its keys, indented: %s", short.key, keyList(fields))
		}
		d.wrongType(n, path, "a mapping", hint)
		return
	}
	given := d.entries(n, path, fields)
	for _, sub := range fields {
		at, into := join(path, sub.key), v.FieldByIndex(sub.index)
		switch value := given[sub.key]; {
		case value != nil:
			d.value(value, at, into, sub)
		case sub.required() && !d.unread(at):
			d.fail(d.place(at), at, "is missing", fmt.Sprintf("write %s: %s", sub.key, sub.example()))
		case !d.bad[at] && defaults:
			setDefault(into, sub)
		}
	}
}

// entries maps the keys that are given to their values and reports those that
// are not allowed. A null value is one that is not given.
func (d decoder) entries(n *yaml.Node, path string, fields []field) map[string]*yaml.Node {
	keys := make([]string, len(fields))
	given := make(map[string]*yaml.Node, len(fields))
	for i, f := range fields {
		keys[i] = f.key
		given[f.key] = nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := join(path, key.Value)
		d.keys[at] = positionOf(key)
		if _, known := given[key.Value]; !known {
			d.unknown(key, path, keys)
			continue
		}
		d.values[at] = positionOf(key)
		if !isNull(value) {
			given[key.Value] = value
		}
	}
	return given
}

func (d decoder) unknown(key *yaml.Node, path string, keys []string) {
	if d.full() {
		d.fail(positionOf(key), join(path, key.Value), "unknown key", "")
		return
	}
	hint := "keys here: " + strings.Join(keys, ", ")
	if near := nearest(key.Value, keys); near != "" {
		d.distrust(join(path, near))
		hint = fmt.Sprintf("did you mean %s? %s", near, hint)
	} else if other := elsewhere(key.Value); other != "" {
		hint = fmt.Sprintf("did you mean %s? %s", other, hint)
	}
	d.fail(positionOf(key), join(path, key.Value), "unknown key", hint)
}

// list fills a slice. One mapping, or the scalar that stands for it, is a list
// of one.
func (d decoder) list(n *yaml.Node, path string, v reflect.Value, f field) {
	elem := v.Type().Elem()
	if n.Kind != yaml.SequenceNode {
		if !isMapping(elem) {
			d.wrongType(n, path, "a list", "write one such as "+f.example())
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		d.value(n, path, v.Index(0), field{typ: elem})
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, c := range n.Content {
		at := item(path, i)
		if isNull(c) {
			d.fail(positionOf(c), at, "the entry is empty", "write a value after the dash, or remove the dash")
			continue
		}
		d.value(c, at, v.Index(i), field{typ: elem})
	}
}

// dictionary fills a map with keys that the operator chooses.
func (d decoder) dictionary(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, path, "a mapping", "write keys and values, indented")
		return
	}
	elem := v.Type().Elem()
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Content)/2))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := join(path, key.Value)
		d.keys[at] = positionOf(key)
		into := reflect.New(elem).Elem()
		switch elem.Kind() {
		case reflect.Interface:
			if value := d.any(value, at); value != nil {
				into.Set(reflect.ValueOf(value))
			}
		default:
			d.literal(value, at, into)
		}
		v.SetMapIndex(reflect.ValueOf(key.Value), into)
	}
}

// text fills a value whose type reads its own text. The text is taken as it is
// written: 1.30 stays 1.30, though YAML has it as a number.
func (d decoder) text(n *yaml.Node, path string, v reflect.Value, f field) {
	kind, _ := textTypeOf(v.Type())
	hint := "write one such as " + f.example()
	if n.Kind != yaml.ScalarNode {
		d.wrongType(n, path, kind.noun, hint)
		return
	}
	err := setText(v, n.Value)
	switch {
	case err == nil:
	case kind.explains:
		d.fail(positionOf(n), path, err.Error(), hint)
	default:
		d.fail(positionOf(n), path, quote(n.Value)+" is not "+kind.noun, hint)
	}
}

// scalar fills a string, number or truth value.
func (d decoder) scalar(n *yaml.Node, path string, v reflect.Value, f field) {
	switch v.Kind() {
	case reflect.String:
		d.str(n, path, v, f)
	case reflect.Bool:
		if n.ShortTag() != "!!bool" {
			d.wrongType(n, path, "true or false", "write true or false, without quotes")
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	default:
		d.number(n, path, v, f)
	}
}

func (d decoder) str(n *yaml.Node, path string, v reflect.Value, f field) {
	tag := n.ShortTag()
	if tag != "!!str" && tag != "!!timestamp" {
		hint := "write one text"
		if n.Kind == yaml.ScalarNode {
			hint = fmt.Sprintf("write it in quotes, %q, if this is the text you mean", n.Value)
		}
		d.wrongType(n, path, "text", hint)
		return
	}
	if allowed := f.enum(); allowed != nil {
		if !slices.Contains(allowed, n.Value) {
			d.fail(positionOf(n), path, quote(n.Value)+" is not known", choice(n.Value, allowed))
			return
		}
	}
	v.SetString(n.Value)
}

var decimal = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

func (d decoder) number(n *yaml.Node, path string, v reflect.Value, f field) {
	low, high := f.bounds(v.Type())
	hint := fmt.Sprintf("write one from %d to %d", low, high)
	if n.ShortTag() != "!!int" {
		if n.ShortTag() == "!!str" && decimal.MatchString(n.Value) {
			hint = "write it without quotes"
		}
		d.wrongType(n, path, "a whole number", hint)
		return
	}
	if !decimal.MatchString(n.Value) {
		d.fail(positionOf(n), path, quote(n.Value)+" is not written in decimal", hint)
		return
	}
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil || i < low || i > high {
		d.fail(positionOf(n), path, n.Value+" is out of range", hint)
		return
	}
	if v.CanUint() {
		v.SetUint(uint64(i)) //nolint:gosec // low is not negative for an unsigned field
		return
	}
	v.SetInt(i)
}

func (d decoder) wrongType(n *yaml.Node, path, want, hint string) {
	d.fail(positionOf(n), path, fmt.Sprintf("must be %s, not %s", want, shapeOf(n)), hint)
}

// shapeOf names a node in a message.
func shapeOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "the number " + oneLine(n.Value)
	case "!!bool":
		return "the truth value " + n.Value
	case "!!null":
		return "nothing"
	}
	return "the text " + quote(n.Value)
}

// choice is a hint that lists the values allowed.
func choice(word string, allowed []string) string {
	list := "write " + strings.Join(allowed, " or ")
	if near := nearest(word, allowed); near != "" && len(allowed) > 1 {
		return fmt.Sprintf("did you mean %s? %s", near, list)
	}
	return list
}

func keyList(fields []field) string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return strings.Join(keys, ", ")
}
