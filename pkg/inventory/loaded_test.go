package inventory

import (
	"os"
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"gopkg.in/yaml.v3"
)

// The golden files are what an inventory means: every default and everything
// inherited written out.
func TestLoaded_InventoryIsComplete(t *testing.T) {
	t.Setenv("HOME", "/home/op")
	for name, text := range map[string]string{
		"example":             readExample(t),
		"example-uncommented": uncommented(t),
	} {
		t.Run(name, func(t *testing.T) {
			inv, err := Parse("/inv/inventory.yaml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			got, err := yaml.Marshal(inv)
			if err != nil {
				t.Fatal(err)
			}
			golden := "testdata/loaded/" + name + ".yaml"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Error(udiff.Unified("want", "got", string(want), string(got)))
			}
			checkRoundTrip(t, inv)
		})
	}
}
