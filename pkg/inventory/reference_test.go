package inventory

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"
)

func TestReference_IsCurrent(t *testing.T) {
	got, err := os.ReadFile("../../docs/inventory.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := string(Reference()); string(got) != want {
		t.Error("docs/inventory.md is not current: run go generate ./pkg/inventory\n" + udiff.Unified("file", "generated", string(got), want))
	}
}

func TestReference_HasEveryKeyInItsSection(t *testing.T) {
	parts := strings.Split(string(Reference()), "\n## ")[1:]
	if len(parts) != len(sections()) {
		t.Fatalf("%d sections; want %d", len(parts), len(sections()))
	}
	for i, s := range sections() {
		for _, f := range fieldsOf(s.typ) {
			if !strings.Contains(parts[i], "| `"+f.key+"` |") {
				t.Errorf("section %q lacks %s", s.path, f.key)
			}
		}
	}
}

func TestReference_LinksLeadToSections(t *testing.T) {
	text := string(Reference())
	titles := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^## `?([^`\n]+)`?$").FindAllStringSubmatch(text, -1) {
		// as GitHub makes anchors: lower case, no punctuation, - for a space
		titles[strings.NewReplacer(".", "", ",", "", " ", "-").Replace(strings.ToLower(m[1]))] = true
	}
	links := regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(text, -1)
	if len(links) == 0 {
		t.Error("no links")
	}
	for _, m := range links {
		if !titles[m[1]] {
			t.Errorf("no section for the link #%s", m[1])
		}
	}
}

func TestReference_TablesHaveFourColumns(t *testing.T) {
	for line := range strings.Lines(string(Reference())) {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") != 5 {
			t.Errorf("not four cells: %s", line)
		}
	}
}
