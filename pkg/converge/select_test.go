package converge

import (
	"testing"

	"provision/pkg/resource"
)

// A run of a part does that part, and the next plan shows the rest as before.
func TestSelect_RestIsPlannedAgain(t *testing.T) {
	t.Parallel()
	changed := webHost("a")
	file := resource.File{Path: "/etc/web.conf", Content: []byte("changed\n")}
	changed.Stages[0].Resources[0] = file
	changed.Stages[1].Resources[0] = resource.Service{Unit: "web.service"}.Using([]resource.Resource{file})
	desired := []resource.Host{changed}
	seen := converged(webHost("a"))
	plan := NewPlan(now, desired, map[string]Observation{"a": seen})
	all := plan.Hosts[0].Changes()
	if len(all) != 2 {
		t.Fatalf("planned %v", all)
	}
	part := plan.Select(func(host, stage string, change Change) bool {
		return host == "a" && stage == "files" && change.Resource.Kind == "file"
	})
	if got := part.Hosts[0].Changes(); len(got) != 1 || got[0].Resource.Kind != "file" {
		t.Fatalf("selected %v", got)
	}
	if len(plan.Hosts[0].Changes()) != 2 {
		t.Error("the whole plan was changed")
	}
	connections, hosts := fleetOf(desired)
	if err := Apply(t.Context(), part, Options{Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	last := records(t, hosts["a"])
	record := last[len(last)-1]
	seen = converged(changed)
	seen.Record = &record
	again := NewPlan(now, desired, map[string]Observation{"a": seen}).Hosts[0].Changes()
	if len(again) != 1 || again[0].Resource.Kind != "service" || again[0].Action != ActionRestart {
		t.Errorf("then planned %+v", again)
	}
}
