package report

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"provision/pkg/converge"
	"provision/pkg/resource"
)

func TestAccount_ChangesThatWereNotBegunAreSkipped(t *testing.T) {
	plan := secondRun("slave1")
	plan.Hosts = append(plan.Hosts, converge.HostPlan{Host: "same"})
	refused := &Account{Plan: plan, Applied: &converge.Outcome{Refused: errors.New("locked")}}
	if got, want := summarize(refused.Settled()), (RunSummary{Hosts: 3, OK: 1, Skipped: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	done := &Account{Plan: plan, Applied: &converge.Outcome{Hosts: []converge.HostOutcome{{Host: "slave1", Changed: 2, Stages: timings("node", 0, 1)}}}}
	if got := summarize(done.Settled()); got.Changed != 1 || got.Skipped != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestCriticalPath_GoesThroughTheGate(t *testing.T) {
	account := completeRun(slaves(4), false)
	var got []string
	for _, step := range criticalPath(account.Plan, account.Settled()) {
		got = append(got, step.Host+" "+step.Stage)
	}
	// slave4 ends last; its last stage waits for the control plane, which waits
	// for nobody.
	want := []string{"master prepare", "master master-programs", "master authorities", "master etcd", "master control-plane", "slave4 node"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCriticalPath_EndsAlsoWhereStagesTakeNoTime(t *testing.T) {
	plan := &converge.Plan{Hosts: []converge.HostPlan{
		{Host: "a", Stages: []converge.StagePlan{stage("x", []string{"y"}), stage("y", []string{"x"})}},
		{Host: "b", Stages: []converge.StagePlan{stage("x", []string{"y"}), stage("y", []string{"x"})}},
	}}
	outcome := &converge.Outcome{Hosts: []converge.HostOutcome{
		{Host: "a", Stages: timings("x", 1, 1, "y", 1, 1)}, {Host: "b", Stages: timings("x", 1, 1, "y", 1, 1)},
	}}
	if got := criticalPath(plan, outcome); len(got) == 0 || len(got) > 4 {
		t.Errorf("got %v", got)
	}
}

func TestSteps_MeasureFromBeginToTheNext(t *testing.T) {
	steps := &Steps{}
	id := func(name string) resource.ID { return resource.ID{Kind: "file", Name: name} }
	for i, host := range []string{"a", "b"} {
		late := float64(i)
		steps.Event(converge.Event{Kind: converge.EventResourceBegun, Host: host, Stage: "s", Resource: id("/x"), Time: at(0)})
		steps.Event(converge.Event{Kind: converge.EventResourceBegun, Host: host, Stage: "s", Resource: id("/y"), Time: at(1 + late)})
		steps.Event(converge.Event{Kind: converge.EventStageFailed, Host: host, Stage: "s", Time: at(5)})
		steps.Event(converge.Event{Kind: converge.EventStageWaiting, Host: host, Stage: "t", Time: at(50)})
	}
	got := steps.Slowest(10)
	for i := range got {
		got[i].total = 0
	}
	want := []Step{
		{Stage: "s", Resource: "file /y", Hosts: 2, Seconds: 4, Slowest: "a", Mean: 3.5},
		{Stage: "s", Resource: "file /x", Hosts: 2, Seconds: 2, Slowest: "b", Mean: 1.5},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := (*Steps)(nil).Slowest(3); len(got) != 0 {
		t.Errorf("got %v of nobody", got)
	}
}

func TestWriteOutcome_SaysHowMuchOfThePlanWasMade(t *testing.T) {
	for n, want := range map[int]string{3: "slave2  failed       13 of 15         22.6s\n", 1000: "50 hosts   failed      13 of 15 each"} {
		out := text(Style{Width: 80}, func(w io.Writer, s Style) { WriteOutcome(w, completeRun(slaves(n), true), s) })
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
