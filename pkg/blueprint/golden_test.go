package blueprint

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"

	"provision/pkg/resource"
)

var update = flag.Bool("update", false, "write the golden files")

// The golden files are every file of every host, and the list of everything
// else that a host is to have, for each fixture.
func TestDesired_RendersTheGoldenFiles(t *testing.T) {
	for fixture, path := range fixtures() {
		t.Run(fixture, func(t *testing.T) {
			rendered := tree(desired(t, modern(t), load(t, path)))
			root := filepath.Join("testdata", "golden", fixture)
			if *update {
				write(t, root, rendered)
			}
			compare(t, root, rendered)
		})
	}
}

func TestDesired_IsTheSameEveryTime(t *testing.T) {
	inv := load(t, fixtures()["full"])
	first := tree(desired(t, modern(t), inv))
	for range 5 {
		for name, text := range tree(desired(t, modern(t), inv)) {
			if first[name] != text {
				t.Fatalf("%s is different now:\n%s", name, udiff.Unified("first", "again", first[name], text))
			}
		}
	}
}

// tree is every rendered file by HOST/path, and the list of resources.
func tree(hosts []resource.Host) map[string]string {
	rendered := map[string]string{}
	var list strings.Builder
	for _, host := range hosts {
		describeHost(&list, host)
		for _, r := range host.Resources() {
			if file, ok := r.(resource.File); ok {
				rendered[host.Name+file.Path] = string(file.Content)
			}
		}
	}
	rendered["resources.txt"] = list.String()
	return rendered
}

func write(t *testing.T, root string, rendered map[string]string) {
	t.Helper()
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	for name, text := range rendered {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t *testing.T, root string, rendered map[string]string) {
	t.Helper()
	golden := os.DirFS(root)
	err := fs.WalkDir(golden, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if _, ok := rendered[name]; !ok {
			t.Errorf("%s is no longer rendered", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range rendered {
		want, err := fs.ReadFile(golden, name)
		if err != nil {
			t.Errorf("%v; run go test -update and read the difference", err)
		} else if string(want) != text {
			t.Error(udiff.Unified("golden/"+name, "rendered/"+name, string(want), text))
		}
	}
}

func describeHost(out *strings.Builder, host resource.Host) {
	fmt.Fprintf(out, "%s\n", host.Name)
	for _, stage := range host.Stages {
		fmt.Fprintf(out, "  %s", stage.Name)
		if len(stage.After) > 0 {
			fmt.Fprintf(out, ", after %s", strings.Join(stage.After, ", "))
		}
		out.WriteString("\n")
		for _, r := range stage.Resources {
			fmt.Fprintf(out, "    %s", r.ID())
			for _, property := range describe(r) {
				fmt.Fprintf(out, "\n        %s", property)
			}
			out.WriteString("\n")
		}
	}
}

// describe lists what is declared of a resource, contents and sums left out.
func describe(r resource.Resource) []string {
	switch r := r.(type) {
	case resource.File:
		return append(ownership(r.Attributes), properties("secret", r.Secret, "once", r.Once)...)
	case resource.Directory:
		return ownership(r.Attributes)
	case resource.Artifact:
		return append(properties("source", r.Source), ownership(r.Attributes)...)
	case resource.Image:
		return properties("source", r.Source, "storage", r.Storage, "endpoint", r.Endpoint, "authority", r.Authority)
	case resource.Authority:
		return properties("common name", r.CommonName, "certificate", r.CertPath, "key", r.KeyPath)
	case resource.Trust:
		return append(properties("authority", r.Authority), ownership(r.Attributes)...)
	case resource.Certificate:
		q := r.Request
		return properties("key", r.KeyPath, "owner", r.Owner, "group", r.Group, "authority", r.Authority, "common name", q.CommonName,
			"organizations", q.Organizations, "names", q.DNSNames, "addresses", q.IPAddresses, "usages", q.Usages)
	case resource.Command:
		return properties("check", quoted(r.Check), "expect", r.Expect, "do", quoted(r.Do), "input", r.Input, "within", r.Within)
	case resource.Service:
		list := properties("stopped", r.Stopped, "ready", quoted(r.Ready), "answers", r.Answers, "authority", r.Authority, "within", r.Within)
		for _, id := range r.Uses {
			list = append(list, "uses "+id.String())
		}
		return list
	case resource.Sysctl:
		return properties("value", r.Value)
	case resource.Module:
		return properties("evidence", r.Evidence)
	case resource.Package:
		return nil
	}
	return []string{fmt.Sprintf("a kind that describe does not know: %T", r)}
}

// ownership leaves out what is as everywhere.
func ownership(a resource.Attributes) []string {
	return properties("mode", a.Mode, "owner", a.Owner, "group", a.Group)
}

// properties are pairs of name and value, those without a value left out.
func properties(pairs ...any) []string {
	var list []string
	for i := 0; i < len(pairs); i += 2 {
		switch value := fmt.Sprint(pairs[i+1]); value {
		case "", "false", "[]", "0s":
		default:
			list = append(list, fmt.Sprintf("%s: %s", pairs[i], value))
		}
	}
	return list
}

func quoted(args []string) string {
	var list []string
	for _, arg := range args {
		list = append(list, fmt.Sprintf("%q", arg))
	}
	return strings.Join(list, " ")
}
