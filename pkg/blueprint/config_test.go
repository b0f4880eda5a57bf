package blueprint

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"gopkg.in/yaml.v3"
)

const base = `# what this is for
kind: Kubelet # kept
port: 10250
nested:
  # why
  a: 1
  b: {c: 2, d: [x, y]}
list: [1, 2]
`

func TestMergeConfig_YAML(t *testing.T) {
	tests := []struct {
		name, config, want string
	}{
		{"nothing", "{}", strings.Replace(base, "{c: 2, d: [x, y]}", "{c: 2, d: [x, y]}", 1)},
		{"a value, and one more", "{port: 1, more: true}", strings.Replace(base, "10250", "1", 1) + "more: true\n"},
		{"deep", "{nested: {b: {c: 3, e: text}}}", strings.Replace(base, "{c: 2, d: [x, y]}", "{c: 3, d: [x, y], e: text}", 1)},
		{"a list as a whole", "{list: [3]}", strings.Replace(base, "list: [1, 2]\n", "list:\n  - 3\n", 1)},
		{"a mapping becomes a value", "{nested: 5}", strings.Replace(base, base[strings.Index(base, "nested"):strings.Index(base, "list")], "nested: 5\n", 1)},
		{"a value becomes a mapping", "{port: {a: 1, b: null}}", strings.Replace(base, "port: 10250", "port:\n  a: 1", 1)},
		{"null removes", "{port: null, nested: {a: null}, list: null}", "# what this is for\nkind: Kubelet # kept\nnested:\n  b: {c: 2, d: [x, y]}\n"},
		{"null of what isn't there", "{other: null, more: {deep: {x: null, y: 1}}}", base + "more:\n  deep:\n    \"y\": 1\n"},
		{"null in a list is a value", "{list: [null]}", strings.Replace(base, "list: [1, 2]\n", "list:\n  - null\n", 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := mergeConfig([]byte(base), config(t, tt.config), "yaml")
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func config(t *testing.T, text string) map[string]any {
	t.Helper()
	var config map[string]any
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	return config
}

func TestMergeConfig_LeavesTheOperatorsConfigAlone(t *testing.T) {
	given := config(t, "{nested: {a: null, z: {q: null}}, list: [1]}")
	for range 2 {
		if _, err := mergeConfig([]byte(base), given, ""); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(given, config(t, "{nested: {a: null, z: {q: null}}, list: [1]}")) {
		t.Errorf("it is %v now", given)
	}
}

func TestMergeConfig_TOML(t *testing.T) {
	got, err := mergeConfig([]byte("version: 3\nplugins:\n  io.x.v1:\n    a: [x]\n    b: 1\n"), config(t, "{debug: {level: info}, plugins: {io.x.v1: {b: null, c: 1.5}, other: {d: null}}}"), "toml")
	if err != nil {
		t.Fatal(err)
	}
	var value map[string]any
	if err := toml.Unmarshal(got, &value); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"version": int64(3), "debug": map[string]any{"level": "info"},
		"plugins": map[string]any{"io.x.v1": map[string]any{"a": []any{"x"}, "c": 1.5}, "other": map[string]any{}},
	}
	if !reflect.DeepEqual(value, want) {
		t.Errorf("got\n%s", got)
	}
}

func TestMergeConfig_Errors(t *testing.T) {
	for text, want := range map[string]string{
		"":             "is not a YAML mapping",
		"- a":          "is not a YAML mapping",
		"text":         "is not a YAML mapping",
		"a: [":         "parse the rendered template: yaml: ",
		"a: 1\n---\nb": "is more than one YAML document",
	} {
		_, err := mergeConfig([]byte(text), nil, "yaml")
		checkError(t, err, want)
	}
}
