package converge

import (
	"slices"
	"testing"

	"provision/pkg/resource"
)

// adopt has a host adopt what stands on it, and returns what it then remembers.
func adopt(t *testing.T, desired resource.Host, seen Observation) *Record {
	t.Helper()
	connections, hosts := fleetOf([]resource.Host{desired})
	adoption := NewAdoption(NewPlan(now, []resource.Host{desired}, map[string]Observation{desired.Name: seen}))
	if err := Apply(t.Context(), adoption, Options{Run: Run{ID: "one"}, Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	for _, verb := range hosts[desired.Name].verbs() {
		if !slices.Contains([]string{"guarded", "journal", "stage", "record", "end"}, verb) {
			t.Errorf("an adoption does %s", verb)
		}
	}
	written := records(t, hosts[desired.Name])
	if len(written) == 0 {
		return seen.Record
	}
	return &written[len(written)-1]
}

func TestAdopt_HostWithoutAMemoryHasNothingToDo(t *testing.T) {
	t.Parallel()
	seen := converged(webHost("a"))
	seen.Record = bare().Record
	if changes := NewPlan(now, []resource.Host{webHost("a")}, map[string]Observation{"a": seen}).Hosts[0].Changes(); len(changes) == 0 {
		t.Fatal("a host without a memory has nothing to do anyway: this test proves nothing")
	}
	seen.Record = adopt(t, webHost("a"), seen)
	if changes := NewPlan(now, []resource.Host{webHost("a")}, map[string]Observation{"a": seen}).Hosts[0].Changes(); len(changes) != 0 {
		t.Errorf("then planned %+v", changes)
	}
}

func TestAdopt_DriftBecomesAChangeAndWhatIsMissingStaysSo(t *testing.T) {
	t.Parallel()
	seen := converged(webHost("a"))
	fact := seen.Facts.Files["/etc/web.conf"]
	fact.Sum = "another"
	seen.Facts.Files["/etc/web.conf"] = fact
	delete(seen.Facts.Files, "/etc/other.conf")
	seen.Record = adopt(t, webHost("a"), seen)
	got := map[string]Cause{}
	for _, change := range NewPlan(now, []resource.Host{webHost("a")}, map[string]Observation{"a": seen}).Hosts[0].Changes() {
		got[change.Resource.Name] = change.Cause
	}
	if len(got) != 3 || got["/etc/web.conf"] != CauseChange || got["/etc/other.conf"] != CauseDrift || got["web.service"] != CauseFollows {
		t.Errorf("then planned %v", got)
	}
}
