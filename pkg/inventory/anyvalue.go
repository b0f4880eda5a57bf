package inventory

import (
	"fmt"
	"math"
	"reflect"

	"gopkg.in/yaml.v3"
)

// literal fills a string with the literal text of any scalar, so that a sum of
// digits and a flag's true need no quotes; null is nil for a *string.
func (d decoder) literal(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind == 0 {
		return
	}
	d.values[path] = positionOf(n)
	isPointer := v.Kind() == reflect.Pointer
	switch {
	case n.Kind != yaml.ScalarNode && isPointer:
		d.wrongType(n, path, "one value", "write it as the flag takes it, such as a=true,b=false; or null to remove the flag")
	case n.Kind != yaml.ScalarNode || (isNull(n) && !isPointer):
		d.wrongType(n, path, "text", "write one text")
	case isNull(n):
	case isPointer:
		text := n.Value
		v.Set(reflect.ValueOf(&text))
	default:
		v.SetString(n.Value)
	}
}

// any turns a node into the plain Go values that encoders know:
// map[string]any, []any, string, int, int64, uint64, float64, bool and nil.
func (d decoder) any(n *yaml.Node, path string) any {
	if n.Kind == 0 {
		return nil
	}
	d.values[path] = positionOf(n)
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			at := join(path, key.Value)
			d.keys[at] = positionOf(key)
			m[key.Value] = d.any(n.Content[i+1], at)
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			list[i] = d.any(c, item(path, i))
		}
		return list
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!int", "!!float", "!!bool":
		return d.plain(n, path)
	}
	return n.Value
}

func (d decoder) plain(n *yaml.Node, path string) any {
	var v any
	if err := n.Decode(&v); err != nil {
		d.fail(positionOf(n), path, fmt.Sprintf("%s can't be read", quote(n.Value)), "write it in quotes if it is text")
		return nil
	}
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		d.fail(positionOf(n), path, n.Value+" is no number that a configuration file can hold", "write a finite one")
		return nil
	}
	return v
}
