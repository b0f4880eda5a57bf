package blueprint

import (
	"slices"
	"testing"
)

// overriding are flags with one of each thing that extraArgs can do.
func overriding() *Flags {
	two, z, a := "2", "z", "a"
	return newFlags(map[string]*string{"b": &two, "gone": nil, "never-there": nil, "zz": &z, "aa": &a})
}

func TestFlagsRest_DefaultsInOrderThenExtraArgsSorted(t *testing.T) {
	got := overriding().Rest("c=3", "gone=1", "b=1", "a", "d=x=y")
	if want := []string{"--c=3", "--b=2", "--a=", "--d=x=y", "--aa=a", "--zz=z"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestFlagsTake_WhatIsTakenIsNotInTheRest(t *testing.T) {
	flags := overriding()
	for _, tt := range []struct {
		name string
		def  any
		want []string
	}{
		{"b", 1, []string{"--b=2"}},
		{"port", 6443, []string{"--port=6443"}},
		{"gone", "x", nil},
		{"zz", "", []string{"--zz=z"}},
	} {
		if got := flags.Take(tt.name, tt.def); !slices.Equal(got, tt.want) {
			t.Errorf("%s is %q", tt.name, got)
		}
	}
	if got := flags.Rest(); !slices.Equal(got, []string{"--aa=a"}) {
		t.Errorf("the rest is %q", got)
	}
}

func TestFlagsValue_OfARemovedFlagIsWhatTheProgramTakes(t *testing.T) {
	flags := overriding()
	for name, want := range map[string]string{"b": "2", "gone": "default", "other": "default", "aa": "a"} {
		if got := flags.Value(name, "default"); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestFlagsVariables_AreUpperCaseAndQuoted(t *testing.T) {
	got, err := overriding().Variables("ETCD_", "data-dir=/var/lib/etcd $x", "gone=1", "b=1")
	want := `ETCD_DATA_DIR="/var/lib/etcd \$x"` + "\n" + `ETCD_B="2"` + "\n" + `ETCD_AA="a"` + "\n" + `ETCD_ZZ="z"`
	if err != nil || got != want {
		t.Errorf("got\n%s, %v", got, err)
	}
}

func TestFlagsVariables_SayWhichIsDropped(t *testing.T) {
	_, err := newFlags(nil).Variables("X_", "a=\x01")
	checkError(t, err, "a: \"\\x01\" holds control characters")
}
