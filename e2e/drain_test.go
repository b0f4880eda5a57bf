//go:build lab

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kubectl runs kubectl on the master, as the cluster's administrator.
func (s *site) kubectl(t *testing.T, args string) string {
	t.Helper()
	return strings.TrimSpace(s.sh(t, "master", "kubectl --kubeconfig /etc/kubernetes/admin.kubeconfig "+args))
}

// pause is an image that the cluster's registry has.
func (s *site) pause(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(s.sh(t, "slave1", `sed -n "s/.*['\"]\([^'\"]*\/pause:[^'\"]*\)['\"].*/\1/p" /etc/containerd/config.toml | head -n 1`))
}

const podsOfWeb = "get pods -l app=web --field-selector status.phase=Running -o jsonpath='{.items[*].metadata.uid}'"

// runWeb has two pods run, of which a disruption budget lets one go at a time.
func (s *site) runWeb(t *testing.T) []string {
	t.Helper()
	t.Cleanup(func() { s.kubectl(t, "delete --ignore-not-found deployment/web pdb/web pod/lonely --wait=false") })
	s.kubectl(t, "create deployment web --replicas 2 --image "+s.pause(t))
	s.kubectl(t, "create pdb web --selector app=web --min-available 1")
	s.kubectl(t, "rollout status deployment/web --timeout 60s")
	return strings.Fields(s.kubectl(t, podsOfWeb))
}

// cordoned lists the nodes that take no pods.
func (s *site) cordoned(t *testing.T) string {
	t.Helper()
	return s.kubectl(t, "get nodes --field-selector spec.unschedulable=true -o name")
}

func TestDrain_PodsMoveAwayBeforeAndNodesAreOpenAfter(t *testing.T) {
	s := cluster(t)
	before := s.runWeb(t)
	if len(before) != 2 {
		t.Fatalf("pods %q", before)
	}
	s.changeProxies(t)
	starts := s.started(t, allHosts...)
	s.must(t, 0, "apply", "--drain", "--skip-verify")
	if diff := cmp.Diff([]string{"slave1/kube-proxy", "slave2/kube-proxy"}, sorted(restarted(starts, s.started(t, allHosts...)))); diff != "" {
		t.Error(diff)
	}
	s.kubectl(t, "rollout status deployment/web --timeout 60s")
	for _, uid := range strings.Fields(s.kubectl(t, podsOfWeb)) {
		if slices.Contains(before, uid) {
			t.Errorf("pod %s was on a slave that was disturbed, and has not moved", uid)
		}
	}
	if got := s.cordoned(t); got != "" {
		t.Errorf("still cordoned: %s", got)
	}
}

func TestDrain_PodThatNothingMakesAgainKeepsItsSlaveAsItIs(t *testing.T) {
	s := cluster(t)
	s.runWeb(t)
	s.kubectl(t, "run lonely --image "+s.pause(t)+` --overrides '{"spec": {"nodeName": "slave1"}}'`)
	eventually(t, time.Minute, "lonely runs", func() bool {
		return s.kubectl(t, "get pod lonely -o jsonpath='{.status.phase}'") == "Running"
	})
	s.changeProxies(t)
	starts := s.started(t, "slave1")
	r := s.must(t, 3, "apply", "--drain", "--skip-verify", "--limit", "slave1")
	if !strings.Contains(r.stdout+r.stderr, "nothing would start default/lonely again elsewhere") {
		t.Errorf("apply says\n%s%s", r.stdout, r.stderr)
	}
	if diff := cmp.Diff([]string{}, restarted(starts, s.started(t, "slave1"))); diff != "" {
		t.Error(diff)
	}
	if got := s.cordoned(t); got != "" {
		t.Errorf("cordoned: %s", got)
	}
}
