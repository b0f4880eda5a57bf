package converge

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/pkg/resource"
)

const heldByAlice = "Welcome!\nguard held\nguard run theirs\nguard by alice@laptop\nguard since 2026-01-02T03:04:05Z\nguard from 192.0.2.7\n"

func TestApply_ClusterThatIsLockedIsLeftAlone(t *testing.T) {
	for name, unchanged := range map[string]bool{"first host to be changed too": false, "nothing to change on the first host": true} {
		t.Run(name, func(t *testing.T) {
			desired := []resource.Host{webHost("a"), webHost("b")}
			connections, hosts := fleetOf(desired)
			hosts["a"].guardSays = heldByAlice
			seen := allBare(desired)
			if unchanged {
				seen["a"] = converged(webHost("a"))
			}
			outcome := Apply(t.Context(), NewPlan(now, desired, seen), Options{Run: Run{ID: "ours"}, Hosts: connections})
			var locked *LockedError
			if !errors.As(outcome.Refused, &locked) || len(outcome.Hosts) != 0 {
				t.Fatalf("got %v, hosts %v", outcome.Refused, outcome.Hosts)
			}
			want := LockedError{Host: "a", By: "alice@laptop", From: "192.0.2.7", Run: "theirs", Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
			if *locked != want {
				t.Errorf("got %+v", *locked)
			}
			text := "a is being changed by another run (by alice@laptop, from 192.0.2.7, since 2026-01-02 03:04:05 UTC, run theirs): wait for its end; if that run is dead, the lock goes by itself within 30 s"
			if outcome.Err().Error() != text {
				t.Errorf("got %q", outcome.Err())
			}
			if len(hosts["a"].execs)+len(hosts["b"].execs)+len(hosts["b"].guards) != 0 {
				t.Errorf("execs %q and %q, guards of b %q", hosts["a"].execs, hosts["b"].execs, hosts["b"].guards)
			}
		})
	}
}

func TestApply_OtherHostThatIsLockedFailsAlone(t *testing.T) {
	desired := twoRoles()
	connections, hosts := fleetOf(desired)
	hosts["slave1"].guardSays = heldByAlice
	outcome := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections})
	var locked *LockedError
	if outcome.Failed() != 1 || !errors.As(outcome.Hosts[1].Err, &locked) || locked.Host != "slave1" {
		t.Errorf("got %v", outcome.Err())
	}
	if len(outcome.Hosts[1].Stages) != 1 || len(hosts["slave1"].execs) != 0 {
		t.Errorf("stages %v, execs %q", outcome.Hosts[1].Stages, hosts["slave1"].execs)
	}
	if got := hosts["slave2"].done("write"); !reflect.DeepEqual(got, []string{"/program", "/node"}) {
		t.Errorf("slave2 wrote %q", got)
	}
}

func TestApply_PlanThatAnotherRunOvertookIsRefused(t *testing.T) {
	changed := "guard changed\nguard run theirs\nguard by alice@laptop\nguard since 2026-01-02T03:04:05Z\n"
	desired := []resource.Host{webHost("a"), webHost("b")}
	for _, host := range []string{"a", "b"} {
		connections, hosts := fleetOf(desired)
		hosts[host].guardSays = changed
		outcome := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections})
		err := outcome.Err()
		if !strings.Contains(err.Error(), host+" was changed by another run since it was looked at (by alice@laptop, since 2026-01-02 03:04:05 UTC, run theirs): run again") {
			t.Errorf("%s: %v", host, err)
		}
		if len(hosts[host].execs) != 0 || (outcome.Refused != nil) != (host == "a") {
			t.Errorf("%s: execs %q, refused: %v", host, hosts[host].execs, outcome.Refused)
		}
	}
}

func TestApply_GuardIsToldWhoseRunItIsAndWhatThePlanSaw(t *testing.T) {
	desired := []resource.Host{webHost("a"), webHost("b"), webHost("c")}
	connections, hosts := fleetOf(desired)
	seen := allBare(desired)
	second := bare()
	second.RecordSum = strings.Repeat("a", 64)
	seen["b"], seen["c"] = second, converged(webHost("c"))
	run := Run{ID: "one", By: "alice@laptop", Time: now}
	if err := Apply(t.Context(), NewPlan(now, desired, seen), Options{Run: run, Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	for name, sum := range map[string]string{"a": "-", "b": second.RecordSum} {
		want := [][]string{{"30", sum, "one", "alice@laptop", "2026-11-24T08:00:00Z"}}
		if !reflect.DeepEqual(hosts[name].guards, want) || !hosts[name].closed {
			t.Errorf("%s: guards %q, closed: %t", name, hosts[name].guards, hosts[name].closed)
		}
		if want := []string{"one", "one"}; !slices.Equal(hosts[name].guarded, want) {
			t.Errorf("%s: scripts of %q, want %q", name, hosts[name].guarded, want)
		}
	}
	if len(hosts["c"].guards) != 0 {
		t.Error("a host without changes was locked")
	}
}

func TestApply_PlanWithoutChangesLocksNothing(t *testing.T) {
	desired := []resource.Host{webHost("a")}
	connections, hosts := fleetOf(desired)
	outcome := Apply(t.Context(), NewPlan(now, desired, map[string]Observation{"a": converged(webHost("a"))}), Options{Hosts: connections})
	if outcome.Err() != nil || len(hosts["a"].guards) != 0 {
		t.Errorf("%v, guards %q", outcome.Err(), hosts["a"].guards)
	}
}

func TestApply_UnreachableFirstHostLeavesTheOthersTheirOwnLocks(t *testing.T) {
	desired := twoRoles()
	connections, hosts := fleetOf(desired)
	seen := allBare(desired)
	seen["master"] = Observation{Err: errors.New("no route to host")}
	Apply(t.Context(), NewPlan(now, desired, seen), Options{Hosts: connections})
	for _, name := range []string{"slave1", "slave2"} {
		if len(hosts[name].guards) != 1 || !reflect.DeepEqual(hosts[name].done("write"), []string{"/program"}) {
			t.Errorf("%s: guards %q, wrote %q", name, hosts[name].guards, hosts[name].done("write"))
		}
	}
	if len(hosts["master"].guards) != 0 {
		t.Error("the unreachable host was locked")
	}
}

func TestApply_HostThatCannotBeLockedIsNotTouched(t *testing.T) {
	for name, says := range map[string]string{"ends without a word": "Welcome!\n", "says something else": "guard what\n"} {
		desired := []resource.Host{webHost("a"), webHost("b")}
		connections, hosts := fleetOf(desired)
		hosts["a"].guardSays = says
		outcome := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections})
		if err := outcome.Hosts[0].Err; err == nil || !strings.Contains(err.Error(), "take the lock") || len(hosts["a"].execs) != 0 {
			t.Errorf("%s: %v, execs %q", name, err, hosts["a"].execs)
		}
		if outcome.Hosts[1].Err != nil {
			t.Errorf("%s: the other host: %v", name, outcome.Hosts[1].Err)
		}
	}
}

// What happens to a host without its lock may meet another run.
func TestApply_GuardThatIsKilledFailsItsHost(t *testing.T) {
	desired := twoRoles()
	connections, hosts := fleetOf(desired)
	hosts["slave1"].hold, hosts["slave1"].kill = make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	finished := make(chan *Outcome)
	go func() {
		finished <- Apply(ctx, NewPlan(now, desired, allBare(desired)), Options{Hosts: connections})
	}()
	<-hosts["slave1"].begun
	close(hosts["slave1"].kill)
	outcome := <-finished
	if err := outcome.Hosts[1].Err; err == nil || !strings.Contains(err.Error(), "the host's lock was lost while it was being changed: killed; run again") {
		t.Errorf("got %v", err)
	}
	if outcome.Failed() != 1 {
		t.Errorf("%d hosts failed: %v", outcome.Failed(), outcome.Err())
	}
}

// The first host's lock stands for the cluster: it is kept until the last host
// is done.
func TestApply_FirstHostStaysLockedToTheEnd(t *testing.T) {
	desired := twoRoles()
	connections, hosts := fleetOf(desired)
	hosts["slave2"].hold = make(chan struct{})
	finished := make(chan *Outcome)
	seen := allBare(desired)
	seen["master"] = converged(desired[0])
	go func() { finished <- Apply(t.Context(), NewPlan(now, desired, seen), Options{Hosts: connections}) }()
	<-hosts["slave2"].begun
	hosts["master"].mutex.Lock()
	if hosts["master"].closed || len(hosts["master"].guards) != 1 {
		t.Errorf("guards of the master %q, closed: %t", hosts["master"].guards, hosts["master"].closed)
	}
	hosts["master"].mutex.Unlock()
	close(hosts["slave2"].hold)
	if err := (<-finished).Err(); err != nil {
		t.Error(err)
	}
	if !hosts["master"].closed {
		t.Error("the lock was not let go")
	}
}

// Closed, not cut off: it is the guard that ends what runs on the host.
func TestApply_InterruptedRunClosesItsGuards(t *testing.T) {
	desired := twoRoles()
	connections, hosts := fleetOf(desired)
	hosts["slave1"].hold = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	finished := make(chan *Outcome)
	go func() {
		finished <- Apply(ctx, NewPlan(now, desired, allBare(desired)), Options{Hosts: connections})
	}()
	<-hosts["slave1"].begun
	cancel()
	<-finished
	for name, host := range hosts {
		if !host.closed && len(host.guards) > 0 {
			t.Errorf("the guard of %s was not closed", name)
		}
	}
}

func TestGuardAnswer_TakesOutputInAnyPieces(t *testing.T) {
	for size := 1; size <= len(heldByAlice); size++ {
		answer := &guardAnswer{locked: make(chan struct{})}
		for chunk := range slices.Chunk([]byte(heldByAlice), size) {
			_, _ = answer.Write(chunk)
		}
		if err := answer.refusal("a", nil); !strings.Contains(err.Error(), "alice@laptop") {
			t.Fatalf("in pieces of %d: %v", size, err)
		}
	}
}

func TestGuardAnswer_EndlessOutputFillsNoMemory(t *testing.T) {
	answer := &guardAnswer{locked: make(chan struct{})}
	for range 100 {
		_, _ = answer.Write([]byte(strings.Repeat("guard x\n", 1000) + strings.Repeat("x", 100<<10)))
	}
	if len(answer.lines) > mostGuardLines || len(answer.line) > longestLine {
		t.Errorf("it keeps %d lines and %d bytes", len(answer.lines), len(answer.line))
	}
}
