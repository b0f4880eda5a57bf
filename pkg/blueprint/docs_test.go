package blueprint

import (
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func formatDocument(t *testing.T) string {
	t.Helper()
	return readText(t, filepath.Join("..", "..", "docs", "template-sets.md"))
}

// documented are the keys that the tables of the document list, by the first
// word of the row.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	key := regexp.MustCompile("`([a-zA-Z]+)`")
	for line := range strings.Lines(formatDocument(t)) {
		cells := strings.Split(line, " | ")
		if kind := key.FindStringSubmatch(cells[0]); len(cells) == 3 && kind != nil {
			for _, found := range key.FindAllStringSubmatch(cells[1], -1) {
				rows[kind[1]] = append(rows[kind[1]], found[1])
			}
		}
	}
	return rows
}

func TestDocs_ListEveryRequirementWithItsKeys(t *testing.T) {
	rows := documented(t)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[requirement]()) {
		name, kind := field.Tag.Get("yaml"), field.Type
		if name == "roles" || name == "when" || name == "tools" {
			continue
		}
		want := keysOf(kind.Elem())
		if got := slices.Sorted(slices.Values(rows[name])); !slices.Equal(got, want) {
			t.Errorf("%s is documented with %v, but has %v", name, got, want)
		}
	}
}

func TestDocs_TheRequirementsOfTheExampleAreOfTheSet(t *testing.T) {
	_, rest, _ := strings.Cut(formatDocument(t), "## Requirements\n")
	_, rest, _ = strings.Cut(rest, "```yaml\n")
	text, _, _ := strings.Cut(rest, "```")
	all := requirements(t, selectSmall(t, small(text, nil)), parse(t, ""))
	if len(all["m"].Ports) != 1 || len(all["m"].Disk) != 1 || len(all["s"].Kernel) != 1 {
		t.Errorf("%+v", all)
	}
}

func TestDocs_ListEveryKindWithItsKeys(t *testing.T) {
	rows := documented(t)
	for _, field := range reflect.VisibleFields(reflect.TypeFor[entry]()) {
		name := field.Tag.Get("yaml")
		if name == "when" {
			continue
		}
		want := keysOf(field.Type.Elem())
		got := slices.Sorted(slices.Values(rows[name]))
		if !slices.Equal(got, want) {
			t.Errorf("%s is documented with %v, but has %v", name, got, want)
		}
	}
}

// keysOf are the YAML keys of a struct, sorted.
func keysOf(entry reflect.Type) []string {
	var keys []string
	for _, field := range reflect.VisibleFields(entry) {
		if tag := field.Tag.Get("yaml"); tag != "" && tag != ",inline" {
			keys = append(keys, tag)
		}
	}
	slices.Sort(keys)
	return keys
}

func TestDocs_TheOverlayOfTheExampleWorks(t *testing.T) {
	over := fstest.MapFS{}
	block := regexp.MustCompile("(?s)`DIR/(v1.34/[^`]+)`\n\n```[a-z]*\n(.*?)```\n")
	for _, match := range block.FindAllStringSubmatch(formatDocument(t), -1) {
		over[match[1]] = &fstest.MapFile{Data: []byte(match[2])}
	}
	if len(over) != 3 {
		t.Fatalf("found %d files", len(over))
	}
	set, err := Select(overlaid(over), version(t, "1.36"))
	if err != nil {
		t.Fatal(err)
	}
	hosts := desired(t, set, parse(t, ""))
	if got := files(t, hosts, "s")["/etc/systemd/system/kubelet.service.d/limits.conf"]; got != "[Service]\nMemoryMax=1G\n" {
		t.Errorf("limits.conf is %q", got)
	}
	if got := files(t, hosts, "m")["/etc/motd"]; got != "m is the master of kubernetes.\n" {
		t.Errorf("motd is %q", got)
	}
}

func TestDocs_TheManifestOfTheExampleIsOne(t *testing.T) {
	_, rest, _ := strings.Cut(formatDocument(t), "## blueprint.yaml\n\n```yaml\n")
	text, _, _ := strings.Cut(rest, "```")
	// The example's stage comes after one that it leaves out.
	text = strings.Replace(text, "stages:\n", "stages:\n  - {name: authorities, roles: [master]}\n", 1)
	set, err := Select(fstest.MapFS{"v1/blueprint.yaml": {Data: []byte(text)}}, version(t, "1.36"))
	if err != nil {
		t.Fatal(err)
	}
	desired(t, set, parse(t, ""))
}
