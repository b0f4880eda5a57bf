package converge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"provision/pkg/resource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fleetOf makes a memory host for each desired one.
func fleetOf(desired []resource.Host) (map[string]Connection, map[string]*memoryHost) {
	connections, hosts := map[string]Connection{}, map[string]*memoryHost{}
	for _, host := range desired {
		hosts[host.Name] = newMemoryHost()
		connections[host.Name] = hosts[host.Name]
	}
	return connections, hosts
}

// file is a stage's only resource.
func file(path string) []resource.Resource {
	return []resource.Resource{resource.File{Path: path, Content: []byte("x")}}
}

func allBare(desired []resource.Host) map[string]Observation {
	observed := map[string]Observation{}
	for _, host := range desired {
		observed[host.Name] = bare()
	}
	return observed
}

func TestApply_StageIsOneExecThatEndsWithTheRecord(t *testing.T) {
	desired := []resource.Host{webHost("a")}
	connections, hosts := fleetOf(desired)
	plan := NewPlan(now, desired, allBare(desired))
	outcome := Apply(t.Context(), plan, Options{Run: Run{ID: "one"}, Hosts: connections})
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"apply files", "apply services"}; !reflect.DeepEqual(hosts["a"].execs, want) {
		t.Errorf("execs %q, want %q", hosts["a"].execs, want)
	}
	want := []string{"record", "write", "write", "record", "unit-load", "unit-enable", "unit-restart", "record"}
	if got := hosts["a"].verbs(); !reflect.DeepEqual(got, want) {
		t.Errorf("operations %q, want %q", got, want)
	}
	if outcome.Hosts[0].Changed != 3 || len(outcome.Hosts[0].Stages) != 2 {
		t.Errorf("%+v", outcome.Hosts[0])
	}
}

// records are what the host was told to remember, one after the other.
func records(t *testing.T, host *memoryHost) []Record {
	t.Helper()
	var records []Record
	for _, text := range host.done("record") {
		content, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		var record Record
		if err := json.Unmarshal(content, &record); err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	return records
}

func TestApply_ServiceIsMarkedBeforeItsFilesChange(t *testing.T) {
	t.Parallel()
	desired := []resource.Host{webHost("a")}
	seen := converged(webHost("a"))
	delete(seen.Facts.Files, "/etc/web.conf")
	connections, hosts := fleetOf(desired)
	plan := NewPlan(now, desired, map[string]Observation{"a": seen})
	if err := Apply(t.Context(), plan, Options{Run: Run{ID: "one"}, Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	service := resource.ID{Kind: "service", Name: "web.service"}
	var inputs []string
	for _, record := range records(t, hosts["a"]) {
		inputs = append(inputs, record.Last(service).Get(resource.InputsAttribute))
	}
	digest := webHost("a").Stages[1].Resources[0].(resource.Service).Inputs
	if want := []string{"interrupted", "interrupted", digest}; !reflect.DeepEqual(inputs, want) {
		t.Errorf("remembered inputs %q, want %q", inputs, want)
	}
	if hosts["a"].verbs()[0] != "record" {
		t.Error("the mark is not the first operation")
	}
}

// Whatever operation a run stops at, what the host remembers makes the next run
// restart the service.
func TestApply_CutShortAnywhereTheNextPlanRestarts(t *testing.T) {
	for _, at := range []string{"write /etc/web.conf", "unit-load", "unit-restart"} {
		t.Run(at, func(t *testing.T) {
			desired := []resource.Host{webHost("a")}
			seen := converged(webHost("a"))
			delete(seen.Facts.Files, "/etc/web.conf")
			connections, hosts := fleetOf(desired)
			hosts["a"].failAt = at
			outcome := Apply(t.Context(), NewPlan(now, desired, map[string]Observation{"a": seen}), Options{Hosts: connections})
			if outcome.Failed() != 1 {
				t.Fatal("it did not fail")
			}
			after := converged(webHost("a")) // the file is there now, by whatever way
			last := records(t, hosts["a"])
			after.Record = &last[len(last)-1]
			want := []string{"a: restart service web.service (follows)"}
			if got := planOf(webHost("a"), after); !reflect.DeepEqual(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestApply_HostWithoutChangesIsLeftAlone(t *testing.T) {
	desired := []resource.Host{webHost("a"), webHost("b")}
	connections, hosts := fleetOf(desired)
	observed := map[string]Observation{"a": converged(webHost("a")), "b": bare()}
	outcome := Apply(t.Context(), NewPlan(now, desired, observed), Options{Hosts: connections})
	if outcome.Err() != nil || len(hosts["a"].execs) != 0 {
		t.Errorf("%v, execs %q", outcome.Err(), hosts["a"].execs)
	}
}

// twoRoles are a master and two slaves that wait for it.
func twoRoles() []resource.Host {
	slave := func(name string) resource.Host {
		return resource.Host{Name: name, Stages: []resource.Stage{
			{Name: "programs", Resources: file("/program")},
			{Name: "node", After: []string{"api"}, Resources: file("/node")},
		}}
	}
	master := resource.Host{Name: "master", Stages: []resource.Stage{{Name: "api", Resources: file("/api")}, {Name: "addons", Resources: file("/addons")}}}
	return []resource.Host{master, slave("slave1"), slave("slave2")}
}

func TestApply_StageWaitsForTheStagesItNames(t *testing.T) {
	desired := twoRoles()
	connections, hosts := fleetOf(desired)
	hosts["master"].hold = make(chan struct{})
	seen := &events{}
	finished := make(chan *Outcome)
	go func() {
		finished <- Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections, Observer: seen.observe})
	}()
	for _, name := range []string{"master", "slave1", "slave2"} {
		<-hosts[name].begun // what needs nobody starts at once
	}
	if nodes := hosts["slave1"].done("write"); strings.Contains(strings.Join(nodes, " "), "/node") {
		t.Error("the slave did not wait for the master")
	}
	close(hosts["master"].hold)
	if err := (<-finished).Err(); err != nil {
		t.Fatal(err)
	}
	if got := hosts["slave1"].done("write"); !reflect.DeepEqual(got, []string{"/program", "/node"}) {
		t.Errorf("slave1 wrote %q", got)
	}
	want := []EventKind{EventStageStarted, EventStageDone, EventStageStarted, EventStageDone}
	if got := seen.kinds("master"); !reflect.DeepEqual(got, want) {
		t.Errorf("events of the master: %v", got)
	}
}

func TestApply_FailedHostHoldsUpOnlyThoseThatNeedIt(t *testing.T) {
	desired := twoRoles()
	connections, hosts := fleetOf(desired)
	hosts["master"].failAt = "write /api"
	hosts["slave2"].failAt = "write /program"
	outcome := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections})
	if got := hosts["slave1"].done("write"); !reflect.DeepEqual(got, []string{"/program"}) {
		t.Errorf("slave1 wrote %q", got)
	}
	var blocked *BlockedError
	if err := outcome.Hosts[1].Err; !errors.As(err, &blocked) || blocked.Stage != "api" || blocked.Hosts[0] != "master" {
		t.Errorf("slave1: %v", err)
	}
	for i, want := range []string{"file /api", "", "file /program"} {
		if err := outcome.Hosts[i].Err; !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", outcome.Hosts[i].Host, err)
		}
	}
	if outcome.Failed() != 3 {
		t.Errorf("%d failed", outcome.Failed())
	}
}

func TestApply_UnreachableMasterBlocksOnlyWhatNeedsIt(t *testing.T) {
	desired := twoRoles()
	connections, hosts := fleetOf(desired)
	observed := allBare(desired)
	observed["master"] = Observation{Err: errors.New("no route to host")}
	outcome := Apply(t.Context(), NewPlan(now, desired, observed), Options{Hosts: connections})
	if got := hosts["slave1"].done("write"); !reflect.DeepEqual(got, []string{"/program"}) || outcome.Failed() != 3 {
		t.Errorf("slave1 wrote %q; %v", got, outcome.Err())
	}
}

func TestApply_BlockedHostNamesThoseThatFailedInOrder(t *testing.T) {
	api := resource.Stage{Name: "api", Resources: file("/api")}
	desired := []resource.Host{{Name: "slave", Stages: []resource.Stage{{Name: "node", After: []string{"api"}, Resources: file("/node")}}}}
	for _, name := range []string{"c", "a", "d", "b"} {
		desired = append(desired, resource.Host{Name: name, Stages: []resource.Stage{api}})
	}
	connections, hosts := fleetOf(desired)
	for _, name := range []string{"a", "b", "c"} {
		hosts[name].failAt = "write /api"
	}
	err := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections}).Hosts[0].Err
	if err == nil || !strings.Contains(err.Error(), "not started: needs stage api, which failed on a, b, c") {
		t.Errorf("got %v", err)
	}
}

// Any order of stages that a template set may declare comes to an end, with
// whichever hosts fail.
func TestApply_NoOrderOfStagesDeadlocks(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		var desired []resource.Host
		for h := range 5 {
			host := resource.Host{Name: fmt.Sprint("host", h)}
			for s := range 6 {
				if random.IntN(3) == 0 {
					continue
				}
				stage := resource.Stage{Name: fmt.Sprint("stage", s), Resources: file(fmt.Sprint("/stage", s))}
				for before := range s {
					if random.IntN(4) == 0 {
						stage.After = append(stage.After, fmt.Sprint("stage", before))
					}
				}
				host.Stages = append(host.Stages, stage)
			}
			desired = append(desired, host)
		}
		connections, hosts := fleetOf(desired)
		for _, host := range hosts {
			if random.IntN(4) == 0 {
				host.failAt = fmt.Sprint("write /stage", random.IntN(6))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		Apply(ctx, NewPlan(now, desired, allBare(desired)), Options{Hosts: connections})
		if ctx.Err() != nil {
			t.Fatalf("round %d does not end", round)
		}
		cancel()
	}
}

func TestApply_CancelledEndsAtOnce(t *testing.T) {
	desired := twoRoles()
	connections, hosts := fleetOf(desired)
	hosts["master"].hold = make(chan struct{}) // for ever
	ctx, cancel := context.WithCancel(t.Context())
	finished := make(chan *Outcome)
	go func() {
		finished <- Apply(ctx, NewPlan(now, desired, allBare(desired)), Options{Hosts: connections})
	}()
	<-hosts["master"].begun
	cancel()
	if err := (<-finished).Err(); !errors.Is(err, context.Canceled) && !strings.Contains(fmt.Sprint(err), "canceled") {
		t.Errorf("got %v", err)
	}
}

func TestApply_FailedHostTellsHowMuchItBroughtAbout(t *testing.T) {
	desired := []resource.Host{webHost("a")}
	connections, hosts := fleetOf(desired)
	hosts["a"].failAt = "unit-restart"
	outcome := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections})
	if outcome.Hosts[0].Changed != 2 {
		t.Errorf("it tells of %d changes, want the 2 files", outcome.Hosts[0].Changed)
	}
}
