package converge

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"provision/pkg/pki"
	"provision/pkg/resource"
)

// Half an authority, or something else in its place, is for a person to judge:
// no host may get a certificate of an authority that is nowhere.
func TestNewPlan_DamagedAuthorityLeavesOtherHostsAlone(t *testing.T) {
	for name, disturb := range map[string]func(map[string]resource.FileFact){
		"certificate is gone":   func(f map[string]resource.FileFact) { delete(f, "/pki/ca.crt") },
		"certificate is a link": func(f map[string]resource.FileFact) { f["/pki/ca.crt"] = resource.FileFact{Type: "link", Mode: "0777"} },
		"certificate is empty":  func(f map[string]resource.FileFact) { f["/pki/ca.crt"] = resource.FileFact{Type: "file", Shown: true} },
		"certificate is a link and the key is gone": func(f map[string]resource.FileFact) {
			f["/pki/ca.crt"] = resource.FileFact{Type: "link"}
			delete(f, "/pki/ca.key")
		},
		"certificate is gone, and the key is a link": func(f map[string]resource.FileFact) {
			delete(f, "/pki/ca.crt")
			f["/pki/ca.key"] = resource.FileFact{Type: "link"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			seen, ca := secured(t)
			seen["master"].Record.Resources["authority cluster"] = resource.State{{Name: "key", Value: "present"}} // it was in use
			seen["slave"].Record.Resources["trust /pki/ca.crt"] = resource.State{{Name: "content", Value: resource.Sum(ca.CertPEM())}}
			disturb(seen["master"].Facts.Files)
			desired := securedHosts()
			desired[1].Stages[0].After = nil // whatever the template set's author forgot
			plan := NewPlan(now, desired, seen)
			if got := lines(plan); len(got) > 0 && strings.HasPrefix(got[len(got)-1], "slave") {
				t.Errorf("got %q", got)
			}
			delete(seen["slave"].Facts.Files, "/pki/x.key") // now a certificate is due
			connections, hosts := fleetOf(desired)
			outcome := Apply(t.Context(), NewPlan(now, desired, seen), Options{Hosts: connections})
			if err := outcome.Hosts[1].Err; err == nil || !strings.Contains(err.Error(), "authority cluster") || len(hosts["slave"].done("write")) != 0 {
				t.Errorf("%v; the slave was given %q", err, hosts["slave"].done("write"))
			}
		})
	}
}

func TestNewPlan_CertificateWithAWrongModeIsNoRenewal(t *testing.T) {
	seen, _ := secured(t)
	desired := securedHosts()
	for _, r := range desired[1].Resources() {
		view := resource.View{Facts: seen["slave"].Facts, Now: now, Authorities: map[string][]byte{"cluster": seen["master"].Facts.Files["/pki/ca.crt"].Content}}
		seen["slave"].Record.Resources[r.ID().String()] = r.Want(view)
	}
	key := seen["slave"].Facts.Files["/pki/x.key"]
	key.Mode = "0644"
	seen["slave"].Facts.Files["/pki/x.key"] = key
	want := []string{"slave: update certificate /pki/x.crt (drift)"}
	if got := lines(NewPlan(now, desired, seen)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	delete(seen["slave"].Facts.Files, "/pki/x.key")
	want = []string{"slave: update certificate /pki/x.crt (renewal)"}
	if got := lines(NewPlan(now, desired, seen)); !reflect.DeepEqual(got, want) {
		t.Errorf("without a key: got %q, want %q", got, want)
	}
}

func TestNewPlan_StoppedServiceIsStoppedOnlyWhereItRuns(t *testing.T) {
	host := resource.Host{Name: "a", Stages: []resource.Stage{{Name: "s", Resources: []resource.Resource{resource.Service{Unit: "web.service", Stopped: true}}}}}
	for state, want := range map[string][]string{
		"active": {"a: stop service web.service (new)"}, "inactive": {}, "failed": {},
	} {
		seen := bare()
		seen.Facts.Units["web.service"] = resource.UnitFact{LoadState: "loaded", ActiveState: state, UnitFileState: "disabled"}
		if got := planOf(host, seen); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", state, got, want)
		}
	}
}

func TestNewPlan_CommandThatFailsItsCheckIsRun(t *testing.T) {
	host := resource.Host{Name: "a", Stages: []resource.Stage{{Name: "s", Resources: []resource.Resource{resource.Command{Name: "swap-off", Check: []string{"x"}, Do: []string{"y"}}}}}}
	seen := bare()
	seen.Facts.Checks = map[string]resource.CheckFact{"swap-off": {Status: 1}}
	if got := planOf(host, seen); !reflect.DeepEqual(got, []string{"a: run command swap-off (new)"}) {
		t.Errorf("got %q", got)
	}
}

// What was not seen to the end is not shown as if it had ended there.
func TestNewPlan_DiffOfAFileThatCameInPartIsNotShown(t *testing.T) {
	seen := converged(webHost("a"))
	whole := []byte("changed\nand more\n")
	seen.Facts.Files["/etc/web.conf"] = resource.FileFact{Type: "file", Mode: "0644", Owner: "root", Group: "root", Sum: resource.Sum(whole), Content: whole[:8], Shown: true}
	diffOf := func() string {
		return NewPlan(now, []resource.Host{webHost("a")}, map[string]Observation{"a": seen}).Hosts[0].Changes()[0].Diff
	}
	if diff := diffOf(); diff != "" {
		t.Errorf("half a file: %q", diff)
	}
	fact := seen.Facts.Files["/etc/web.conf"]
	fact.Content = whole
	seen.Facts.Files["/etc/web.conf"] = fact
	if diff := diffOf(); !strings.Contains(diff, "-and more") {
		t.Errorf("a whole file: %q", diff)
	}
}

func TestNewPlan_StagesKeepTheirOrderAlsoWithoutChanges(t *testing.T) {
	plan := NewPlan(now, []resource.Host{webHost("a")}, map[string]Observation{"a": converged(webHost("a"))})
	var names []string
	for _, stage := range plan.Hosts[0].Stages {
		names = append(names, fmt.Sprint(stage.Name, len(stage.Changes)))
	}
	if !reflect.DeepEqual(names, []string{"files0", "services0"}) {
		t.Errorf("stages %q", names)
	}
}

func TestNewPlan_SameInputGivesTheSamePlanAndIsLeftAsItWas(t *testing.T) {
	desired, observed := []resource.Host{webHost("a"), webHost("b")}, map[string]Observation{}
	observed["a"], observed["b"] = bare(), converged(webHost("b"))
	delete(observed["b"].Facts.Files, "/etc/web.conf")
	before, _ := json.Marshal(observed)
	first, _ := json.Marshal(NewPlan(now, desired, observed))
	second, _ := json.Marshal(NewPlan(now, desired, observed))
	after, _ := json.Marshal(observed)
	if string(first) != string(second) || string(before) != string(after) {
		t.Errorf("plans\n%s\n%s\nobservations\n%s\n%s", first, second, before, after)
	}
}

// Whatever has drifted: applied, it needs no second plan.
func TestNewPlan_WhatWasAppliedNeedsNothingMore(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 300 {
		host := webHost("a")
		seen := disturbed(random, host)
		plan := NewPlan(now, []resource.Host{host}, map[string]Observation{"a": seen})
		connections, hosts := fleetOf([]resource.Host{host})
		if err := Apply(t.Context(), plan, Options{Hosts: connections}).Err(); err != nil {
			t.Fatal(err)
		}
		after := converged(host)
		if written := records(t, hosts["a"]); len(written) > 0 {
			after.Record = &written[len(written)-1]
		} else {
			after.Record = seen.Record
		}
		if got := planOf(host, after); len(got) != 0 {
			t.Fatalf("round %d: after %q the next plan is %q", round, lines(plan), got)
		}
	}
}

// disturbed is a converged host with some of it changed by somebody.
func disturbed(random *rand.Rand, host resource.Host) Observation {
	seen := converged(host)
	for path, fact := range seen.Facts.Files {
		switch random.IntN(5) {
		case 0:
			delete(seen.Facts.Files, path)
			continue
		case 1:
			fact.Mode = "0600"
		case 2:
			fact.Sum = "other"
		case 3:
			fact = resource.FileFact{Type: "link"}
		}
		seen.Facts.Files[path] = fact
	}
	for unit, fact := range seen.Facts.Units {
		fact.ActiveState = []string{"active", "active", "inactive", "failed"}[random.IntN(4)]
		fact.UnitFileState = []string{"enabled", "enabled", "disabled", "masked"}[random.IntN(4)]
		fact.NeedReload = random.IntN(4) == 0
		seen.Facts.Units[unit] = fact
	}
	for name := range seen.Record.Resources {
		if random.IntN(6) == 0 {
			delete(seen.Record.Resources, name)
		}
	}
	return seen
}

func TestPlan_SummaryCountsEachKindOfChange(t *testing.T) {
	drifted := converged(webHost("b"))
	delete(drifted.Facts.Files, "/etc/web.conf")
	desired := []resource.Host{webHost("a"), webHost("b"), webHost("c"), webHost("d")}
	plan := NewPlan(now, desired, map[string]Observation{
		"a": bare(), "b": drifted, "c": converged(webHost("c")), "d": {Err: errors.New("down")},
	})
	want := Summary{Hosts: 4, Changed: 2, Unreachable: 1, Changes: 5, Restarts: 1}
	if got := plan.Summary(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A key that a plan was made from can't be in it: only its sum was asked for.
func TestNewPlan_NeverAsksForAKey(t *testing.T) {
	var resources []resource.Resource
	for _, host := range securedHosts() {
		resources = append(resources, host.Resources()...)
	}
	resources = append(resources, resource.File{Path: "/etc/token", Secret: true}, resource.File{Path: "/etc/once", Once: true})
	for path := range resource.NewQuestions(resources).Shown {
		if strings.HasSuffix(path, ".key") || path == "/etc/token" || path == "/etc/once" {
			t.Errorf("the content of %s is asked for", path)
		}
	}
	if pki.RenewBefore <= 0 {
		t.Error("certificates are not renewed before they expire")
	}
}
