package inventory

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"testing"

	"provision/pkg/inventory/internal/describe"
)

func TestDescriptions_AreCurrent(t *testing.T) {
	src, err := os.ReadFile("inventory.go")
	if err != nil {
		t.Fatal(err)
	}
	comments, err := describe.Comments("inventory.go", src)
	if err != nil {
		t.Fatal(err)
	}
	want, err := describe.Source("inventory", comments)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("zz_descriptions.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("zz_descriptions.go is not current: run go generate ./pkg/inventory")
	}
}

func TestDescriptions_EveryKeyHasOne(t *testing.T) {
	for _, s := range sections() {
		if describeType(s.typ) == "" {
			t.Errorf("%s has no description", s.typ)
		}
		for _, f := range fieldsOf(s.typ) {
			if describeField(f) == "" {
				t.Errorf("%s of %s has no description", f.key, s.typ)
			}
		}
	}
}

func TestDescriptions_DropTheFieldsName(t *testing.T) {
	tests := []struct{ comment, name, want string }{
		{"Port is the port.", "Port", "The port."},
		{"Slaves are hosts.", "Slaves", "Hosts."},
		{"Cluster names it.", "Cluster", "Names it."},
		{"Other words.", "Port", "Other words."},
	}
	for _, tt := range tests {
		if got := withoutName(tt.comment, tt.name); got != tt.want {
			t.Errorf("%q of %s is %q; want %q", tt.comment, tt.name, got, tt.want)
		}
	}
}

// The decoder, the schema and the reference know these kinds only.
func TestFields_HaveKindsThatAreHandled(t *testing.T) {
	handled := []reflect.Kind{reflect.String, reflect.Bool, reflect.Int, reflect.Uint16, reflect.Slice, reflect.Map, reflect.Struct}
	for _, s := range sections() {
		for _, f := range fieldsOf(s.typ) {
			if _, text := textTypeOf(f.typ); isText(f.typ) != text {
				t.Errorf("%s of %s: textTypeOf does not know %s", f.key, s.typ, f.typ)
			}
			if !isText(f.typ) && !slices.Contains(handled, f.typ.Kind()) {
				t.Errorf("%s of %s has the kind %s", f.key, s.typ, f.typ.Kind())
			}
			if f.key == "" {
				t.Errorf("%s of %s has no yaml tag", f.name, s.typ)
			}
		}
	}
}
