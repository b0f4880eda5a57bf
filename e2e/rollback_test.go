//go:build lab

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kubeletFlag writes an inventory with one more flag of the kubelet.
func (s *site) kubeletFlag(t *testing.T, flag string) {
	t.Helper()
	s.rewrite(t, []string{"slave1", "slave2"}, "")
	text, err := os.ReadFile(s.inventory)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("  kubelet:\n"), []byte("  kubelet:\n    extraArgs: {"+flag+"}\n"), 1)
	if err := os.WriteFile(s.inventory, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A bad flag of the kubelet takes down at most one slave, which comes back with
// the old flag; the other one is not touched. The plan shows the change again,
// and a good flag converges.
func TestRollback_BadKubeletFlagTakesDownAtMostOneSlave(t *testing.T) {
	s := cluster(t)
	before := s.started(t, "slave1", "slave2")
	files := func() string {
		return s.sh(t, "slave1", "sha256sum /etc/kubernetes/kubelet") + s.sh(t, "slave2", "sha256sum /etc/kubernetes/kubelet")
	}
	old := files()
	s.kubeletFlag(t, "no-such-flag: x")
	plan := s.planned(t)
	r := s.must(t, 3, "apply", "--skip-verify")
	for _, want := range []string{
		"rolled back: the old files are back, and kubelet.service runs with them", "no-such-flag",
		"stage node restarts what runs, and failed on slave1",
	} {
		if text := strings.Join(strings.Fields(r.stdout+r.stderr), " "); !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s%s", want, r.stdout, r.stderr)
		}
	}
	if files() != old {
		t.Error("a new file was left")
	}
	if diff := cmp.Diff([]string{"slave1/kubelet"}, restarted(before, s.started(t, "slave1", "slave2"))); diff != "" {
		t.Error("restarted:", diff)
	}
	for _, host := range []string{"slave1", "slave2"} {
		if state := s.sh(t, host, "systemctl is-active kubelet"); state != "active\n" {
			t.Errorf("the kubelet of %s is %s", host, state)
		}
	}
	if diff := cmp.Diff(plan, s.planned(t)); diff != "" {
		t.Error("the plan after the rollback is another one:", diff)
	}
	if !strings.Contains(strings.Join(plan, "\n"), "slave1: update file /etc/kubernetes/kubelet (change)") {
		t.Errorf("plan: %q", plan)
	}
	s.kubeletFlag(t, "v: 1")
	s.must(t, 0, "apply", "--skip-verify")
	if diff := cmp.Diff([]string{}, s.planned(t)); diff != "" {
		t.Error(diff)
	}
}

func TestRollback_APIAnswersAgainAfterABadFlag(t *testing.T) {
	s := cluster(t)
	s.rewrite(t, []string{"slave1", "slave2"}, "  apiserver: {extraArgs: {no-such-flag: x}}\n")
	r := s.must(t, 3, "apply", "--skip-verify")
	for _, want := range []string{"rolled back: the old files are back, and kube-apiserver.service runs with them", "no-such-flag"} {
		if text := strings.Join(strings.Fields(r.stdout+r.stderr), " "); !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s%s", want, r.stdout, r.stderr)
		}
	}
	if got := s.sh(t, "master", "curl -s --cacert /etc/kubernetes/pki/ca.crt https://127.0.0.1:6443/readyz"); got != "ok" {
		t.Errorf("the API says %q", got)
	}
	if text := s.sh(t, "master", "cat /etc/kubernetes/apiserver"); strings.Contains(text, "no-such-flag") {
		t.Error("the bad flag is still there")
	}
}

// A host that no longer has a role loses what the role brought, and keeps what it
// needs for the others.
func TestOrphan_HostThatDropsARoleLosesWhatItBrought(t *testing.T) {
	s := cluster(t)
	s.rewrite(t, []string{"slave1", "slave2", "registry"}, "")
	s.must(t, 0, "apply", "--skip-verify")
	s.sh(t, "registry", "systemctl is-active kubelet && touch /etc/kubernetes/mine")
	before := s.started(t, allHosts...)
	s.rewrite(t, []string{"slave1", "slave2"}, "")
	plan := strings.Join(s.planned(t), "\n")
	for _, want := range []string{
		"registry: remove service kubelet.service (orphan)", "registry: remove file /etc/kubernetes/kubelet (orphan)",
		"registry: remove artifact /usr/local/bin/kubelet (orphan)", "registry: remove certificate /etc/kubernetes/pki/kubelet.crt (orphan)",
	} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan lacks %q:\n%s", want, plan)
		}
	}
	for _, never := range []string{"remove package", "remove sysctl", "remove module", "remove command", "registry.service", "slave1", "master"} {
		if strings.Contains(plan, never) {
			t.Errorf("the plan names %s:\n%s", never, plan)
		}
	}
	s.must(t, 0, "apply", "--skip-verify")
	left := s.sh(t, "registry", `
		for unit in kubelet kube-proxy containerd flanneld; do systemctl is-active $unit; systemctl cat $unit 2>/dev/null; done
		ls /usr/local/bin/kubelet /etc/kubernetes/kubelet /etc/kubernetes/pki 2>/dev/null
		find /etc/kubernetes`)
	if want := strings.Repeat("inactive\n", 4) + "/etc/kubernetes\n/etc/kubernetes/mine\n"; left != want {
		t.Errorf("left:\n%swant:\n%s", left, want)
	}
	if units := restarted(before, s.started(t, allHosts...)); len(units) > 0 {
		t.Errorf("the run started %v", units)
	}
	if diff := cmp.Diff([]string{}, s.planned(t)); diff != "" {
		t.Error(diff)
	}
	s.sh(t, "registry", "rm -r /etc/kubernetes")
	s.sh(t, "master", "kubectl --kubeconfig=/etc/kubernetes/admin.kubeconfig delete node registry")
}

// What a run changed is told by history, and brought back by rollback, which the
// next plan sees.
func TestHistory_RunIsToldAndRolledBack(t *testing.T) {
	s := cluster(t)
	s.rewrite(t, []string{"slave1", "slave2"}, "  scheduler: {extraArgs: {v: 1}}\n")
	s.must(t, 0, "apply", "--skip-verify")
	var history struct {
		Format string
		Hosts  []struct {
			Host string
			Runs []struct {
				ID, By  string
				Changes []struct{ Resource, Action, Cause string }
			}
		}
	}
	if err := json.Unmarshal([]byte(s.must(t, 0, "history", "-o", "json").stdout), &history); err != nil {
		t.Fatal(err)
	}
	runs := history.Hosts[0].Runs
	last := runs[len(runs)-1]
	if len(last.Changes) != 2 || last.Changes[0].Resource != "file /etc/kubernetes/scheduler" || history.Format != "provision.history/1" {
		t.Fatalf("history: %+v", last)
	}
	if text := s.must(t, 0, "history").stdout; !strings.Contains(text, last.ID) || !strings.Contains(text, last.By) {
		t.Errorf("history:\n%s", text)
	}
	s.must(t, 0, "rollback", "--run", last.ID)
	if args := s.sh(t, "master", `tr '\0' ' ' </proc/$(pidof kube-scheduler)/cmdline`); strings.Contains(args, "--v=1") {
		t.Errorf("kube-scheduler runs as %s", args)
	}
	want := []string{"master: update file /etc/kubernetes/scheduler (change)", "master: restart service kube-scheduler.service (follows)"}
	if diff := cmp.Diff(want, s.planned(t)); diff != "" {
		t.Error(diff)
	}
	if r := s.must(t, 1, "rollback", "--run", last.ID); !strings.Contains(r.stderr, "roll that one back first") {
		t.Errorf("a second time:\n%s", r.stderr)
	}
}
