package blueprint

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"gopkg.in/yaml.v3"

	"provision/templates"
)

func TestSet_EveryTemplateIsUsed(t *testing.T) {
	set := modern(t)
	used := map[string]bool{}
	for _, stage := range set.stages {
		for _, entry := range stage.Resources {
			if entry.File != nil {
				used[entry.File.Template] = true
			}
		}
	}
	names, err := fs.Glob(templates.Sets, set.Name+"/*.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name = filepath.Base(name); !used[name] {
			t.Errorf("no file is made from %s", name)
		}
	}
}

// everyFile yields the rendered files of all fixtures.
func everyFile(t *testing.T, check func(t *testing.T, path, text string)) {
	t.Helper()
	for fixture, path := range fixtures() {
		for name, text := range tree(desired(t, modern(t), load(t, path))) {
			t.Run(fixture+"/"+name, func(t *testing.T) { check(t, name, text) })
		}
	}
}

func TestRendered_EveryYAMLFileIsYAML(t *testing.T) {
	seen := 0
	everyFile(t, func(t *testing.T, path, text string) {
		switch filepath.Ext(path) {
		case ".yaml", ".yml", ".kubeconfig":
			seen++
			for _, document := range documents(t, text) {
				if _, ok := document.(map[string]any); !ok {
					t.Errorf("a document is %T", document)
				}
			}
		}
	})
	if seen < 30 {
		t.Errorf("only %d files were looked at", seen)
	}
}

// documents decodes all documents of a YAML text.
func documents(t *testing.T, text string) []any {
	t.Helper()
	var all []any
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var document any
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, document)
	}
}

func TestRendered_EveryTOMLFileIsTOML(t *testing.T) {
	everyFile(t, func(t *testing.T, path, text string) {
		if filepath.Ext(path) == ".toml" {
			var value map[string]any
			if err := toml.Unmarshal([]byte(text), &value); err != nil || len(value) == 0 {
				t.Error(value, err)
			}
		}
	})
}

func TestRendered_EveryShellScriptIsOne(t *testing.T) {
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Log("shellcheck is not installed: scripts are only parsed")
	}
	checked := map[string]bool{}
	everyFile(t, func(t *testing.T, _, text string) {
		if !strings.HasPrefix(text, "#!/bin/sh\n") || checked[text] {
			return
		}
		checked[text] = true
		pipe(t, text, "/bin/sh", "-n")
		if shellcheck != "" {
			pipe(t, text, shellcheck, "--shell=sh", "-")
		}
	})
	if len(checked) < 3 {
		t.Errorf("only %d scripts were found", len(checked))
	}
}

func pipe(t *testing.T, text, program string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	command.Stdin = strings.NewReader(text)
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", program, err, output)
	}
}

// What runs a script that was put there by a template runs it as what its first
// line says, so it has to have one, and its mode.
func TestRendered_NoFileIsEmptyOrEndsWithinALine(t *testing.T) {
	everyFile(t, func(t *testing.T, path, text string) {
		// A key is made in its place, line end and all.
		if !strings.HasSuffix(text, "\n") && filepath.Ext(path) != ".key" {
			t.Errorf("ends with %q", text[max(0, len(text)-20):])
		}
		if strings.Contains(text, "<no value>") || bytes.ContainsRune([]byte(text), '\r') {
			t.Error("holds a value that is missing")
		}
	})
}

// The script is run on leases as flannel writes them: FLANNEL_SUBNET is the
// bridge's address, of any prefix length.
func TestRendered_CNIConfigurationFollowsTheLease(t *testing.T) {
	rendered := files(t, desired(t, modern(t), parse(t, "")), "s")["/usr/local/libexec/provision/cni-from-flannel"]
	for lease, want := range map[string]string{
		"172.17.59.1/24": "172.17.59.0/24",
		"172.17.0.65/26": "172.17.0.64/26",
		"172.17.44.1/22": "172.17.44.0/22",
		"192.168.9.5/30": "192.168.9.4/30",
	} {
		dir := t.TempDir()
		env := "FLANNEL_NETWORK=172.17.0.0/16\nFLANNEL_SUBNET=" + lease + "\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
		if err := os.WriteFile(filepath.Join(dir, "subnet.env"), []byte(env), 0o644); err != nil {
			t.Fatal(err)
		}
		pipe(t, strings.NewReplacer("/run/flannel", dir, "/etc/cni/net.d", dir).Replace(rendered), "/bin/sh")
		var conflist struct {
			Plugins []struct {
				Type string
				MTU  int
				IPAM struct{ Ranges [][]struct{ Subnet string } }
			}
		}
		// JSON is YAML.
		if err := yaml.Unmarshal([]byte(readText(t, filepath.Join(dir, "10-flannel.conflist"))), &conflist); err != nil {
			t.Fatal(err)
		}
		bridge := conflist.Plugins[0]
		if bridge.MTU != 1450 || bridge.IPAM.Ranges[0][0].Subnet != want {
			t.Errorf("lease %s: configuration is %+v", lease, bridge)
		}
	}
}
