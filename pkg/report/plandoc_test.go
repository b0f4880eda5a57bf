package report

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"provision/pkg/converge"
)

func TestPlanJSON_DocumentationIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/plan.md")
	if err != nil {
		t.Fatal(err)
	}
	for title, of := range map[string]reflect.Type{
		"The document": reflect.TypeFor[PlanDocument](), "A host": reflect.TypeFor[PlanHost](),
		"A stage": reflect.TypeFor[converge.StagePlan](), "A change": reflect.TypeFor[converge.Change](),
	} {
		_, section, _ := strings.Cut(string(text), "## "+title+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		_, section, _ = strings.Cut(section, "|---|---|\n")
		var got, want []string
		for line := range strings.Lines(section) {
			if name, isRow := strings.CutPrefix(line, "| "); isRow {
				name, _, _ = strings.Cut(name, " ")
				got = append(got, name)
			}
		}
		for field := range of.Fields() {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
				want = append(want, name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the page has %q, the code %q", title, got, want)
		}
	}
}
