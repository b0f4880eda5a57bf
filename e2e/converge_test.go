//go:build lab

package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var allHosts = []string{"master", "slave1", "slave2", "registry"}

func TestApply_BareHostsBecomeAVerifiedCluster(t *testing.T) {
	s := cluster(t)
	first := s.bare()
	var run struct {
		Verification struct {
			Checks []struct {
				Name   string
				OK     bool
				Detail string
			}
		}
	}
	if err := json.Unmarshal([]byte(first.stdout), &run); err != nil {
		t.Fatalf("apply -o json: %v\n%s", err, first.stdout)
	}
	names := []string{}
	for _, check := range run.Verification.Checks {
		names = append(names, check.Name)
		if !check.OK {
			t.Errorf("check %s: %s", check.Name, check.Detail)
		}
	}
	for _, want := range []string{"etcd", "api-healthz", "api-readyz", "node-ready", "pod-network", "dns", "workload", "pod-reachable", "node-port"} {
		if !slices.Contains(names, want) {
			t.Errorf("check %s was not run; these were: %v", want, names)
		}
	}
	t.Logf("bare to verified: %s", first.took)
}

func TestApply_SecondRunDoesNothing(t *testing.T) {
	s := cluster(t)
	before := s.started(t, allHosts...)
	r := s.must(t, 0, "apply", "--debug")
	if !strings.Contains(r.stdout, "No changes") {
		t.Errorf("it does not say that there is nothing to do:\n%s", r.stdout)
	}
	if units := restarted(before, s.started(t, allHosts...)); len(units) > 0 {
		t.Errorf("it started %v", units)
	}
	for event, want := range map[string]int{"ssh connected": 4, "ssh exec": 4, "ssh upload": 0, "ssh tunnel": 0} {
		if got := strings.Count(r.stderr, event); got != want {
			t.Errorf("%d × %q, want %d:\n%s", got, event, want, r.stderr)
		}
	}
}

func TestPlan_ConvergedClusterHasNone(t *testing.T) {
	if diff := cmp.Diff([]string{}, cluster(t).planned(t)); diff != "" {
		t.Error(diff)
	}
}

func TestVerify_JSON(t *testing.T) {
	r := cluster(t).must(t, 0, "verify", "-o", "json")
	if !json.Valid([]byte(r.stdout)) {
		t.Errorf("not JSON:\n%s", r.stdout)
	}
}

func TestKubeconfig_GivesTheOperatorKubectl(t *testing.T) {
	s := cluster(t)
	file := filepath.Join(t.TempDir(), "config")
	s.must(t, 0, "kubeconfig", "-o", file)
	out, err := exec.Command(artifacts+"/kubectl", "--kubeconfig", file, "get", "nodes", "-o", "name").CombinedOutput()
	if err != nil || string(out) != "node/slave1\nnode/slave2\n" {
		t.Errorf("kubectl get nodes: %v\n%s", err, out)
	}
}

func TestHosts_SecretsAreClosed(t *testing.T) {
	s := cluster(t)
	for _, host := range allHosts {
		open := s.sh(t, host, `find /etc/kubernetes /etc/etcd /etc/registry /var/lib/provision -type f \( -name '*.key' -o -name 'encryption.yaml' -o -name 'record.json' \) -perm /077 2>/dev/null || true`)
		if open != "" {
			t.Errorf("%s: others may read %s", host, open)
		}
	}
	for _, host := range []string{"slave1", "slave2", "registry"} {
		if keys := s.sh(t, host, `find / -xdev -name '*ca.key' 2>/dev/null || true`); keys != "" {
			t.Errorf("%s holds keys of authorities: %s", host, keys)
		}
	}
}

func TestEtcd_FlannelCannotReadTheCluster(t *testing.T) {
	s := cluster(t)
	master, _ := s.lab.Host("master")
	key := s.sh(t, "slave1", "cat /etc/kubernetes/pki/flannel.key")
	cert := s.sh(t, "slave1", "cat /etc/kubernetes/pki/flannel.crt")
	s.on(t, "master", "sh", "-c", `umask 077; printf %s "$1" >/root/flannel.key; printf %s "$2" >/root/flannel.crt`, "sh", key, cert)
	t.Cleanup(func() { s.sh(t, "master", "rm /root/flannel.key /root/flannel.crt") })
	etcdctl := "etcdctl --endpoints=https://" + master.Addr.String() + ":2379 --cacert=/etc/etcd/pki/ca.crt --cert=/root/flannel.crt --key=/root/flannel.key "
	if out := s.sh(t, "master", etcdctl+"get --prefix --keys-only /coreos.com/network/ 2>&1"); !strings.Contains(out, "/coreos.com/network/subnets/") {
		t.Errorf("flannel can't read its own keys: %s", out)
	}
	if out := s.sh(t, "master", etcdctl+"get --prefix --keys-only /registry/secrets 2>&1 || true"); !strings.Contains(out, "permission denied") {
		t.Errorf("flannel may read the cluster's secrets: %s", out)
	}
}

func TestSecrets_AreEncryptedInEtcd(t *testing.T) {
	s := cluster(t)
	kubectl := "kubectl --kubeconfig=/etc/kubernetes/admin.kubeconfig "
	s.sh(t, "master", kubectl+"create secret generic e2e --from-literal=word=plain-to-see")
	t.Cleanup(func() { s.sh(t, "master", kubectl+"delete secret e2e") })
	stored := s.sh(t, "master", "etcdctl-root get /registry/secrets/default/e2e --print-value-only")
	if !strings.HasPrefix(stored, "k8s:enc:secretbox:") || strings.Contains(stored, "plain-to-see") {
		t.Errorf("etcd holds %q", stored)
	}
}

func TestAPI_AnonymousMayOnlyAskForHealth(t *testing.T) {
	s := cluster(t)
	curl := "curl -s -o /dev/null -w '%{http_code}' --cacert /etc/kubernetes/pki/ca.crt https://127.0.0.1:6443"
	for path, want := range map[string]string{"/healthz": "200", "/readyz": "200", "/version": "401", "/api/v1/nodes": "401"} {
		if got := s.sh(t, "master", curl+path); got != want {
			t.Errorf("GET %s: %s, want %s", path, got, want)
		}
	}
}
