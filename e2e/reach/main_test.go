//go:build lab

// Package reach tests how provision reaches hosts, with real OpenSSH, sudo and
// doas on lab hosts, and every way that this breaks.
package reach

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"provision/e2e/lab/nspawn"
)

// The hosts: node is what is provisioned, the gates are lean hosts on the way.
var (
	lab    *nspawn.Lab
	binary string
	files  string
)

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "provision-reach-")
	if err != nil {
		return fatal(err)
	}
	defer os.RemoveAll(dir)
	binary, files = filepath.Join(dir, "provision"), filepath.Join(dir, "artifacts")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/provision").CombinedOutput(); err != nil {
		return fatal(fmt.Errorf("build provision: %w\n%s", err, out))
	}
	if err := writeArtifacts(files, 20<<20); err != nil {
		return fatal(err)
	}
	lab, err = nspawn.Up(ctx, nspawn.Options{
		Name:  fmt.Sprintf("reach-%d", os.Getpid()),
		Hosts: []nspawn.HostSpec{{Name: "node"}, {Name: "gate1", Flavour: nspawn.Lean}, {Name: "gate2", Flavour: nspawn.Lean}},
		Log:   os.Stderr,
	})
	if err != nil {
		return fatal(err)
	}
	defer func() {
		if err := lab.Down(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return m.Run()
}

func fatal(err error) int {
	fmt.Fprintln(os.Stderr, "reach:", err)
	return 1
}

// writeArtifacts makes a folder of artifacts with one file, of about this size.
func writeArtifacts(dir string, size int) error {
	content := bytes.Repeat([]byte("large"), size/5)
	sums := fmt.Sprintf("%x  large\n", sha256.Sum256(content))
	return errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "large"), content, 0o600),
		os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(sums), 0o600))
}

// operator is someone who runs provision, with a home of their own.
type operator struct {
	t         *testing.T
	home      string
	inventory string
	artifacts string
	env       []string
}

// newOperator has an inventory of the node alone, with these settings of ssh
// over those that work.
func newOperator(t *testing.T, ssh string) *operator {
	t.Helper()
	pristine(t)
	o := &operator{t: t, home: t.TempDir(), artifacts: files}
	o.inventory = filepath.Join(o.home, "inventory.yaml")
	o.write("node", ssh, "")
	return o
}

// write writes the inventory for a host of the lab.
func (o *operator) write(name, ssh, more string) {
	o.t.Helper()
	host := host(o.t, name)
	if !strings.Contains(ssh, "identityFile") {
		ssh += ", identityFile: " + lab.KeyFile
	}
	if !strings.Contains(ssh, "knownHosts") {
		ssh += ", knownHosts: " + lab.KnownHostsFile
	}
	if !strings.Contains(ssh, "connectTimeout") {
		ssh += ", connectTimeout: 5s"
	}
	at := fmt.Sprintf("{name: %s, address: %s}", name, host.Addr)
	text := fmt.Sprintf("master: %s\nslaves: [%s]\nregistry: %s\nssh: {%s}\nartifacts: {dir: %s}\n%s", at, at, at, strings.TrimPrefix(ssh, ", "), o.artifacts, more)
	o.file("inventory.yaml", text)
}

// file writes a file below the operator's home.
func (o *operator) file(name, content string) {
	o.t.Helper()
	path := filepath.Join(o.home, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		o.t.Fatal(err)
	}
}

// result is how a command ended.
type result struct {
	output string
	code   int
}

// command is provision as the operator calls it, without a terminal.
func (o *operator) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, binary, append(args, "-i", o.inventory, "--templates", "testdata/sets")...)
	command.Env = append([]string{"HOME=" + o.home, "PATH=" + os.Getenv("PATH")}, o.env...)
	return command
}

// run runs a command to its end.
func (o *operator) run(args ...string) result {
	o.t.Helper()
	out, err := o.command(o.t.Context(), args...).CombinedOutput()
	r := result{output: string(out)}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		r.code = exit.ExitCode()
	case err != nil:
		o.t.Fatal(err)
	}
	return r
}

// must runs a command that ends with the code and says all of the texts.
func (o *operator) must(code int, args []string, says ...string) result {
	o.t.Helper()
	r := o.run(args...)
	if r.code != code {
		o.t.Errorf("provision %s ended with %d, want %d:\n%s", strings.Join(args, " "), r.code, code, r.output)
	}
	for _, text := range says {
		if !strings.Contains(r.output, text) {
			o.t.Errorf("provision %s does not say %q:\n%s", strings.Join(args, " "), text, r.output)
		}
	}
	return r
}

// converges applies, and then finds nothing to do.
func (o *operator) converges() {
	o.t.Helper()
	o.must(0, apply())
	o.must(0, []string{"plan"})
}

func apply() []string { return []string{"apply", "--yes", "--skip-verify"} }

func host(t *testing.T, name string) *nspawn.Host {
	t.Helper()
	h, err := lab.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// on runs a line of shell on a host, past SSH.
func on(t *testing.T, name, line string) string {
	t.Helper()
	out, err := host(t, name).Exec(context.WithoutCancel(t.Context()), "sh", "-c", line) // also in cleanups
	if err != nil {
		t.Fatalf("on %s: %s: %v\n%s", name, line, err, out)
	}
	return string(out)
}

// restored runs a line of shell on a host now and another one when the test has
// ended.
func restored(t *testing.T, name, now, then string) {
	t.Helper()
	t.Cleanup(func() { on(t, name, then) })
	on(t, name, now)
}

// until waits for a line of shell to succeed on the node.
func until(t *testing.T, line string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		if _, err := host(t, "node").Exec(t.Context(), "sh", "-c", line); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", line)
		}
	}
}

// pristine takes away what the tests' set brings about.
func pristine(t *testing.T) {
	t.Helper()
	on(t, "node", "rm -rf /etc/reach /opt/reach /run/reach /var/lib/provision /var/tmp/provision-*")
}
