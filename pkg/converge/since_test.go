package converge

import (
	"testing"
	"time"

	"provision/pkg/resource"
)

// Of what somebody changed, the plan tells when, and who was there.
func TestNewPlan_DriftTellsWhenAndWhoWasThere(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	seen := converged(webHost("a"))
	fact := seen.Facts.Files["/etc/web.conf"]
	fact.Sum, fact.Changed = "edited", at
	seen.Facts.Files["/etc/web.conf"] = fact
	seen.Facts.Logins = []string{"alice pts/0 10.0.0.9"}
	plan := NewPlan(now, []resource.Host{webHost("a")}, map[string]Observation{"a": seen}).Hosts[0]
	for _, change := range plan.Changes() {
		if isFile := change.Resource.Kind == "file"; isFile != (change.Since != nil) || isFile && !change.Since.Equal(at) {
			t.Errorf("%s since %v", change.Resource, change.Since)
		}
	}
	if len(plan.Logins) != 1 {
		t.Errorf("logins %q", plan.Logins)
	}
	changed := webHost("a")
	changed.Stages[0].Resources[0] = resource.File{Path: "/etc/web.conf", Content: []byte("declared anew\n")}
	seen = converged(webHost("a"))
	seen.Facts.Logins = []string{"alice pts/0 10.0.0.9"}
	plan = NewPlan(now, []resource.Host{changed}, map[string]Observation{"a": seen}).Hosts[0]
	if len(plan.Changes()) == 0 || len(plan.Logins) != 0 {
		t.Errorf("a change of the inventory: %d changes, logins %q", len(plan.Changes()), plan.Logins)
	}
}
