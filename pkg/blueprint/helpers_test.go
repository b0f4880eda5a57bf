package blueprint

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"provision/pkg/inventory"
	"provision/pkg/resource"
	"provision/templates"
)

// sums gives every artifact a sum of its own.
type sums struct{}

func (sums) Sum(name string) (string, error) {
	if name == "missing" {
		return "", errors.New("artifact missing has no sum")
	}
	return resource.Sum([]byte(name)), nil
}

// fixtures are the inventories whose rendering is compared with golden files.
func fixtures() map[string]string {
	return map[string]string{
		"lab":     filepath.Join("..", "..", "e2e", "inventory.yaml"),
		"full":    filepath.Join("testdata", "inventory", "full.yaml"),
		"gateway": filepath.Join("testdata", "inventory", "gateway.yaml"),
	}
}

func load(t *testing.T, path string) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// parse is the smallest inventory with more keys.
func parse(t *testing.T, more string) *inventory.Inventory {
	t.Helper()
	const least = "master: {name: m, address: 10.0.0.1}\nslaves: [{name: s, address: 10.0.0.2}]\nregistry: {name: r, address: 10.0.0.3}\nartifacts: {dir: a}\n"
	return parseWhole(t, least+more)
}

func parseWhole(t *testing.T, text string) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.Parse("inventory.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// modern is the set of today's Kubernetes.
func modern(t *testing.T) *Set {
	t.Helper()
	set, err := Select(templates.Sets, inventory.Version{Major: 1, Minor: 36})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// desired renders an inventory with a set.
func desired(t *testing.T, set *Set, inv *inventory.Inventory) []resource.Host {
	t.Helper()
	hosts, err := set.Desired(inv, sums{})
	if err != nil {
		t.Fatal(err)
	}
	return hosts
}

// files are the files of a host by their paths.
func files(t *testing.T, hosts []resource.Host, name string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, host := range hosts {
		if host.Name != name {
			continue
		}
		for _, r := range host.Resources() {
			if file, ok := r.(resource.File); ok {
				found[file.Path] = string(file.Content)
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("host %s has no files", name)
	}
	return found
}

// small is a set with the stages, and templates by their names without ".tmpl".
func small(stages string, templates map[string]string) fstest.MapFS {
	set := fstest.MapFS{"v1/blueprint.yaml": {Data: []byte("versions: {from: \"1.34\", to: \"1.37\"}\n" + stages)}}
	for name, text := range templates {
		set["v1/"+name+".tmpl"] = &fstest.MapFile{Data: []byte(text)}
	}
	return set
}

// onMaster is a set whose only stage has these resources, for masters.
func onMaster(resources string, templates map[string]string) fstest.MapFS {
	return small("stages:\n  - name: all\n    roles: [master]\n    resources:\n"+indent(resources), templates)
}

func indent(text string) string {
	return "      " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n      ") + "\n"
}

func selectSmall(t *testing.T, set fstest.MapFS) *Set {
	t.Helper()
	selected, err := Select(set, inventory.Version{Major: 1, Minor: 36})
	if err != nil {
		t.Fatal(err)
	}
	return selected
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v\nwant one that contains %s", err, want)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
