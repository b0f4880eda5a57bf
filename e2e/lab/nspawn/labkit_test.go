//go:build lab

package nspawn

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/e2e/lab/internal/command"
)

// These tests boot hosts, which takes root, two seconds a lab and, the first time, a minute for the images:
//
//	go test -tags lab ./e2e/lab/nspawn

// labName names a lab for a test, another in each test process.
func labName(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("%s%x", labPrefix(), time.Now().UnixNano()&0xffffff)
}

func labPrefix() string { return fmt.Sprintf("t%d-", os.Getpid()) }

// up brings up a lab that ends with the test.
func up(t *testing.T, hosts ...HostSpec) *Lab {
	t.Helper()
	lab, err := Up(t.Context(), Options{Name: labName(t), Hosts: hosts, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return lab
}

func host(t *testing.T, lab *Lab, name string) *Host {
	t.Helper()
	host, err := lab.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// execute runs a shell command on a host and returns what it printed.
func execute(t *testing.T, host *Host, script string) string {
	t.Helper()
	out, err := host.Exec(t.Context(), "sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// trySSH runs a shell command on a host as a client of the lab would.
func trySSH(t *testing.T, lab *Lab, destination, script string) (string, error) {
	t.Helper()
	out, err := command.Output(t.Context(), "ssh", "-F", lab.SSHConfigFile, destination, script)
	return strings.TrimSpace(string(out)), err
}

func runSSH(t *testing.T, lab *Lab, destination, script string) string {
	t.Helper()
	out, err := trySSH(t, lab, destination, script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func succeed(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// silent fails the test if the host answers within a second.
func silent(t *testing.T, host *Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := host.WaitSSH(ctx); err == nil {
		t.Fatalf("%s answers, but should not", host.Name)
	}
}

func wantStatus(t *testing.T, host *Host, want Status) {
	t.Helper()
	got, err := host.Status()
	if err != nil || got != want {
		t.Fatalf("%s is %s (%v), want %s", host.Name, got, err, want)
	}
}

// traces lists, one a line, everything of the machine that a lab could leave something in.
func traces(t *testing.T) []string {
	t.Helper()
	lines := slices.Concat(fileLines(t, "/proc/self/mounts"), outputLines(t, "ip", "-o", "-brief", "link"),
		outputLines(t, "ip", "route"), outputLines(t, "nft", "list", "ruleset"), outputLines(t, "iptables", "-S"),
		settings(t), containedProcesses(t))
	for _, dir := range []string{"/run", "/var/lib", "/run/systemd/nspawn/propagate"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, entry := range entries {
			lines = append(lines, filepath.Join(dir, entry.Name()))
		}
	}
	walkError := filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			lines = append(lines, path)
		}
		return nil
	})
	succeed(t, walkError)
	return lines
}

func fileLines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	succeed(t, err)
	return strings.Split(string(text), "\n")
}

func outputLines(t *testing.T, name string, args ...string) []string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		return nil
	}
	out, err := command.Output(t.Context(), name, args...)
	succeed(t, err)
	return strings.Split(string(out), "\n")
}

func settings(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, key := range borrowed() {
		lines = append(lines, key+" = "+fileLines(t, filepath.Join("/proc/sys", key))[0])
	}
	return lines
}

// containedProcesses lists the processes that are part of some lab's host, other than those that have ended and only wait
// for the machine's first process to take note.
func containedProcesses(t *testing.T) []string {
	t.Helper()
	own, err := os.Readlink("/proc/self/ns/pid")
	succeed(t, err)
	dirs, err := filepath.Glob("/proc/[0-9]*")
	succeed(t, err)
	var lines []string
	for _, dir := range dirs {
		groups, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		namespace, err := os.Readlink(filepath.Join(dir, "ns/pid"))
		if !strings.Contains(string(groups), "/"+cgroupRoot) && (err != nil || namespace == own) {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join(dir, "stat"))
		if _, state, _ := strings.Cut(string(stat), ") "); state != "" && !strings.ContainsAny(state[:1], "ZX") {
			lines = append(lines, fmt.Sprintf("process %s in %s", stat, strings.ReplaceAll(string(groups), "\n", " ")))
		}
	}
	return lines
}

// wantNoTraces fails the test if the machine is not as it was before. Labs of others may come and go meanwhile.
func wantNoTraces(t *testing.T, before []string) {
	t.Helper()
	names, err := labNames()
	succeed(t, err)
	var others []string
	for _, name := range names {
		if s, err := loadState(name); err == nil && !strings.HasPrefix(name, labPrefix()) {
			others = append(others, name, s.tag())
		}
	}
	foreign := regexp.MustCompile(`\b(` + strings.Join(others, "|") + `)\b`)
	for _, line := range traces(t) {
		if slices.Contains(before, line) || len(others) > 0 && (foreign.MatchString(line) || strings.Contains(line, " = ")) {
			continue
		}
		t.Errorf("left behind: %s", line)
	}
}
