//go:build lab

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"provision/e2e/lab/nspawn"
)

// rewrite changes the inventory for a test, and puts it and the hosts back after
// it.
func (s *site) rewrite(t *testing.T, slaves []string, more string) {
	t.Helper()
	if err := s.write(s.lab, slaves, more); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.write(s.lab, []string{"slave1", "slave2"}, ""); err != nil {
			t.Error(err)
		}
		s.must(t, 0, "apply", "--skip-verify")
	})
}

func TestChange_FlagRestartsItsServiceAlone(t *testing.T) {
	s := cluster(t)
	before := s.started(t, allHosts...)
	s.rewrite(t, []string{"slave1", "slave2"}, "  scheduler: {extraArgs: {v: 1}}\n")
	want := []string{"master: update file /etc/kubernetes/scheduler (change)", "master: restart service kube-scheduler.service (follows)"}
	if diff := cmp.Diff(want, s.planned(t)); diff != "" {
		t.Error(diff)
	}
	s.must(t, 0, "apply", "--skip-verify")
	if diff := cmp.Diff([]string{"master/kube-scheduler"}, restarted(before, s.started(t, allHosts...))); diff != "" {
		t.Error(diff)
	}
	if args := s.sh(t, "master", `tr '\0' ' ' </proc/$(pidof kube-scheduler)/cmdline`); !strings.Contains(args, "--v=1") {
		t.Errorf("kube-scheduler runs as %s", args)
	}
}

func TestUnreachableSlave_OthersFinish(t *testing.T) {
	s := cluster(t)
	slave2, err := s.lab.Host("slave2")
	if err != nil {
		t.Fatal(err)
	}
	s.rewrite(t, []string{"slave1", "slave2"}, "  coredns: {}\n")
	s.sh(t, "slave1", "systemctl stop kube-proxy")
	if err := slave2.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := slave2.Heal(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	start := time.Now()
	r := s.must(t, 3, "apply")
	if !strings.Contains(r.stdout+r.stderr, slave2.Addr.String()) {
		t.Errorf("the host that could not be reached is not named:\n%s%s", r.stdout, r.stderr)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	if state := s.sh(t, "slave1", "systemctl is-active kube-proxy"); state != "active\n" {
		t.Errorf("kube-proxy on slave1 is %s", state)
	}
}

// The new slave's image has no sudo, no curl and no python: what provision
// needs on a host is a shell, coreutils and systemd.
func TestNewSlave_JoinsAndOnlyItIsTouched(t *testing.T) {
	s := cluster(t)
	before := s.started(t, allHosts...)
	host, err := s.lab.Add(t.Context(), nspawn.HostSpec{Name: "slave3", Flavour: "lean"})
	if err != nil {
		t.Fatal(err)
	}
	s.rewrite(t, []string{"slave1", "slave2", "slave3"}, "")
	for _, line := range s.planned(t) {
		if !strings.HasPrefix(line, "slave3: ") {
			t.Errorf("plan touches another host: %s", line)
		}
	}
	s.must(t, 0, "apply")
	if units := restarted(before, s.started(t, allHosts...)); len(units) > 0 {
		t.Errorf("the run started %v", units)
	}
	nodes := s.sh(t, "master", "kubectl --kubeconfig=/etc/kubernetes/admin.kubeconfig get nodes --no-headers -o wide")
	if !strings.Contains(nodes, host.Addr.String()) {
		t.Errorf("nodes:\n%s", nodes)
	}
	for _, tool := range []string{"sudo", "curl", "python3"} {
		if path := s.sh(t, "slave3", "command -v "+tool+" || true"); path != "" {
			t.Errorf("the lean host has %s: this test proves nothing", path)
		}
	}
	s.sh(t, "master", "kubectl --kubeconfig=/etc/kubernetes/admin.kubeconfig delete node slave3")
	if err := host.Destroy(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBadFlag_IsShownInTheServicesOwnWordsAndHeals(t *testing.T) {
	s := cluster(t)
	s.rewrite(t, []string{"slave1", "slave2"}, "  scheduler: {extraArgs: {no-such-flag: x}}\n")
	r := s.must(t, 3, "apply")
	for _, want := range []string{"master", "service kube-scheduler.service", "unknown flag: --no-such-flag", "rolled back"} {
		if !strings.Contains(r.stdout+r.stderr, want) {
			t.Errorf("the report lacks %q:\n%s%s", want, r.stdout, r.stderr)
		}
	}
	s.rewrite(t, []string{"slave1", "slave2"}, "")
	s.must(t, 0, "apply")
}
