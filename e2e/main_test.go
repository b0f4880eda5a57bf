//go:build lab

// Package e2e tests provision as its users run it, on real hosts: the binary,
// sshd, systemd, etcd, Kubernetes, flannel and a registry.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/e2e/lab/nspawn"
)

// artifacts is where `make artifacts` puts what the hosts get.
const artifacts = "../build/artifacts"

// site is a lab with the inventory for it, and the provision that runs on it.
type site struct {
	lab       *nspawn.Lab
	binary    string
	inventory string
	// bare is how the first run on the bare hosts ended.
	bare func() result
}

// shared is the cluster that most tests look at and disturb; each leaves it
// converged.
var shared *site

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "provision-e2e-")
	if err != nil {
		return fatal(err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "provision")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/provision").CombinedOutput(); err != nil {
		return fatal(fmt.Errorf("build provision: %w\n%s", err, out))
	}
	if _, err := os.Stat(artifacts); err != nil {
		return fatal(fmt.Errorf("%w: run make artifacts first", err))
	}
	lab, err := nspawn.Up(ctx, nspawn.Options{
		Name:  fmt.Sprintf("e2e-%d", os.Getpid()),
		Hosts: []nspawn.HostSpec{{Name: "master"}, {Name: "slave1"}, {Name: "slave2"}, {Name: "registry"}},
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
	shared = &site{lab: lab, binary: binary, inventory: filepath.Join(dir, "inventory.yaml")}
	if err := shared.write(lab, []string{"slave1", "slave2"}, ""); err != nil {
		return fatal(err)
	}
	shared.bare = sync.OnceValue(func() result { return shared.provision("apply", "-o", "json") })
	return m.Run()
}

func fatal(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}

// cluster is the shared site, converged.
func cluster(t *testing.T) *site {
	t.Helper()
	if first := shared.bare(); first.code != 0 {
		t.Fatalf("the first run ended with %d:\n%s%s", first.code, first.stdout, first.stderr)
	}
	return shared
}

// write writes the inventory: the demo's, with the addresses of this lab and
// more text at its end.
func (s *site) write(lab *nspawn.Lab, slaves []string, more string) error {
	demo, err := os.ReadFile("inventory.yaml")
	if err != nil {
		return err
	}
	var head strings.Builder
	for _, name := range []string{"master", "registry"} {
		host, err := lab.Host(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&head, "%s: {name: %s, address: %s}\n", name, name, host.Addr)
	}
	head.WriteString("slaves:\n")
	for _, name := range slaves {
		host, err := lab.Host(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&head, "  - {name: %s, address: %s}\n", name, host.Addr)
	}
	dir, err := filepath.Abs(artifacts)
	if err != nil {
		return err
	}
	fmt.Fprintf(&head, "ssh: {identityFile: %s, knownHosts: %s, connectTimeout: 5s}\n", lab.KeyFile, lab.KnownHostsFile)
	fmt.Fprintf(&head, "artifacts: {dir: %s}\n", dir)
	_, components, found := strings.Cut(string(demo), "\ncomponents:\n")
	if !found {
		return errors.New("e2e/inventory.yaml has no components at its end")
	}
	text := head.String() + "components:\n" + components + more
	return os.WriteFile(s.inventory, []byte(text), 0o600)
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

// provision runs a command with the site's inventory.
func (s *site) provision(args ...string) result {
	if args[0] == "apply" {
		args = append(args, "--yes")
	}
	command := exec.Command(s.binary, append(args, "-i", s.inventory)...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	start := time.Now()
	err := command.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String(), took: time.Since(start)}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		r.code = exit.ExitCode()
	case err != nil:
		r.code, r.stderr = -1, err.Error()
	}
	return r
}

// must fails the test unless the command ends with the code.
func (s *site) must(t *testing.T, code int, args ...string) result {
	t.Helper()
	r := s.provision(args...)
	if r.code != code {
		t.Fatalf("provision %s ended with %d, want %d:\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r
}

// planDocument is the part of plan -o json that the tests look at.
type planDocument struct {
	Hosts []struct {
		Host   string `json:"host"`
		Stages []struct {
			Changes []struct {
				Resource struct{ Kind, Name string } `json:"resource"`
				Action   string                      `json:"action"`
				Cause    string                      `json:"cause"`
			} `json:"changes"`
		} `json:"stages"`
	} `json:"hosts"`
}

// planned is the plan as lines of "host: action kind name (cause)".
func (s *site) planned(t *testing.T) []string {
	t.Helper()
	r := s.provision("plan", "-o", "json")
	if r.code != 0 && r.code != 2 {
		t.Fatalf("plan ended with %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	var document planDocument
	if err := json.Unmarshal([]byte(r.stdout), &document); err != nil {
		t.Fatalf("plan -o json: %v\n%s", err, r.stdout)
	}
	lines := []string{}
	for _, host := range document.Hosts {
		for _, stage := range host.Stages {
			for _, c := range stage.Changes {
				lines = append(lines, fmt.Sprintf("%s: %s %s %s (%s)", host.Host, c.Action, c.Resource.Kind, c.Resource.Name, c.Cause))
			}
		}
	}
	return lines
}

// on runs a command on a host, past SSH.
func (s *site) on(t *testing.T, host string, argv ...string) string {
	t.Helper()
	h, err := s.lab.Host(host)
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.Exec(context.WithoutCancel(t.Context()), argv...) // also in cleanups
	if err != nil {
		t.Fatalf("on %s: %v: %v\n%s", host, argv, err, out)
	}
	return string(out)
}

// sh runs a line of shell on a host, past SSH.
func (s *site) sh(t *testing.T, host, line string) string {
	t.Helper()
	return s.on(t, host, "sh", "-c", line)
}

// services are the units that provision runs on each kind of host.
func services(host string) []string {
	switch host {
	case "master":
		return []string{"chrony", "etcd", "etcd-access", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-addons"}
	case "registry":
		return []string{"chrony", "registry"}
	}
	return []string{"chrony", "containerd", "flanneld", "cni-from-flannel.path", "kubelet", "kube-proxy"}
}

// started tells when each service of each host was started, as "host/unit".
func (s *site) started(t *testing.T, hosts ...string) map[string]string {
	t.Helper()
	times := map[string]string{}
	for _, host := range hosts {
		for _, unit := range services(host) {
			times[host+"/"+unit] = s.on(t, host, "systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", unit)
		}
	}
	return times
}

// restarted lists the services that were started between two looks.
func restarted(before, after map[string]string) []string {
	units := []string{}
	for unit, at := range after {
		if before[unit] != at {
			units = append(units, unit)
		}
	}
	return units
}
