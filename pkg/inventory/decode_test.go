package inventory

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kinds has a field of each kind that the decoder knows and the inventory does
// not have yet.
type kinds struct {
	On  bool `yaml:"on" default:"true"`
	Off bool `yaml:"off"`
}

func decodeKinds(text string) (kinds, Errors) {
	src := newSource()
	var k kinds
	decoder{src}.value(readDocument([]byte(text), src), root, reflect.ValueOf(&k).Elem(), field{})
	return k, src.all("f")
}

func TestDecode_TruthValues(t *testing.T) {
	tests := map[string]kinds{
		"on: true\noff: false\n": {On: true}, "on: false\noff: true\n": {Off: true}, "on: False\noff: TRUE\n": {Off: true}, "on:\n": {On: true},
	}
	for text, want := range tests {
		if got, errs := decodeKinds(text); got != want || len(errs) > 0 {
			t.Errorf("%q is %v, %v; want %v", text, got, errs, want)
		}
	}
}

func TestDecode_OtherWordsAreNoTruthValues(t *testing.T) {
	_, errs := decodeKinds("on: yes\noff: [true]\n")
	want := Errors{
		{"f", 1, 5, "on", `must be true or false, not the text "yes"`, "write true or false, without quotes"},
		{"f", 2, 6, "off", "must be true or false, not a list", "write true or false, without quotes"},
	}
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Error(diff)
	}
}

func TestDecode_DateIsText(t *testing.T) {
	if inv := parse(t, "cluster: 2020-01-01\n"); inv.Cluster != "2020-01-01" {
		t.Errorf("cluster is %q", inv.Cluster)
	}
}

func TestDecode_AliasesAndMergeKeysAreResolved(t *testing.T) {
	inv := parse(t, `
ssh: {<<: [{user: a, port: 2222}, {user: b, connectTimeout: 5s}], port: 2223}
components: {kubelet: {config: {a: &k key, *k : 1, b: *k}}}
`)
	if s := inv.SSH; s.User != "a" || s.Port != 2223 || s.ConnectTimeout.String() != "5s" {
		t.Errorf("ssh is %v", s)
	}
	want := map[string]any{"a": "key", "key": 1, "b": "key"}
	if diff := cmp.Diff(want, inv.Components.Kubelet.Config); diff != "" {
		t.Error(diff)
	}
}

func TestDecode_TildeAloneIsTheHomeDirectory(t *testing.T) {
	if inv := parse(t, "artifacts: {dir: \"~\"}\n"); inv.Artifacts.Dir != "/home/op" {
		t.Errorf("artifacts.dir is %s", inv.Artifacts.Dir)
	}
}
