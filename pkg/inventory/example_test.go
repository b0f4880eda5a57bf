package inventory

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

const exampleFile = "../../inventory.example.yaml"

func readExample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var commentedKey = regexp.MustCompile(`^(\s*)# (\s*[A-Za-z][A-Za-z0-9.-]*:( .*)?)$`)

// uncommented is the example with all of its commented-out keys; of
// artifacts.dir and url, which can't both be, only dir.
func uncommented(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(readExample(t)) {
		line = strings.TrimSuffix(line, "\n")
		if m := commentedKey.FindStringSubmatch(line); m != nil {
			line = m[1] + m[2]
		}
		if !strings.HasPrefix(line, "  url:") {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

func TestExample_IsTheNotesCluster(t *testing.T) {
	t.Setenv("HOME", "/home/op")
	inv, err := Load(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, h := range inv.Hosts() {
		got[h.Name] = h.Address.String() + " " + strings.Join(h.Roles, ",")
	}
	want := map[string]string{
		"centos7":                    "10.25.31.44 master",
		"centos72":                   "10.25.31.45 slave",
		"centos73":                   "10.25.31.109 slave",
		"centos7-private-repository": "10.25.31.102 registry",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	settings := []string{inv.Network.PodCIDR.String(), inv.Network.Flannel.Key, inv.Services.CIDR.String(), inv.Kubernetes.Version.String()}
	if diff := cmp.Diff([]string{"172.17.0.0/16", "/coreos.com/network", "10.254.0.0/16", "1.36.3"}, settings); diff != "" {
		t.Error(diff)
	}
}

func TestExample_IsValidWithEveryKeyUncommented(t *testing.T) {
	t.Setenv("HOME", "/home/op")
	if _, err := Parse(exampleFile, []byte(uncommented(t))); err != nil {
		t.Error(err)
	}
}

// Every key of every mapping stands in the example at its place, and has its
// default there.
func TestExample_ShowsEveryKeyAndItsDefault(t *testing.T) {
	var file map[string]any
	if err := yaml.Unmarshal([]byte(uncommented(t)), &file); err != nil {
		t.Fatal(err)
	}
	for _, s := range sections() {
		mapping := exampleMapping(t, file, s.path)
		for _, f := range fieldsOf(s.typ) {
			value, ok := mapping[f.key]
			if !ok && !exempt(s.path, f.key) {
				t.Errorf("%s of %q is missing", f.key, s.path)
			}
			if want := f.tag.Get("default"); ok && want != "" && !sameText(value, want) {
				t.Errorf("%s of %q is %v; the default is %s", f.key, s.path, value, want)
			}
		}
	}
}

// exampleMapping finds a section of the reference in the example.
func exampleMapping(t *testing.T, file map[string]any, path string) map[string]any {
	t.Helper()
	var at any = file
	switch path {
	case "":
	case "master, slaves":
		slaves, _ := file["slaves"].([]any)
		at = slaves[0]
	case "components.NAME":
		merged := map[string]any{}
		components, _ := file["components"].(map[string]any)
		for _, c := range components {
			keys, _ := c.(map[string]any)
			for k, v := range keys {
				merged[k] = v
			}
		}
		at = merged
	default:
		for key := range strings.SplitSeq(path, ".") {
			mapping, _ := at.(map[string]any)
			at = mapping[key]
		}
	}
	mapping, ok := at.(map[string]any)
	if !ok {
		t.Errorf("%q is missing", path)
	}
	return mapping
}

// exempt are the keys that can't stand in a valid example or stand elsewhere.
func exempt(path, key string) bool {
	return path == "artifacts" && key == "url" || // beside dir
		path == "registry" && (key == "ssh" || key == "components") // explained at the slaves
}

func sameText(value any, text string) bool {
	out, err := yaml.Marshal(value)
	return err == nil && strings.Trim(string(out), "\"\n") == text
}

func TestExample_ExplainsBothSourcesOfArtifacts(t *testing.T) {
	if !strings.Contains(readExample(t), "\n  # url: https://") {
		t.Error("artifacts.url is missing")
	}
}
