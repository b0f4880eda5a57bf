package inventory

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
)

// Schema is the JSON Schema (2020-12) of an inventory file, made from the types
// and their tags. It can't say all that Parse checks; it lets editors complete
// and explain keys.
func Schema() []byte {
	defs := map[string]any{}
	top := objectSchema(reflect.TypeFor[Inventory](), defs)
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"] = "provision inventory"
	top["$defs"] = defs
	out, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("inventory: schema: %v", err)) // a mistake in this package
	}
	return out
}

// objectSchema describes a struct; the structs that it holds go to defs.
func objectSchema(t reflect.Type, defs map[string]any) map[string]any {
	properties := map[string]any{}
	var required []string
	for _, f := range fieldsOf(t) {
		properties[f.key] = fieldSchema(f, defs)
		if f.required() {
			required = append(required, f.key)
		}
	}
	object := map[string]any{
		"type":                 "object",
		"description":          describeType(t),
		"properties":           properties,
		"additionalProperties": false,
	}
	if required != nil {
		object["required"] = required
	}
	return object
}

// fieldSchema describes a key. Null is a key that is not given.
func fieldSchema(f field, defs map[string]any) map[string]any {
	s := map[string]any{"description": describeField(f)}
	value := typeSchema(f.typ, f, defs)
	if f.required() {
		for k, v := range value {
			s[k] = v
		}
	} else {
		s["anyOf"] = []any{value, map[string]any{"type": "null"}}
	}
	if text := f.tag.Get("default"); text != "" && f.tag.Get("inherit") == "" {
		s["default"] = defaultValue(f, text)
	}
	return s
}

// defaultValue is a default as JSON has it: a number for a number.
func defaultValue(f field, text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && !isText(f.typ) && f.typ.Kind() != reflect.String {
		return n
	}
	return text
}

func typeSchema(t reflect.Type, f field, defs map[string]any) map[string]any {
	if isText(t) {
		return textSchema(t)
	}
	switch t.Kind() {
	case reflect.Struct:
		return structSchema(t, defs)
	case reflect.Slice:
		entry := typeSchema(t.Elem(), field{typ: t.Elem()}, defs)
		list := map[string]any{"type": "array", "items": entry}
		if isMapping(t.Elem()) {
			return map[string]any{"anyOf": []any{list, entry}}
		}
		return list
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": valueSchema(t.Elem())}
	case reflect.String:
		s := map[string]any{"type": "string"}
		if allowed := f.enum(); allowed != nil {
			s["enum"] = allowed
		}
		return s
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	}
	low, high := f.bounds(t)
	return map[string]any{"type": "integer", "minimum": low, "maximum": high}
}

// structSchema refers to the schema of a struct in defs. A bare scalar may
// stand for some.
func structSchema(t reflect.Type, defs map[string]any) map[string]any {
	if _, done := defs[t.Name()]; !done {
		defs[t.Name()] = nil // ends recursion
		defs[t.Name()] = objectSchema(t, defs)
	}
	ref := map[string]any{"$ref": "#/$defs/" + t.Name()}
	if short, ok := scalarField(t); ok {
		return map[string]any{"anyOf": []any{typeSchema(short.typ, short, defs), ref}}
	}
	return ref
}

func textSchema(t reflect.Type) map[string]any {
	kind, _ := textTypeOf(t)
	if kind.number {
		return map[string]any{"anyOf": []any{
			map[string]any{"type": "string", "pattern": kind.pattern}, map[string]any{"type": "number"},
		}}
	}
	return map[string]any{"type": "string", "pattern": kind.pattern}
}

// valueSchema describes the values of a mapping whose keys the operator
// chooses.
func valueSchema(t reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return map[string]any{"type": []string{"string", "number", "boolean", "null"}}
	case reflect.String:
		return map[string]any{"type": "string"}
	}
	return map[string]any{}
}
