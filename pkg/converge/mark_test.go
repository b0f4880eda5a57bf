package converge

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"provision/pkg/remote"
	"provision/pkg/resource"
)

// A unit that is only to be enabled has run all the time: a run that is cut
// short before it gets there must not make the next one restart it.
func TestApply_UnitThatIsOnlyConfiguredIsNotMarked(t *testing.T) {
	desired := []resource.Host{webHost("a")}
	seen := converged(webHost("a"))
	delete(seen.Facts.Files, "/etc/other.conf") // no service reads it
	unit := seen.Facts.Units["web.service"]
	unit.UnitFileState = "disabled"
	seen.Facts.Units["web.service"] = unit
	connections, hosts := fleetOf(desired)
	hosts["a"].failAt = "write /etc/other.conf"
	if Apply(t.Context(), NewPlan(now, desired, map[string]Observation{"a": seen}), Options{Hosts: connections}).Failed() != 1 {
		t.Fatal("it did not fail")
	}
	last := records(t, hosts["a"])
	seen.Record = &last[len(last)-1]
	want := []string{"a: create file /etc/other.conf (drift)", "a: configure service web.service (drift)"}
	if got := planOf(webHost("a"), seen); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The cut may come in a later stage than the change: the first stage's record
// must not have taken the mark away.
func TestApply_CutBetweenStagesTheNextPlanRestarts(t *testing.T) {
	desired := []resource.Host{webHost("a")}
	seen := converged(webHost("a"))
	delete(seen.Facts.Files, "/etc/web.conf")
	connections, hosts := fleetOf(desired)
	plan := NewPlan(now, desired, map[string]Observation{"a": seen})
	connections["a"] = &cutOff{memoryHost: hosts["a"], after: 2} // the guard and a stage
	if Apply(t.Context(), plan, Options{Hosts: connections}).Failed() != 1 {
		t.Fatal("it did not fail")
	}
	after := converged(webHost("a"))
	last := records(t, hosts["a"])
	after.Record = &last[len(last)-1]
	if got := planOf(webHost("a"), after); !reflect.DeepEqual(got, []string{"a: restart service web.service (follows)"}) {
		t.Errorf("got %q", got)
	}
}

// What was already on a host that is new to provision is remembered by the
// first run that changes anything there, with what it applied.
func TestApply_RecordHoldsAllThatIsAsWanted(t *testing.T) {
	desired := []resource.Host{webHost("a")}
	seen := converged(webHost("a"))
	seen.Record = bare().Record
	delete(seen.Facts.Files, "/etc/other.conf")
	connections, hosts := fleetOf(desired)
	if err := Apply(t.Context(), NewPlan(now, desired, map[string]Observation{"a": seen}), Options{Run: Run{ID: "one"}, Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	written := records(t, hosts["a"])
	record := written[len(written)-1]
	for _, r := range webHost("a").Resources() {
		if record.Resources[r.ID().String()] == nil {
			t.Errorf("%s is not remembered", r.ID())
		}
	}
	if record.Run.ID != "one" || record.Version != recordVersion {
		t.Errorf("%+v", record)
	}
}

// cutOff is a memory host whose connection is lost after some execs.
type cutOff struct {
	*memoryHost
	after int
}

// Run runs a command as long as the connection stands.
func (c *cutOff) Run(ctx context.Context, command remote.Command) (remote.Result, error) {
	if c.after == 0 {
		return remote.Result{}, errors.New("the connection was lost")
	}
	c.after--
	return c.memoryHost.Run(ctx, command)
}

// What is no longer declared and has no place that could be removed, as
// everything in a record of an earlier provision, is forgotten, without a look.
func TestApply_RecordForgetsWhatLeftTheInventoryAndStays(t *testing.T) {
	desired := []resource.Host{webHost("a")}
	seen := bare()
	seen.Record.Resources["file /etc/old"] = resource.State{{Name: "content", Value: "x"}}
	connections, hosts := fleetOf(desired)
	if err := Apply(t.Context(), NewPlan(now, desired, map[string]Observation{"a": seen}), Options{Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	for i, record := range records(t, hosts["a"]) {
		if record.Resources["file /etc/old"] != nil {
			t.Errorf("record %d still has it", i)
		}
	}
	if len(seen.Record.Resources) != 1 {
		t.Error("the run changed what was observed")
	}
}

func TestObserve_HostWithoutAConnectionKeepsItsError(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	client, _ := s.dial(t)
	desired := append(s.desired(), resource.Host{Name: "away"})
	down := errors.New("no route to host")
	seen := Observe(t.Context(), desired, map[string]Connection{"testhost": client}, map[string]error{"away": down})
	if !errors.Is(seen["away"].Err, down) || seen["testhost"].Err != nil {
		t.Errorf("away: %v, testhost: %v", seen["away"].Err, seen["testhost"].Err)
	}
}
