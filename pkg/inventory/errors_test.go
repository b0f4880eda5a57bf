package inventory

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite golden files")

// requiredKeys completes the cases of testdata/errors.
var requiredKeys = []struct{ key, value string }{
	{"master", "10.25.31.44"},
	{"slaves", "[10.25.31.45, 10.25.31.109]"},
	{"registry", "10.25.31.102"},
	{"artifacts", "{dir: artifacts}"},
}

// withRequired adds the required keys that a text does not have.
func withRequired(text string) []byte {
	var b strings.Builder
	b.WriteString(text)
	for _, r := range requiredKeys {
		if !strings.HasPrefix(text, r.key+":") && !strings.Contains(text, "\n"+r.key+":") {
			b.WriteString(r.key + ": " + r.value + "\n")
		}
	}
	return []byte(b.String())
}

// Each archive of testdata/errors holds cases, CASE.yaml, and what is said
// about them, CASE.errors.
func TestParse_MistakesAreReportedWithPlaceAndHint(t *testing.T) {
	t.Setenv("HOME", "/home/op")
	archives, err := filepath.Glob("testdata/errors/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no cases", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { testArchive(t, name) })
	}
}

func testArchive(t *testing.T, name string) {
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	golden := &txtar.Archive{Comment: archive.Comment}
	want := map[string]string{}
	for _, f := range archive.Files {
		want[f.Name] = string(f.Data)
	}
	for _, f := range archive.Files {
		title, isCase := strings.CutSuffix(f.Name, ".yaml")
		if !isCase {
			continue
		}
		t.Run(title, func(t *testing.T) {
			text := withRequired(string(f.Data))
			_, err := Parse("f", text)
			if err == nil {
				t.Fatal("no error")
			}
			checkPositions(t, err, text)
			got := strings.ReplaceAll("\n"+err.Error(), "\nf:", "\n")[1:] + "\n"
			golden.Files = append(golden.Files, f, txtar.File{Name: title + ".errors", Data: []byte(got)})
			if w := want[title+".errors"]; got != w && !*update {
				t.Error(udiff.Unified("want", "got", w, got))
			}
		})
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(golden), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// checkPositions asserts what holds for every error of Parse.
func checkPositions(t *testing.T, err error, text []byte) {
	t.Helper()
	var errs Errors
	if !errors.As(err, &errs) || len(errs) == 0 {
		t.Fatalf("error is %T, not Errors: %v", err, err)
	}
	lines := strings.Split(string(text), "\n")
	for i, e := range errs {
		if e.Line < 1 || e.Line > len(lines)+1 || e.Column < 1 {
			t.Errorf("position %d:%d is outside the file: %v", e.Line, e.Column, e)
		}
		if e.Path == "" || e.Message == "" || e.Hint == "" {
			t.Errorf("error without path, message or hint: %#v", e)
		}
		if strings.ContainsFunc(e.Error(), unprintable) {
			t.Errorf("error is not one printable line: %q", e.Error())
		}
		if i > 0 && (e.Line < errs[i-1].Line || e.Line == errs[i-1].Line && e.Column < errs[i-1].Column) {
			t.Errorf("errors are not in order: %v before %v", errs[i-1], e)
		}
	}
}
