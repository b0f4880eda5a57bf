package describe

import (
	"maps"
	"strings"
	"testing"
)

const source = `package p

// T is a type
// in two lines.
//
// Second paragraph.
type T struct {
	// A is "quoted".
	A, B int
	C    string // not a doc comment
	// hidden is found too: callers ask by name.
	hidden int
}

// L is a list.
type L []T

type private struct{}

// F is no type.
func F() {}
`

func TestComments_AreFirstParagraphsInOneLine(t *testing.T) {
	got, err := Comments("p.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"T": "T is a type in two lines.", "T.A": `A is "quoted".`, "T.B": `A is "quoted".`, "T.C": "",
		"T.hidden": "hidden is found too: callers ask by name.", "L": "L is a list.",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestComments_SourceThatIsNotGoIsAnError(t *testing.T) {
	if _, err := Comments("p.go", []byte("not go")); err == nil || !strings.Contains(err.Error(), "p.go") {
		t.Errorf("error is %v", err)
	}
}

func TestSource_IsFormattedAndSorted(t *testing.T) {
	got, err := Source("p", map[string]string{"b": `say "b"`, "a": "A"})
	if err != nil {
		t.Fatal(err)
	}
	want := `		"a": "A",
		"b": "say \"b\"",
`
	if !strings.Contains(string(got), want) || !strings.HasPrefix(string(got), "// Code generated ") {
		t.Errorf("source is\n%s", got)
	}
}
