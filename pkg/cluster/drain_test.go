package cluster

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// moving is a stand-in whose slave1 has pods, and a Drainer for it.
func moving(t *testing.T, pods ...object) (*standIn, *Drainer) {
	t.Helper()
	s := newStandIn(t)
	s.objects["/api/v1/pods"] = object{"items": pods}
	drainer, err := OpenDrainer(t.Context(), s.target())
	if err != nil {
		t.Fatal(err)
	}
	drainer.interval = time.Millisecond
	t.Cleanup(drainer.Close)
	return s, drainer
}

func podOf(name, owner string) object {
	metadata := object{"name": name, "namespace": "default", "uid": name}
	if owner != "" {
		metadata["ownerReferences"] = []object{{"kind": owner, "controller": true}}
	}
	return object{"metadata": metadata, "status": object{"phase": "Running"}}
}

// asked are the requests that change something.
func (s *standIn) asked() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.DeleteFunc(slices.Clone(s.requests), func(request string) bool { return strings.HasPrefix(request, "GET ") })
}

func TestDrain_CordonsAndEvictsWhatCanMove(t *testing.T) {
	t.Parallel()
	static, ended := podOf("static", ""), podOf("ended", "Job")
	static["metadata"].(object)["annotations"] = object{"kubernetes.io/config.mirror": "x"}
	ended["status"] = object{"phase": "Succeeded"}
	s, drainer := moving(t, podOf("web", "ReplicaSet"), podOf("agent", "DaemonSet"), static, ended)
	var patch string
	s.onRequest = func(r *http.Request) {
		if r.Method == http.MethodPatch {
			body, _ := io.ReadAll(r.Body)
			patch = r.Header.Get("Content-Type") + " " + string(body)
		}
	}
	if err := drainer.Drain(t.Context(), "slave1"); err != nil {
		t.Fatal(err)
	}
	want := []string{"PATCH /api/v1/nodes/slave1", "POST /api/v1/namespaces/default/pods/web/eviction"}
	if got := s.asked(); !slices.Equal(got, want) {
		t.Errorf("asked %q", got)
	}
	if patch != `application/merge-patch+json {"metadata":{"annotations":{"provision/cordoned":"true"}},"spec":{"unschedulable":true}}` {
		t.Errorf("patched %s", patch)
	}
}

func TestDrain_NodeWithoutWorkloadsIsLeftAlone(t *testing.T) {
	t.Parallel()
	s, drainer := moving(t, podOf("agent", "DaemonSet"))
	if err := drainer.Drain(t.Context(), "slave1"); err != nil || len(s.asked()) > 0 {
		t.Errorf("%v, asked %q", err, s.asked())
	}
}

func TestDrain_PodThatNothingMakesAgainIsNotEvicted(t *testing.T) {
	t.Parallel()
	s, drainer := moving(t, podOf("web", "ReplicaSet"), podOf("lonely", ""))
	err := drainer.Drain(t.Context(), "slave1")
	if err == nil || !strings.Contains(err.Error(), "drain node slave1: nothing would start default/lonely again") || len(s.asked()) > 0 {
		t.Errorf("%v, asked %q", err, s.asked())
	}
}

func TestDrain_WaitsForBudgetsAndForTheEnd(t *testing.T) {
	t.Parallel()
	s, drainer := moving(t, podOf("web", "ReplicaSet"))
	s.refuse = map[string]int{"POST /api/v1/namespaces/default/pods/web/eviction": 3}
	looks := 0
	s.objects["/api/v1/namespaces/default/pods/web"] = podOf("web", "ReplicaSet")
	s.onRequest = func(r *http.Request) {
		if r.Method+" "+r.URL.Path == "GET /api/v1/namespaces/default/pods/web" {
			if looks++; looks == 3 {
				again := podOf("web", "ReplicaSet")
				again["metadata"].(object)["uid"] = "another"
				s.objects[r.URL.Path] = again
			}
		}
	}
	if err := drainer.Drain(t.Context(), "slave1"); err != nil {
		t.Fatal(err)
	}
	if got := s.asked(); len(got) != 5 || looks != 3 {
		t.Errorf("asked %q, looked %d times", got, looks)
	}
}

func TestDrain_BudgetThatNeverAllowsIsToldInTime(t *testing.T) {
	t.Parallel()
	s, drainer := moving(t, podOf("web", "ReplicaSet"))
	drainer.patience = 50 * time.Millisecond
	s.refuse = map[string]int{"POST /api/v1/namespaces/default/pods/web/eviction": 1 << 30}
	err := drainer.Drain(t.Context(), "slave1")
	if err == nil || !strings.Contains(err.Error(), "evict default/web: the pods did not leave within 50ms") || !strings.Contains(err.Error(), "budget") {
		t.Errorf("got %v", err)
	}
}

func TestUncordon_OpensOnlyWhatProvisionClosed(t *testing.T) {
	t.Parallel()
	s, drainer := moving(t)
	closed := func(annotations object) object {
		return object{"metadata": object{"name": "slave1", "annotations": annotations}, "spec": object{"unschedulable": true}}
	}
	s.objects["/api/v1/nodes/slave1"] = closed(object{"note": "mine"})
	if err := drainer.Uncordon(t.Context(), "slave1"); err != nil || len(s.asked()) > 0 {
		t.Errorf("a person's: %v, asked %q", err, s.asked())
	}
	s.objects["/api/v1/nodes/slave1"] = closed(object{cordonedBy: "true"})
	var body map[string]any
	s.onRequest = func(r *http.Request) {
		if r.Method == http.MethodPatch {
			_ = json.NewDecoder(r.Body).Decode(&body)
		}
	}
	if err := drainer.Uncordon(t.Context(), "slave1"); err != nil || !slices.Equal(s.asked(), []string{"PATCH /api/v1/nodes/slave1"}) {
		t.Errorf("ours: %v, asked %q", err, s.asked())
	}
	if spec, ok := body["spec"].(map[string]any); !ok || spec["unschedulable"] != nil {
		t.Errorf("patched %v", body)
	}
	if err := drainer.Uncordon(t.Context(), "nowhere"); err != nil {
		t.Errorf("a node that is not there: %v", err)
	}
}
