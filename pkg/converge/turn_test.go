package converge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"provision/pkg/resource"
)

func TestParseLimit_NumberOrShare(t *testing.T) {
	for text, want := range map[string]int{"1": 1, "3": 3, "25%": 5, "1%": 1, "100%": 20} {
		if limit, err := ParseLimit(text); err != nil || limit.of(20) != want {
			t.Errorf("%s of 20: %d, %v", text, limit.of(20), err)
		}
	}
	for _, text := range []string{"", "0", "-1", "0%", "101%", "x", "1.5"} {
		if _, err := ParseLimit(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
	for hosts, want := range map[int]int{1: 1, 9: 1, 10: 1, 25: 2, 1000: 100} {
		if got := defaultLimit().of(hosts); got != want {
			t.Errorf("by default %d of %d hosts", got, hosts)
		}
	}
}

// restartingFleet are hosts that all restart a running service.
func restartingFleet(count int) ([]resource.Host, map[string]Observation) {
	var desired []resource.Host
	observed := map[string]Observation{}
	for i := range count {
		host, seen := restarting(fmt.Sprint("host", i))
		desired = append(desired, host)
		observed[host.Name] = seen
	}
	return desired, observed
}

func TestApply_HostsThatRestartWhatRunsTakeTurnsAndHaltAfterAFailure(t *testing.T) {
	for limit, touched := range map[Limit]int{{}: 1, {Number: 1}: 1, {Percent: 50}: 2} {
		desired, observed := restartingFleet(4)
		connections, hosts := fleetOf(desired)
		for _, host := range hosts {
			host.failAt, host.sick, host.reverts = "unit-restart", "web.service", "back"
		}
		if touched == 2 { // both are at work before one fails
			for _, host := range hosts {
				host.hold = make(chan struct{})
			}
			go func() {
				begun := make(chan string, len(hosts))
				for name, host := range hosts {
					go func() { <-host.begun; begun <- name }()
				}
				<-begun
				<-begun
				for _, host := range hosts {
					close(host.hold)
				}
				for _, host := range hosts {
					select {
					case host.begun <- struct{}{}: // ends those that wait
					default:
					}
				}
			}()
		}
		outcome := Apply(t.Context(), NewPlan(now, desired, observed), Options{Run: Run{ID: "one"}, Hosts: connections, MaxUnavailable: limit})
		failed, halted := 0, 0
		for _, host := range outcome.Hosts {
			switch {
			case errors.As(host.Err, new(*HaltedError)) && errors.As(host.Err, new(*BlockedError)):
				halted++
				if verbs := hosts[host.Host].verbs(); len(verbs) != 0 {
					t.Errorf("%s was touched: %q", host.Host, verbs)
				}
			case errors.As(host.Err, new(*RolledBackError)):
				failed++
			default:
				t.Errorf("%s: %v", host.Host, host.Err)
			}
		}
		if failed != touched || halted != 4-touched {
			t.Errorf("limit %+v: %d failed, %d were halted", limit, failed, halted)
		}
	}
}

func TestApply_TurnsAreInTheOrderOfThePlan(t *testing.T) {
	desired, observed := restartingFleet(6)
	connections, hosts := fleetOf(desired)
	hosts["host1"].guardSays = "error no room\n" // it never takes its turn
	var mutex sync.Mutex
	var order []string
	Apply(t.Context(), NewPlan(now, desired, observed), Options{Run: Run{ID: "one"}, Hosts: connections, Observer: func(event Event) {
		mutex.Lock()
		defer mutex.Unlock()
		if event.Kind == EventStageStarted {
			order = append(order, event.Host)
		}
	}})
	if diff := cmp.Diff([]string{"host0", "host2", "host3", "host4", "host5"}, order); diff != "" {
		t.Error(diff)
	}
}

func TestTurn_HostThatForgoesItHoldsUpNobody(t *testing.T) {
	first := &turn{limit: 1, queue: []string{"a", "b", "c"}, moved: make(chan struct{})}
	taken := make(chan error)
	go func() { taken <- first.take(t.Context(), "web", "c") }()
	first.forgo("b")
	if !first.waits("c") {
		t.Error("c does not wait for a")
	}
	first.forgo("a")
	if err := <-taken; err != nil {
		t.Error(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	first.queue = []string{"d"}
	if err := first.take(ended, "web", "d"); !errors.Is(err, context.Canceled) {
		t.Errorf("with c at work: %v", err)
	}
	first.leave("c", nil)
	if first.waits("d") {
		t.Error("d waits for nobody")
	}
}

func TestApply_HostsThatRestartNothingDoNotWait(t *testing.T) {
	var desired []resource.Host
	for i := range 4 {
		desired = append(desired, webHost(fmt.Sprint("host", i)))
	}
	connections, hosts := fleetOf(desired)
	hold := make(chan struct{})
	for _, host := range hosts {
		host.hold = hold
	}
	done := make(chan error)
	go func() {
		done <- Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Run: Run{ID: "one"}, Hosts: connections, MaxUnavailable: Limit{Number: 1}}).Err()
	}()
	for _, host := range hosts {
		<-host.begun
	}
	close(hold)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestApply_AfterMaxFailNothingElseIsBegun(t *testing.T) {
	for most, want := range map[int]bool{0: false, 1: true, 2: false} {
		desired := []resource.Host{
			{Name: "a", Stages: []resource.Stage{{Name: "first", Resources: file("/a")}, {Name: "last", Resources: file("/z")}}},
			{Name: "b", Stages: []resource.Stage{{Name: "other", Resources: file("/b")}}},
			{Name: "c", Stages: []resource.Stage{{Name: "late", Resources: file("/c")}}},
		}
		connections, hosts := fleetOf(desired)
		hosts["a"].failAt = "write /a"
		plan := NewPlan(now, desired, allBare(desired))
		r := &run{Options: Options{Run: Run{ID: "one"}, Hosts: connections, MaxFail: most}, plan: plan, gates: newGates(plan), turns: newTurns(plan, Limit{})}
		r.signers = newSigners(plan, connections)
		first := r.host(t.Context(), &plan.Hosts[0])
		later := r.host(t.Context(), &plan.Hosts[2])
		r.locks.release()
		if first.Err == nil {
			t.Fatal("it did not fail")
		}
		if stopped := errors.As(later.Err, new(*StoppedError)); stopped != want || stopped != (len(hosts["c"].verbs()) == 0) {
			t.Errorf("at most %d: %v", most, later.Err)
		}
		if want && !strings.Contains(later.Err.Error(), "a") {
			t.Error(later.Err)
		}
	}
}
