package inventory

import (
	"encoding"
	"slices"
	"testing"
)

var (
	_ encoding.TextMarshaler   = Version{}
	_ encoding.TextUnmarshaler = &Version{}
	_ encoding.TextMarshaler   = PortRange{}
	_ encoding.TextUnmarshaler = &PortRange{}
)

func TestParseVersion_ReadsWhatStringWrites(t *testing.T) {
	tests := map[string]Version{
		"1.36":           {Major: 1, Minor: 36},
		"1.36.0":         {Major: 1, Minor: 36, HasPatch: true},
		"1.36.3":         {Major: 1, Minor: 36, Patch: 3, HasPatch: true},
		"1.30":           {Major: 1, Minor: 30},
		"0.0.0":          {HasPatch: true},
		"9999.9999.9999": {Major: 9999, Minor: 9999, Patch: 9999, HasPatch: true},
		"1.2":            {Major: 1, Minor: 2},
		"10.0.1":         {Major: 10, Patch: 1, HasPatch: true},
		"1.10.10":        {Major: 1, Minor: 10, Patch: 10, HasPatch: true},
		"0.1":            {Minor: 1},
		"2.0":            {Major: 2},
		"1.34.4":         {Major: 1, Minor: 34, Patch: 4, HasPatch: true},
		"1.3":            {Major: 1, Minor: 3},
		"1.37.2":         {Major: 1, Minor: 37, Patch: 2, HasPatch: true},
		"100.200.300":    {Major: 100, Minor: 200, Patch: 300, HasPatch: true},
		"1.0":            {Major: 1},
		"1.0.0":          {Major: 1, HasPatch: true},
		"1234.5678.9012": {Major: 1234, Minor: 5678, Patch: 9012, HasPatch: true},
	}
	for text, want := range tests {
		got, err := ParseVersion(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("ParseVersion(%q) = %#v (%s), %v; want %#v", text, got, got, err, want)
		}
	}
}

func TestParseVersion_RefusesOtherForms(t *testing.T) {
	for _, text := range []string{
		"", "1", "1.", ".1", "1.2.", "1..3", "1.2.3.4", "v1.36", "1.36.0-rc.1", "1.36+x", " 1.36", "1.36 ", "01.36", "1.036",
		"1.36.00", "-1.2", "1.-2", "1.10000", "1.٣", "1e3.2", "0x1.2", "latest",
	} {
		if v, err := ParseVersion(text); err == nil {
			t.Errorf("ParseVersion(%q) = %v; want an error", text, v)
		}
	}
}

func TestVersion_OrdersByNumberAndThenByPatch(t *testing.T) {
	sorted := []string{"0.9", "1.2", "1.2.0", "1.2.3", "1.2.10", "1.3", "1.10", "1.36", "1.36.3", "2.0"}
	var versions []Version
	for _, text := range sorted {
		v, err := ParseVersion(text)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, v)
	}
	for i, v := range versions {
		for j, w := range versions {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := v.Compare(w); got != want {
				t.Errorf("%s.Compare(%s) = %d; want %d", v, w, got, want)
			}
		}
	}
	if !slices.IsSortedFunc(versions, Version.Compare) {
		t.Error("versions are not sorted")
	}
}

func TestVersion_ZeroHasNoText(t *testing.T) {
	if s := (Version{}).String(); s != "" {
		t.Errorf("zero version is %q", s)
	}
}
