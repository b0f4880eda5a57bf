package cluster

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestVerify_ReadsCredentialsAndPodNetworkWithOneExecEach(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	cert, key := s.files["/admin.crt"], s.files["/admin.key"]
	s.files[adminKubeconfig] = strings.NewReplacer("/ca.crt", authorityCert, "/admin.crt", "/etc/kubernetes/pki/admin.crt",
		"/admin.key", "/etc/kubernetes/pki/admin.key").Replace(s.files[adminKubeconfig])
	s.files["/etc/kubernetes/pki/admin.crt"], s.files["/etc/kubernetes/pki/admin.key"] = cert, key
	if _, failed := s.verify(s.target()); len(failed) > 0 {
		t.Errorf("failed: %v", failed)
	}
	const want = 1 + 1 + 2 // etcd, credentials, pod network of two slaves
	if len(s.commands) != want {
		t.Errorf("%d execs, want %d", len(s.commands), want)
	}
}

// Whatever is broken, a verification ends: the API and nodes, the workload and
// names, and the ways to it each have their time.
func TestVerify_BrokenClusterIsBounded(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	for _, address := range []string{
		"172.17.5.2:8080", "172.17.6.2:8080", "10.254.0.99:80", "198.18.0.12:30099", "198.18.0.13:30099", "10.254.0.10:53",
	} {
		s.deaf[address] = true
	}
	target := s.target()
	start := time.Now()
	_, failed := s.verify(target)
	if took := time.Since(start); took > 2*target.Patience {
		t.Errorf("took %v with patience %v", took, target.Patience)
	}
	want := []string{"dns", "node-port", "pod-reachable", "service"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(failed))); diff != "" {
		t.Error(diff)
	}
}

func TestVerify_WithoutAPIOrNodesTheRestIsNotChecked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, needs string
		missing     []string
		want        []string
	}{
		{"no API", "api-healthz", []string{"/healthz", "/readyz"}, []string{"api-healthz", "api-readyz", "dns", "node-ready", "workload"}},
		{"no node", "node-ready", []string{"/api/v1/nodes/slave1", "/api/v1/nodes/slave2"}, []string{"dns", "node-ready slave1", "node-ready slave2", "workload"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStandIn(t)
			for _, path := range tt.missing {
				delete(s.objects, path)
			}
			_, failed := s.verify(s.target())
			if diff := cmp.Diff(tt.want, slices.Sorted(maps.Keys(failed))); diff != "" {
				t.Error(diff)
			}
			if want := "not checked: needs " + tt.needs; failed["workload"].Detail != want {
				t.Errorf("workload: %q, want %q", failed["workload"].Detail, want)
			}
		})
	}
}

func TestVerify_SlaveOutOfReachFailsAloneAndIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	s.objects["pods"] = object{"items": []object{runningPod("slave1", "172.17.5.2")}}
	target := s.target()
	target.Patience = time.Minute
	delete(target.Hosts, "slave2")
	delete(s.objects, "/api/v1/nodes/slave2")
	start := time.Now()
	_, failed := s.verify(target)
	if diff := cmp.Diff([]string{"node-ready slave2", "pod-network slave2"}, slices.Sorted(maps.Keys(failed))); diff != "" {
		t.Error(diff)
	}
	for name, check := range failed {
		if !strings.Contains(check.Detail, "could not be reached by SSH") {
			t.Errorf("%s: %s", name, check.Detail)
		}
	}
	if took := time.Since(start); took > target.Patience/4 {
		t.Errorf("took %v", took)
	}
}

func TestVerify_CordonedSlaveGetsNoPod(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	n, _ := s.objects["/api/v1/nodes/slave2"].(object)
	n["spec"] = object{"unschedulable": true}
	s.objects["pods"] = object{"items": []object{runningPod("slave1", "172.17.5.2")}}
	verification, failed := s.verify(s.target())
	if len(failed) > 0 {
		t.Errorf("failed: %v", failed)
	}
	for _, check := range verification.Checks {
		if check.Name == "workload" && !strings.HasSuffix(check.Detail, "runs on slave1") {
			t.Errorf("workload: %s", check.Detail)
		}
	}
}

func TestVerify_ObservesOneCheckAtATime(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	var inside, seen atomic.Int32
	verification := Verify(t.Context(), s.target(), func(Check) {
		if inside.Add(1) != 1 {
			t.Error("two checks are observed at the same time")
		}
		seen.Add(1)
		inside.Add(-1)
	})
	if int(seen.Load()) != len(verification.Checks) {
		t.Errorf("observed %d of %d checks", seen.Load(), len(verification.Checks))
	}
	if !Verify(t.Context(), s.target(), nil).OK {
		t.Error("not OK without an observer")
	}
}

func TestVerify_InterruptedRemovesTheWorkload(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	ctx, cancel := context.WithCancel(t.Context())
	var removed atomic.Bool
	s.onRequest = func(r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/pods"):
			cancel()
		case r.Method == http.MethodDelete:
			removed.Store(true)
		}
	}
	target := s.target()
	target.Patience = time.Minute
	start := time.Now()
	verification := Verify(ctx, target, nil)
	if verification.OK || !removed.Load() {
		t.Errorf("OK %v, removed %v", verification.OK, removed.Load())
	}
	if took := time.Since(start); took > target.Patience/4 {
		t.Errorf("took %v", took)
	}
}

// A pod that was seen earlier does not lend its state to another: each answer of
// the API is decoded afresh.
func TestVerify_TroubleIsTheLastAnswers(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	first := runningPod("slave1", "172.17.5.2")
	first["status"] = object{"containerStatuses": []object{{"state": object{"waiting": object{"reason": "ImagePullBackOff"}}}}}
	last := object{"metadata": object{"name": "web-other"}, "status": object{"phase": "Pending", "containerStatuses": []object{{"state": object{"running": object{}}}}}}
	s.objects["pods"] = object{"items": []object{first}}
	s.onRequest = func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/pods") {
			defer func() { s.objects["pods"] = object{"items": []object{last}} }()
		}
	}
	_, failed := s.verify(s.target())
	detail := failed["workload"].Detail
	if strings.Contains(detail, "ImagePullBackOff") || !strings.Contains(detail, "web-other on no slave: Pending") {
		t.Errorf("got %q", detail)
	}
}

func TestVerify_WorkloadFailureTellsWhatTheClusterSays(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	s.objects["pods"] = object{"items": []object{}}
	s.objects["replicationcontrollers/web"] = object{"status": object{"conditions": []object{{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}}}}
	warn := func(at, reason string) object {
		return object{"type": "Warning", "reason": reason, "message": "why", "lastTimestamp": at, "eventTime": nil, "involvedObject": object{"name": "web-1"}}
	}
	s.objects["events"] = object{"items": []object{
		warn("2026-01-01T00:00:05Z", "Newest"), warn("2026-01-01T00:00:01Z", "TooOld"), warn("2026-01-01T00:00:02Z", "C"),
		warn("2026-01-01T00:00:03Z", "B"), warn("2026-01-01T00:00:04Z", "A"), warn("2026-01-01T00:00:04Z", "A"),
		{"type": "Normal", "reason": "Scheduled", "message": "fine", "lastTimestamp": "2026-01-01T00:00:09Z"},
	}}
	_, failed := s.verify(s.target())
	want := `0 of 2 pods are ready
no pods are made: exceeded quota
event of web-1: C: why
event of web-1: B: why
event of web-1: A: why
event of web-1: Newest: why`
	if diff := cmp.Diff(want, failed["workload"].Detail); diff != "" {
		t.Error(diff)
	}
}

func TestContainerTrouble(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	crashing := runningPod("slave2", "")
	crashing["status"] = object{"containerStatuses": []object{{
		"state":     object{"waiting": object{"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
		"lastState": object{"terminated": object{"exitCode": 137, "reason": "OOMKilled"}},
	}}}
	s.objects["pods"] = object{"items": []object{crashing}}
	_, failed := s.verify(s.target())
	if want := "CrashLoopBackOff: back-off 10s; it ended with exit code 137, OOMKilled"; !strings.Contains(failed["workload"].Detail, want) {
		t.Errorf("%q lacks %q", failed["workload"].Detail, want)
	}
}
