package recipe

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var target = Target{GoVersion: "go1.26.8", OS: "linux", Arch: "amd64"}

// The two programs come from components of their own.
var two = []Program{
	{Name: "one", Component: "one", Package: "example.com/one/cmd", Module: "example.com/one"},
	{Name: "two", Component: "two", Package: "example.com/two", Module: "example.com/two"},
}

func TestJobs_NewVersionChangesOnlyItsOwnKey(t *testing.T) {
	root := components(t)
	before := keys(t, root, target, two)
	write(t, root, "one/go.mod", "module x\ngo 1.26.0\nrequire example.com/one v1.2.4\n")
	after := keys(t, root, target, two)
	if before["one"] == after["one"] {
		t.Error("a new version didn't change the key")
	}
	if before["two"] != after["two"] {
		t.Error("another component's version changed the key")
	}
}

func TestJobs_KeyChangesWithWhatChangesTheBinary(t *testing.T) {
	changes := map[string]func(root string, target *Target, p *Program){
		"go":       func(_ string, target *Target, _ *Program) { target.GoVersion = "go1.26.9" },
		"arch":     func(_ string, target *Target, _ *Program) { target.Arch = "arm64" },
		"cgo":      func(_ string, _ *Target, p *Program) { p.Cgo = true },
		"tags":     func(_ string, _ *Target, p *Program) { p.Tags = []string{"netgo"} },
		"variable": func(_ string, _ *Target, p *Program) { p.Variables = []string{"x.y={version}"} },
		"checksum": func(root string, _ *Target, _ *Program) {
			write(t, root, "one/go.sum", "example.com/one v1.2.3 h1:AQ==\n")
		},
		"stand-in": func(root string, _ *Target, _ *Program) { write(t, root, "one/standin/x.go", "package y\n") },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			root, program, to := components(t), two[0], target
			before := keys(t, root, to, []Program{program})
			change(root, &to, &program)
			if keys(t, root, to, []Program{program})["one"] == before["one"] {
				t.Error("the key is the same")
			}
		})
	}
}

func TestJobs_KeyIgnoresCommentsOrderAndTests(t *testing.T) {
	root := components(t)
	before := keys(t, root, target, two)
	write(t, root, "one/go.mod", "// why\nmodule x\ngo 1.26.0\nreplace example.com/s => ./standin\nrequire example.com/one v1.2.3\n")
	write(t, root, "one/standin/x_test.go", "package x\n")
	if after := keys(t, root, target, two); before["one"] != after["one"] {
		t.Error("the key changed")
	}
}

func TestJobs_SaysWhichVersionIsMissing(t *testing.T) {
	root := components(t)
	_, err := Jobs(root, target, []Program{{Name: "p", Component: "one", Module: "example.com/gone"}})
	if err == nil || !strings.Contains(err.Error(), "example.com/gone") {
		t.Errorf("got %v", err)
	}
}

func TestJobs_FillsInTheVersionStamp(t *testing.T) {
	root := components(t)
	write(t, root, "one/go.sum", "example.com/one v1.2.3 h1:AQI=\n")
	p := two[0]
	p.Variables = []string{"v.a={version}", "v.b={bare}", "v.c={major}/{minor}", "v.d={sum}"}
	jobs, err := Jobs(root, target, []Program{p})
	if err != nil {
		t.Fatal(err)
	}
	if want := "-s -w -X=v.a=v1.2.3 -X=v.b=1.2.3 -X=v.c=1/2 -X=v.d=0102"; jobs[0].LinkerFlags != want {
		t.Errorf("got %q, want %q", jobs[0].LinkerFlags, want)
	}
}

func TestImageJobs_KeyFollowsTheProgramAndTheSpec(t *testing.T) {
	jobs := []Job{{Program: Program{Name: "p", Version: "v1"}, Key: "a"}}
	key := func(image Image, jobs []Job) string {
		out, err := ImageJobs([]Image{image}, jobs)
		if err != nil {
			t.Fatal(err)
		}
		return out[0].Key
	}
	base := key(Image{Program: "p", User: "1:1"}, jobs)
	if base == key(Image{Program: "p", User: "2:2"}, jobs) {
		t.Error("another user, the same key")
	}
	jobs[0].Key = "b"
	if base == key(Image{Program: "p", User: "1:1"}, jobs) {
		t.Error("another program, the same key")
	}
}

func TestImageJobs_UnknownProgramIsAnError(t *testing.T) {
	if _, err := ImageJobs([]Image{{Name: "x.tar", Program: "x"}}, nil); err == nil {
		t.Error("no error")
	}
}

func TestSetKey_DependsOnEveryKeyAndNotOnOrder(t *testing.T) {
	base := SetKey(map[string]string{"a": "1", "b": "2"})
	if base != SetKey(map[string]string{"b": "2", "a": "1"}) {
		t.Error("order counts")
	}
	if base == SetKey(map[string]string{"a": "1", "b": "3"}) || base == SetKey(map[string]string{"a": "1"}) {
		t.Error("a changed key doesn't count")
	}
}

// The repository's own recipes and go.mod files.

func TestPrograms_EachHasAPinnedVersionAndAToolDirective(t *testing.T) {
	root := filepath.Join("..", "..")
	jobs, err := Jobs(root, target, Programs())
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range jobs {
		if job.Component == "." {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, job.Component, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), job.Package+"\n") {
			t.Errorf("%s/go.mod has no tool directive for %s", job.Component, job.Package)
		}
	}
	if _, err := ImageJobs(Images(), jobs); err != nil {
		t.Error(err)
	}
}

func TestPrograms_NamesAreUnique(t *testing.T) {
	var names []string
	for _, p := range Programs() {
		names = append(names, p.Name)
	}
	for _, i := range Images() {
		names = append(names, i.Name)
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("a name twice: %v", names)
	}
}

func TestKubernetes_StagingModulesAreOfOneRelease(t *testing.T) {
	pin, err := ReadPin(filepath.Join("..", "..", "kubernetes"))
	if err != nil {
		t.Fatal(err)
	}
	staging := "v0." + strings.TrimPrefix(pin.Versions["k8s.io/kubernetes"], "v1.")
	for _, module := range []string{"k8s.io/api", "k8s.io/apiserver", "k8s.io/client-go", "k8s.io/component-base", "k8s.io/kubelet"} {
		if pin.Versions[module] != staging {
			t.Errorf("%s is %s, want %s", module, pin.Versions[module], staging)
		}
	}
}

func components(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, root, "one/go.mod", "module x\ngo 1.26.0\nrequire example.com/one v1.2.3\nreplace example.com/s => ./standin\n")
	write(t, root, "one/standin/x.go", "package x\n")
	write(t, root, "two/go.mod", "module x\ngo 1.26.0\nrequire example.com/two v1.0.0\n")
	return root
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func keys(t *testing.T, root string, target Target, programs []Program) map[string]string {
	t.Helper()
	jobs, err := Jobs(root, target, programs)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for _, j := range jobs {
		keys[j.Name] = j.Key
	}
	return keys
}
