//go:build lab

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// proxyChanges is what that is on a slave.
func proxyChanges(slave string) []string {
	return []string{slave + ": update file /etc/kubernetes/proxy (change)", slave + ": restart service kube-proxy.service (follows)"}
}

// changeProxies changes a flag of both kube-proxies in the inventory.
func (s *site) changeProxies(t *testing.T) {
	t.Helper()
	s.rewrite(t, []string{"slave1", "slave2"}, "")
	replaceInFile(t, s.inventory, "\n  proxy:\n", "\n  proxy:\n    extraArgs: {v: 1}\n")
	if diff := cmp.Diff(append(proxyChanges("slave1"), proxyChanges("slave2")...), s.planned(t)); diff != "" {
		t.Fatal(diff)
	}
}

func TestLimit_OthersAreNotTouchedAndPlannedAgain(t *testing.T) {
	s := cluster(t)
	s.changeProxies(t)
	slave1, err := s.lab.Host("slave1")
	if err != nil {
		t.Fatal(err)
	}
	if err := slave1.Cut(t.Context()); err != nil { // nobody is to ask it
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := slave1.Heal(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	before := s.started(t, allHosts...)
	s.must(t, 0, "apply", "--limit", "slave2")
	if diff := cmp.Diff([]string{"slave2/kube-proxy"}, restarted(before, s.started(t, allHosts...))); diff != "" {
		t.Error(diff)
	}
	if err := slave1.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(proxyChanges("slave1"), s.planned(t)); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyAndNoRestart_TheRestIsPlannedAgain(t *testing.T) {
	s := cluster(t)
	s.changeProxies(t)
	before := s.started(t, allHosts...)
	s.must(t, 0, "apply", "--only", "file /etc/kubernetes/*", "--limit", "slave1")
	s.must(t, 0, "apply", "--no-restart")
	if diff := cmp.Diff([]string{}, restarted(before, s.started(t, allHosts...))); diff != "" {
		t.Error(diff)
	}
	follows := []string{"slave1: restart service kube-proxy.service (follows)", "slave2: restart service kube-proxy.service (follows)"}
	if diff := cmp.Diff(follows, s.planned(t)); diff != "" {
		t.Error(diff)
	}
}

func TestConfirm_RunningServicesAreNotRestartedUnasked(t *testing.T) {
	s := cluster(t)
	s.changeProxies(t)
	command := exec.Command("setsid", "--wait", s.binary, "apply", "-i", s.inventory) // without a terminal
	out, err := command.CombinedOutput()
	if err == nil || command.ProcessState.ExitCode() != 4 || !strings.Contains(string(out), "2 running services on 2 hosts would be restarted or stopped: say --yes") {
		t.Errorf("%v\n%s", err, out)
	}
	if got := s.planned(t); len(got) != 4 {
		t.Errorf("then planned %q", got)
	}
}

func TestPlanFile_IsDoneExactlyOrRefused(t *testing.T) {
	s := cluster(t)
	s.changeProxies(t)
	file := filepath.Join(t.TempDir(), "proxies.plan")
	if r := s.must(t, 2, "plan", "--limit", "slave*", "-o", file); !strings.Contains(r.stdout, "provision apply "+file) {
		t.Errorf("plan says\n%s", r.stdout)
	}
	s.sh(t, "slave2", "chmod 0640 /etc/kubernetes/proxy.yaml")
	if r := s.must(t, 1, "apply", file); !strings.Contains(r.stderr, "other changes than those of") || !strings.Contains(r.stderr, "slave2") || strings.Contains(r.stderr, "slave1") {
		t.Errorf("apply says\n%s", r.stderr)
	}
	s.sh(t, "slave2", "chmod 0600 /etc/kubernetes/proxy.yaml")
	before := s.started(t, allHosts...)
	s.must(t, 0, "apply", file)
	if diff := cmp.Diff([]string{"slave1/kube-proxy", "slave2/kube-proxy"}, sorted(restarted(before, s.started(t, allHosts...)))); diff != "" {
		t.Error(diff)
	}
	s.must(t, 1, "apply", file) // it is done: nothing of it is due any more
}

// replaceInFile replaces a text that is there once.
func replaceInFile(t *testing.T, file, before, after string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(text, []byte(before)) != 1 {
		t.Fatalf("%s does not hold %q once", file, before)
	}
	if err := os.WriteFile(file, bytes.Replace(text, []byte(before), []byte(after), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

func sorted(texts []string) []string {
	slices.Sort(texts)
	return texts
}
