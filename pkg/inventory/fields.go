package inventory

import (
	"encoding"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is one key of a mapping: its place in the struct and its tags.
type field struct {
	key   string
	name  string       // of the Go field
	owner reflect.Type // the struct that declares it
	index []int
	typ   reflect.Type
	tag   reflect.StructTag
}

// fieldsOf lists the keys of a struct in their order; inlined structs are
// flattened.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		sf := t.Field(i)
		key, options, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if options == "inline" {
			for _, f := range fieldsOf(sf.Type) {
				f.index = append([]int{i}, f.index...)
				fields = append(fields, f)
			}
			continue
		}
		fields = append(fields, field{key: key, name: sf.Name, owner: t, index: sf.Index, typ: sf.Type, tag: sf.Tag})
	}
	return fields
}

// scalarField is the field that a bare scalar sets in place of the mapping.
func scalarField(t reflect.Type) (field, bool) {
	for _, f := range fieldsOf(t) {
		if f.tag.Get("scalar") != "" {
			return f, true
		}
	}
	return field{}, false
}

// example is a value to show for a field: its example, else its default, else
// one of its type.
func (f field) example() string {
	for _, tag := range []string{"example", "default"} {
		if s := f.tag.Get(tag); s != "" {
			return s
		}
	}
	if text, ok := textTypeOf(f.typ); ok {
		return text.example
	}
	return ""
}

// enum lists the only values allowed; nil when any is.
func (f field) enum() []string {
	if s := f.tag.Get("enum"); s != "" {
		return strings.Split(s, ",")
	}
	return nil
}

// bounds are the least and the greatest value of a number of type t.
func (f field) bounds(t reflect.Type) (low, high int64) {
	low, high = math.MinInt32, math.MaxInt32
	if t.Kind() == reflect.Uint16 {
		low, high = 0, math.MaxUint16
	}
	for tag, bound := range map[string]*int64{"min": &low, "max": &high} {
		if n, err := strconv.ParseInt(f.tag.Get(tag), 10, 64); err == nil {
			*bound = n
		}
	}
	return low, high
}

func (f field) required() bool { return f.tag.Get("required") != "" }

// isText tells whether values of the type are written as one scalar that the
// type itself reads.
func isText(t reflect.Type) bool {
	return t == reflect.TypeFor[time.Duration]() ||
		reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// isMapping tells whether values of the type are written as a mapping with the
// keys of a struct.
func isMapping(t reflect.Type) bool { return t.Kind() == reflect.Struct && !isText(t) }

// mappingOf is the struct that a field holds, once or in a list; nil when it
// holds none.
func mappingOf(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if isMapping(t) {
		return t
	}
	return nil
}
