package resource

import (
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// now is when all tests run.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const (
	sumA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sumB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// seeing is a view of a host that has these files and nothing else.
func seeing(files map[string]FileFact) View {
	return View{Now: now, Facts: &Facts{Files: files}}
}

// regular is a root's file, mode 0644.
func regular(content string) FileFact {
	return FileFact{Type: "file", Mode: "0644", Owner: "root", Group: "root", Sum: Sum([]byte(content))}
}

// differing lists "name: have -> want" of a resource.
func differing(r Resource, v View) []string {
	var texts []string
	for _, d := range Differences(r.Have(v), r.Want(v)) {
		texts = append(texts, fmt.Sprintf("%s: %s -> %s", d.Name, d.Have, d.Want))
	}
	return texts
}

func checkDiffering(t *testing.T, r Resource, v View, want ...string) {
	t.Helper()
	if got := differing(r, v); !slices.Equal(got, want) {
		t.Errorf("%s differs in\n  %s\nwant\n  %s", r.ID(), strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// ops lists operations, contents decoded where they are text.
func ops(o Operations) []string {
	var texts []string
	for _, op := range o.Ops {
		args := slices.Clone(op.Args)
		if op.Verb == "write" {
			content, err := base64.StdEncoding.DecodeString(args[4])
			if err != nil {
				panic(err)
			}
			args[4] = fmt.Sprintf("%q", content)
		}
		texts = append(texts, op.Verb+" "+strings.Join(args, " "))
	}
	return texts
}

// checkBring checks what Bring does, that every operation can travel as lines,
// and that what it promises is what is wanted once it is done.
func checkBring(t *testing.T, r Resource, v View, want ...string) {
	t.Helper()
	got, err := r.Bring(v, materials{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ops(got), want) {
		t.Errorf("%s is brought about by\n  %s\nwant\n  %s", r.ID(), strings.Join(ops(got), "\n  "), strings.Join(want, "\n  "))
	}
	for _, op := range got.Ops {
		if strings.ContainsAny(op.Verb+strings.Join(op.Args, ""), "\n\x00") {
			t.Errorf("operation %q can't travel as lines", op)
		}
	}
	if _, ok := r.(Image); ok {
		return // the manifest is known only once it was pushed
	}
	if names, wanted := namesOf(got.Applied), namesOf(r.Want(v)); !slices.Equal(names, wanted) {
		t.Errorf("%s promises %v, but wants %v", r.ID(), names, wanted)
	}
}

func namesOf(s State) []string {
	var names []string
	for _, attribute := range s {
		names = append(names, attribute.Name)
	}
	return names
}

func checkRefuses(t *testing.T, r Resource, v View, want string) {
	t.Helper()
	operations, err := r.Bring(v, materials{})
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error is %v, want one that contains %q", r.ID(), err, want)
	}
	if operations.Ops != nil {
		t.Errorf("%s: an error comes with operations %v", r.ID(), operations.Ops)
	}
}

// materials hands out contents that are easy to recognise.
type materials struct{ fail bool }

var errNoMaterial = errors.New("no such material")

func (m materials) err() error {
	if m.fail {
		return errNoMaterial
	}
	return nil
}

func (m materials) Authority(name string) (certPEM, keyPEM []byte, err error) {
	return []byte("cert of " + name), []byte("key of " + name), m.err()
}

func (m materials) Issue(c Certificate) (certPEM, keyPEM []byte, err error) {
	return []byte("cert for " + c.Request.CommonName), []byte("key for " + c.Request.CommonName), m.err()
}

func (m materials) Random(content []byte) ([]byte, error) {
	return []byte(strings.ReplaceAll(string(content), RandomPlaceholder, "RANDOM")), m.err()
}

func (m materials) Staged(a Artifact) (string, error) { return "/var/tmp/up/" + a.Source, m.err() }

func (m materials) Push(Image) (string, error) { return "sha256:" + sumB, m.err() }

func TestBring_MissingMaterialIsAnError(t *testing.T) {
	for _, r := range []Resource{
		file(), artifact(), authority(), trust(), certificate(), image(),
	} {
		if operations, err := r.Bring(seeing(nil), materials{fail: true}); !errors.Is(err, errNoMaterial) || operations.Ops != nil {
			t.Errorf("%s: %v, %v", r.ID(), operations.Ops, err)
		}
	}
}

func TestDifferences_AreInTheOrderOfWantAndIgnoreWhatIsNotWanted(t *testing.T) {
	have := State{{"extra", "1"}, {"b", "2"}, {"a", "1"}}
	want := State{{"a", "9"}, {"b", "2"}, {"c", "3"}}
	got := Differences(have, want)
	if expected := []Difference{{"a", "1", "9"}, {"c", "", "3"}}; !reflect.DeepEqual(got, expected) {
		t.Errorf("got %v, want %v", got, expected)
	}
	if got := Differences(nil, nil); got != nil {
		t.Errorf("nothing differs from nothing in %v", got)
	}
}

func TestIsAttribute_ContentIsNone(t *testing.T) {
	for name, want := range map[string]bool{"mode": true, "owner": true, "key mode": true, "key owner": true, "content": false, "key": false, "key sum": false, InputsAttribute: false} {
		if IsAttribute(name) != want {
			t.Errorf("IsAttribute(%q) is %t", name, !want)
		}
	}
}
