package inventory

import (
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:generate go run ./internal/writedescriptions inventory inventory.go zz_descriptions.go
//go:generate go run ./internal/writereference ../../docs/inventory.md

// describeType is the doc comment of a type, without its name.
func describeType(t reflect.Type) string {
	return withoutName(descriptions()[t.Name()], t.Name())
}

// describeField is the doc comment of a field, without its name.
func describeField(f field) string {
	return withoutName(descriptions()[f.owner.Name()+"."+f.name], f.name)
}

// withoutName turns "Port is the port." into "The port.".
func withoutName(comment, name string) string {
	s := strings.TrimPrefix(comment, name+" ")
	for _, verb := range []string{"is ", "are "} {
		if rest, ok := strings.CutPrefix(s, verb); ok {
			s = rest
			break
		}
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
