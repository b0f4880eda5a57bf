package inventory

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"gopkg.in/yaml.v3"
)

// FuzzParse holds that Parse never panics, that its errors always have a
// position, a message and a hint, and that a valid inventory reads back the
// same after it was written.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"hosts", "network", "settings", "artifacts", "components", "decode", "yaml"} {
		archive, err := txtar.ParseFile("testdata/errors/" + name + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				f.Add(withRequired(string(file.Data)))
			}
		}
	}
	example, err := os.ReadFile("../../inventory.example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte(bomb(5)))
	f.Add(withRequired("ssh: &s {port: 2222}\ncomponents: {etcd: {extraArgs: {a: true, b: }, config: {a: [1, 2.5, {b: ~}]}}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, err := Parse("/inv/f.yaml", data)
		if err != nil {
			checkPositions(t, err, data)
			return
		}
		checkRoundTrip(t, inv)
	})
}

// checkRoundTrip asserts that an inventory reads back the same.
func checkRoundTrip(t *testing.T, inv *Inventory) {
	t.Helper()
	written, err := yaml.Marshal(inv)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("/inv/f.yaml", written)
	if err != nil {
		t.Fatalf("%v\n%s", err, written)
	}
	if diff := cmp.Diff(inv, again, compare, equalNumbers, equalEmptyMaps); diff != "" {
		t.Errorf("%s\n%s", diff, written)
	}
}

// equalNumbers ignores the type of numbers in a configuration: YAML writes 1.0
// as 1.
var equalNumbers = cmp.FilterValues(func(a, b any) bool { return isNumber(a) && isNumber(b) },
	cmp.Comparer(func(a, b any) bool { return asFloat(a) == asFloat(b) }))

// equalEmptyMaps ignores whether an empty mapping was given: {} says nothing.
var equalEmptyMaps = cmp.Options{
	cmp.FilterValues(func(a, b map[string]*string) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
	cmp.FilterValues(func(a, b map[string]string) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
	cmp.FilterValues(func(a, b map[string]any) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
	cmp.FilterValues(func(a, b []string) bool { return len(a)+len(b) == 0 }, cmp.Ignore()),
}

func isNumber(v any) bool {
	switch v.(type) {
	case int, int64, uint64, float64:
		return true
	}
	return false
}

func asFloat(v any) float64 {
	switch n := v.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case uint64:
		return float64(n)
	case float64:
		return n
	}
	return 0
}

func TestInventory_ReadsBackTheSameAfterItWasWritten(t *testing.T) {
	for _, text := range []string{
		"",
		"kubernetes: {version: 1.35}\nservices: {cidr: 10.96.0.0/20, nodePorts: 31000-31010}\n",
		"master: {name: a, address: 10.25.31.1}\nregistry: {name: a, address: 10.25.31.1}\n",
		"components: {kubelet: {extraArgs: {a: , b: x, c: \"null\", d: \"5\"}, config: {a: [1, {b: ~}], c: \"5\"}}}\n",
		"slaves: [{address: 10.25.31.1, ssh: {user: op}, components: {proxy: {config: {mode: x}}}}]\n",
		"artifacts: {url: \"https://x.example/\", sums: {a: " + strings.Repeat("0", 64) + ", b: " + strings.Repeat("1", 60) + "e100}}\ntime: {servers: [a]}\n",
	} {
		checkRoundTrip(t, parse(t, text))
	}
}
