package cluster

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestVerify_HealthyClusterPassesEveryCheck(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	verification, failed := s.verify(s.target())
	if !verification.OK || len(failed) > 0 {
		t.Errorf("failed: %v", failed)
	}
	var names []string
	for _, check := range verification.Checks {
		names = append(names, strings.TrimSpace(check.Name+" "+check.Host))
	}
	want := []string{
		"etcd master", "api-access", "api-healthz", "api-readyz", "node-ready slave1", "node-ready slave2",
		"workload", "pod-addresses", "pod-reachable", "service", "node-port", "cleanup", "dns",
		"pod-network slave1", "pod-network slave2",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestVerify_NamesWhatFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		disturb func(*standIn)
		failed  []string
		detail  string
	}{
		{"etcd is down", func(s *standIn) { s.etcdErr = errors.New("context deadline exceeded") }, []string{"etcd master"}, "deadline"},
		{"API is not ready", func(s *standIn) { s.objects["/readyz"] = "[-]etcd failed" }, []string{"api-readyz"}, "[-]etcd failed"},
		{
			"node is not Ready", func(s *standIn) {
				s.objects["/api/v1/nodes/slave2"] = object{"metadata": object{"name": "slave2"}, "status": object{"conditions": []object{{"type": "Ready", "status": "False", "message": "cni plugin not initialized"}}}}
			},
			[]string{"node-ready slave2"},
			"cni plugin not initialized",
		},
		{"node never registered", func(s *standIn) { delete(s.objects, "/api/v1/nodes/slave1") }, []string{"node-ready slave1"}, "not registered"},
		{
			"node under another address", func(s *standIn) {
				n := maps.Clone(s.objects["/api/v1/nodes/slave2"].(object))
				n["metadata"] = object{"name": "slave1"}
				s.objects["/api/v1/nodes/slave1"] = n
			},
			[]string{"node-ready slave1"},
			`registered under "198.18.0.13" instead of 198.18.0.12`,
		},
		{
			"image can't be pulled", func(s *standIn) {
				waiting := runningPod("slave2", "")
				waiting["status"] = object{"containerStatuses": []object{{"state": object{"waiting": object{"reason": "ImagePullBackOff", "message": "no such host"}}}}}
				s.objects["pods"] = object{"items": []object{runningPod("slave1", "172.17.5.2"), waiting}}
			},
			[]string{"node-port", "pod-addresses", "pod-reachable", "service", "workload"},
			"ImagePullBackOff: no such host",
		},
		{
			"pod outside the pod network", func(s *standIn) {
				s.objects["pods"] = object{"items": []object{runningPod("slave1", "172.18.5.2"), runningPod("slave2", "172.17.6.2")}}
			},
			[]string{"pod-addresses"},
			`web-slave1 on slave1 has the address "172.18.5.2"`,
		},
		{"pod out of reach", func(s *standIn) { s.deaf["172.17.6.2:8080"] = true }, []string{"pod-reachable"}, "pod on slave2 from slave1"},
		{"service out of reach", func(s *standIn) { s.deaf["10.254.0.99:80"] = true }, []string{"service"}, "from slave1"},
		{"node port out of reach", func(s *standIn) { s.deaf["198.18.0.12:30099"] = true }, []string{"node-port"}, "slave1 from slave2"},
		{"wrong name", func(s *standIn) { s.dnsAnswer = netip.MustParseAddr("10.0.0.1") }, []string{"dns"}, "want the address 10.254.0.1"},
		{"no name server", func(s *standIn) { s.deaf["10.254.0.10:53"] = true }, []string{"dns"}, "refused"},
		{
			"bridge outside the lease", func(s *standIn) { s.addresses = strings.ReplaceAll(s.addresses, "172.17.5.1/24", "172.17.0.1/16") },
			[]string{"pod-network slave1", "pod-network slave2"},
			"cni0 has 172.17.0.1, outside the lease 172.17.5.0/24",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStandIn(t)
			tt.disturb(s)
			verification, failed := s.verify(s.target())
			names := slices.Sorted(maps.Keys(failed))
			if diff := cmp.Diff(tt.failed, names); diff != "" {
				t.Error(diff)
			}
			var details []string
			for _, check := range failed {
				details = append(details, check.Detail)
				if check.Hint == "" && !strings.HasPrefix(check.Detail, "not checked") {
					t.Errorf("check %s gives no hint", check.Name)
				}
			}
			if !strings.Contains(strings.Join(details, "\n"), tt.detail) {
				t.Errorf("details %q lack %q", details, tt.detail)
			}
			if verification.OK {
				t.Error("the verification passes")
			}
		})
	}
}

func TestVerify_MasterOutOfReachIsSaidOnce(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	target := s.target()
	delete(target.Hosts, "master")
	_, failed := s.verify(target)
	if diff := cmp.Diff([]string{"api-access", "etcd master"}, slices.Sorted(maps.Keys(failed))); diff != "" {
		t.Error(diff)
	}
}

func TestVerify_LeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	old, young := time.Now().Add(-2*leftoverAge), time.Now()
	s.objects["/api/v1/namespaces"] = object{"items": []object{
		{"metadata": object{"name": namespacePrefix + "old", "creationTimestamp": old}},
		{"metadata": object{"name": namespacePrefix + "young", "creationTimestamp": young}},
		{"metadata": object{"name": "default", "creationTimestamp": old}},
	}}
	s.objects["pods"] = object{"items": []object{}}
	s.verify(s.target())
	var deleted []string
	for _, request := range s.requests {
		if path, ok := strings.CutPrefix(request, "DELETE /api/v1/namespaces/"); ok {
			deleted = append(deleted, path)
		}
	}
	if len(deleted) != 2 || !strings.HasPrefix(deleted[0], namespacePrefix) || deleted[1] != namespacePrefix+"old" {
		t.Errorf("deleted %v, want its own namespace and the old one", deleted)
	}
}
