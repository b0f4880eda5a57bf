package blueprint

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"provision/pkg/inventory"
	"provision/templates"
)

func version(t *testing.T, text string) inventory.Version {
	t.Helper()
	var v inventory.Version
	if err := v.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSelect_ByMinorVersion(t *testing.T) {
	for text, want := range map[string]string{"1.34": "v1.34", "1.34.9": "v1.34", "1.36.3": "v1.34", "1.37": "v1.34", "1.37.12": "v1.34", "1.33.99": "", "1.38": "", "1.38.0": "", "1.4": "", "2.35": ""} {
		set, err := Select(templates.Sets, version(t, text))
		switch {
		case want == "":
			checkError(t, err, "no template set installs Kubernetes "+text+"; there are sets for 1.34 - 1.37")
		case err != nil || set.Name != want:
			t.Errorf("%s: %v, %v", text, set, err)
		}
	}
}

func TestSelect_AmongSeveralSets(t *testing.T) {
	set := func(from, to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(`versions: {from: "` + from + `", to: "` + to + `"}`)}
	}
	sets := fstest.MapFS{
		"old/blueprint.yaml": set("1.2", "1.5"), "new/blueprint.yaml": set("1.34", "1.37"),
		"no-set/notes.txt": {}, "README.md": {},
	}
	for text, want := range map[string]string{"1.2": "old", "1.5.9": "old", "1.35": "new"} {
		if set, err := Select(sets, version(t, text)); err != nil || set.Name != want {
			t.Errorf("%s: %v, %v", text, set, err)
		}
	}
	_, err := Select(sets, version(t, "1.20"))
	checkError(t, err, "there are sets for 1.34 - 1.37, 1.2 - 1.5")
}

func TestSelect_MistakesInAManifest(t *testing.T) {
	stage := func(text string) string { return "stages:\n  - " + text }
	tests := []struct{ name, stages, want string }{
		{"unknown key", "stage: []", "field stage not found"},
		{"unknown kind", stage("{name: a, roles: [master], resources: [{fiel: {path: /a}}]}"), "field fiel not found"},
		{"unknown key of a kind", stage("{name: a, roles: [master], resources: [{file: {paht: /a}}]}"), "field paht not found"},
		{"no kind", stage("{name: a, roles: [master], resources: [{when: x}]}"), "stage a, resource 1: want exactly one kind of resource, not 0"},
		{"two kinds", stage("{name: a, roles: [master], resources: [{package: {name: a}}, {package: {name: a}, module: {name: a}}]}"), "stage a, resource 2: want exactly one kind of resource, not 2"},
		{"unknown role", stage("{name: a, roles: [node]}"), "stage a: unknown role node"},
		{"no role", stage("{name: a}"), `stage "a": want a name and roles`},
		{"no name", stage("{roles: [master]}"), `stage "": want a name and roles`},
		{"unknown after", stage("{name: a, roles: [master], after: [b]}\n  - {name: b, roles: [master]}"), "stage a: after names b, which does not stand before it"},
		{"after itself", stage("{name: a, roles: [master], after: [a]}"), "stage a: after names a, which does not stand before it"},
		{"twice", stage("{name: a, roles: [master]}\n  - {name: a, roles: [slave]}"), "stage a: declared twice"},
		{"unknown format", stage("{name: a, roles: [master], resources: [{file: {path: /a, format: json}}]}"), `stage a, resource 1: unknown format "json": want yaml or toml`},
		{"list for a value", stage("{name: a, roles: [master], resources: [{package: {name: [a]}}]}"), "want a single value"},
		{"bad template", stage("{name: a, roles: [master], resources: [{package: {name: '{{ .Host'}}]}"), "line 3: template: line 3:1: unclosed action"},
		{"random function", stage("{name: a, roles: [master], resources: [{package: {name: '{{ randAlpha 5 }}'}}]}"), `function "randAlpha" not defined`},
		{"key function", stage("{name: a, roles: [master], resources: [{package: {name: '{{ genPrivateKey \"rsa\" }}'}}]}"), `function "genPrivateKey" not defined`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Select(small(tt.stages, nil), version(t, "1.36"))
			checkError(t, err, tt.want)
			if err != nil && !strings.Contains(err.Error(), "v1") {
				t.Errorf("%v does not name the set", err)
			}
		})
	}
}

func TestSelect_MistakesInVersions(t *testing.T) {
	for text, want := range map[string]string{
		"stages: []":                           "versions: want the first and the last",
		`versions: {from: "1.37", to: "1.34"}`: "versions: want the first and the last",
		`versions: {from: "1.34"}`:             "versions: want the first and the last",
		`versions: {from: "1.x", to: "1.34"}`:  "read manifest v1/blueprint.yaml",
		"":                                     "read manifest v1/blueprint.yaml: it is empty",
	} {
		_, err := Select(fstest.MapFS{"v1/blueprint.yaml": {Data: []byte(text)}}, version(t, "1.36"))
		checkError(t, err, want)
	}
}

func TestSelect_ATemplateThatDoesNotParse(t *testing.T) {
	_, err := Select(small("stages: []", map[string]string{"a": "{{ if }}"}), version(t, "1.36"))
	checkError(t, err, "parse template v1/a.tmpl: ")
}

// overlaid is the embedded sets under an operator's folder.
func overlaid(over fstest.MapFS) Overlay { return Overlay{Over: over, Base: templates.Sets} }

func TestOverlay_AFileHidesTheOneOfTheSet(t *testing.T) {
	set, err := Select(overlaid(fstest.MapFS{"v1.34/proxy.tmpl": {Data: []byte("KUBE_PROXY_ARGS={{ .Vars | len }}\n")}}), version(t, "1.36"))
	if err != nil {
		t.Fatal(err)
	}
	got := files(t, desired(t, set, parse(t, "")), "s")
	if got["/etc/kubernetes/proxy"] != "KUBE_PROXY_ARGS=0\n" {
		t.Errorf("got %q", got["/etc/kubernetes/proxy"])
	}
	if got["/etc/kubernetes/kubelet"] != files(t, desired(t, modern(t), parse(t, "")), "s")["/etc/kubernetes/kubelet"] {
		t.Error("another file changed")
	}
}

func TestOverlay_ListsEachNameOnce(t *testing.T) {
	over := Overlay{
		Over: fstest.MapFS{"a/1": {}, "a/2": {}, "b/1": {}},
		Base: fstest.MapFS{"a/2": {}, "a/3": {}, "c/1": {}},
	}
	for folder, want := range map[string]string{".": "a b c", "a": "1 2 3", "b": "1", "c": "1"} {
		entries, err := over.ReadDir(folder)
		var names []string
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%s has %q, %v", folder, got, err)
		}
	}
	if _, err := over.ReadDir("d"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that nobody has: %v", err)
	}
	if _, err := over.Open("d"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that nobody has: %v", err)
	}
}

// denied is a folder that can't be read.
type denied struct{}

func (denied) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

func TestOverlay_ThatCannotBeReadIsNotLeftOut(t *testing.T) {
	shut := Overlay{Over: denied{}, Base: templates.Sets}
	if _, err := shut.ReadDir("."); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("listing it: %v", err)
	}
	if _, err := shut.Open("v1.34/blueprint.yaml"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("opening a file: %v", err)
	}
}

func TestBlueprintD_AddsToStagesAndAddsStages(t *testing.T) {
	set, err := Select(overlaid(fstest.MapFS{
		"v1.34/limits.conf.tmpl": {Data: []byte("[Service]\nLimitNOFILE=1\n")},
		"v1.34/blueprint.d/10-limits.yaml": {Data: []byte(`stages:
  - name: node
    resources:
      - file: {path: /etc/systemd/system/kube-proxy.service.d/limits.conf, template: limits.conf.tmpl}
  - name: monitoring
    roles: [slave]
    after: [control-plane]
    resources:
      - package: {name: prometheus-node-exporter}
      - service: {unit: prometheus-node-exporter.service}
`)},
	}), version(t, "1.36"))
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for _, host := range desired(t, set, parse(t, "")) {
		if host.Name == "s" {
			describeHost(&list, host)
		}
	}
	node := list.String()[strings.Index(list.String(), "\n  node,"):]
	added := strings.Index(node, "    file /etc/systemd/system/kube-proxy.service.d/limits.conf\n")
	if started := strings.Index(node, "    service "); added < 0 || added > started {
		t.Errorf("the addition does not stand before the services:\n%s", node)
	}
	if service := node[strings.Index(node, "    service kube-proxy.service"):]; !strings.Contains(service, "        uses file /etc/systemd/system/kube-proxy.service.d/limits.conf\n") {
		t.Errorf("the service is not restarted for its drop-in:\n%s", service)
	}
	if want := "  monitoring, after control-plane\n    package prometheus-node-exporter\n    service prometheus-node-exporter.service\n"; !strings.HasSuffix(node, want) {
		t.Errorf("the new stage is not the last:\n%s", node)
	}
}

func TestBlueprintD_Mistakes(t *testing.T) {
	for text, want := range map[string]string{
		"stages: [{name: node, roles: [slave]}]":                    "read manifest v1.34/blueprint.d/a.yaml: stage node: it has its roles and its after in blueprint.yaml",
		"stages: [{name: node, after: [etcd]}]":                     "stage node: it has its roles",
		"stages: [{name: other, resources: []}]":                    `stage "other": want a name and roles`,
		"stages: [{name: node, resources: [{}]}]":                   "want exactly one kind of resource",
		`versions: {from: "1.34", to: "1.40"}`:                      "field versions not found",
		"# nothing yet":                                             "read manifest v1.34/blueprint.d/a.yaml: it is empty",
		"stages: [{name: n, roles: [slave], resources: [{file: 1}]": "read manifest v1.34/blueprint.d/a.yaml: ",
	} {
		_, err := Select(overlaid(fstest.MapFS{"v1.34/blueprint.d/a.yaml": {Data: []byte(text)}}), version(t, "1.36"))
		checkError(t, err, want)
	}
}
