package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"provision/pkg/converge"
	"provision/pkg/inventory"
	"provision/pkg/resource"
)

func threeHosts(t *testing.T) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.Parse("/i.yaml", []byte(`
master: {name: m, address: 10.25.31.1}
slaves: [{name: s1, address: 10.25.31.2}, {name: s2, address: 10.25.31.3}]
registry: {name: m, address: 10.25.31.1}
artifacts: {dir: a}
`))
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func TestSelection_Hosts(t *testing.T) {
	for limit, want := range map[string]string{
		"": "m s1 s2", "s1": "s1", "s*": "s1 s2", "slaves": "s1 s2", "slave": "s1 s2", "registry": "m", "10.25.31.3": "s2", "m,s2": "m s2", "*": "m s1 s2",
	} {
		part := selection{}
		if limit != "" {
			part.Limit = strings.Split(limit, ",")
		}
		selected, err := part.hosts(threeHosts(t))
		if err != nil {
			t.Errorf("%s: %v", limit, err)
		}
		maps.DeleteFunc(selected, func(_ string, in bool) bool { return !in })
		if got := strings.Join(slices.Sorted(maps.Keys(selected)), " "); got != want {
			t.Errorf("%s: got %s, want %s", limit, got, want)
		}
	}
	for _, limit := range []string{"s3", "", "S1", "s?"} {
		if _, err := (selection{Limit: []string{limit}}).hosts(threeHosts(t)); err == nil || !strings.Contains(err.Error(), "there are m, s1, s2") {
			t.Errorf("%q: %v", limit, err)
		}
	}
}

func TestSelection_OnlyMustMatchSomething(t *testing.T) {
	hosts := []resource.Host{{Name: "m", Stages: []resource.Stage{{Name: "api", Resources: []resource.Resource{
		resource.File{Path: "/etc/a"}, resource.Service{Unit: "a.service"},
	}}}}}
	for _, only := range []string{"api", "a*", "/etc/a", "file /etc/*", "service *", "a.service"} {
		if err := (selection{Only: []string{only}}).check(hosts); err != nil {
			t.Errorf("%s: %v", only, err)
		}
	}
	for _, only := range []string{"", "file", "/etc/b", "a.servic?"} {
		if err := (selection{Only: []string{only}}).check(hosts); err == nil || !strings.Contains(err.Error(), "stages are api") {
			t.Errorf("%s: %v", only, err)
		}
	}
}

func TestSelection_NarrowsAPlan(t *testing.T) {
	plan := &converge.Plan{Hosts: []converge.HostPlan{
		{Host: "a", Stages: []converge.StagePlan{{Name: "one", Changes: []converge.Change{
			{Resource: resource.ID{Kind: "file", Name: "/x"}, Action: converge.ActionUpdate},
			{Resource: resource.ID{Kind: "service", Name: "x.service"}, Action: converge.ActionRestart},
			{Resource: resource.ID{Kind: "service", Name: "y.service"}, Action: converge.ActionStart},
		}}}},
		{Host: "b", Stages: []converge.StagePlan{{Name: "two", Changes: []converge.Change{{Resource: resource.ID{Kind: "file", Name: "/y"}}}}}},
	}}
	both := map[string]bool{"a": true, "b": true}
	for name, c := range map[string]struct {
		part     selection
		selected map[string]bool
		want     string
	}{
		"all":        {selection{}, both, "/x x.service y.service /y"},
		"host":       {selection{Limit: []string{"b"}}, map[string]bool{"b": true}, "/y"},
		"stage":      {selection{Only: []string{"one"}}, both, "/x x.service y.service"},
		"resource":   {selection{Only: []string{"file *"}}, both, "/x /y"},
		"no restart": {selection{NoRestart: true}, both, "/x y.service /y"},
		"together":   {selection{Only: []string{"one"}, NoRestart: true}, map[string]bool{"a": true}, "/x y.service"},
	} {
		var got []string
		for _, host := range c.part.narrow(plan, c.selected).Hosts {
			for _, change := range host.Changes() {
				got = append(got, change.Resource.Name)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	services, hosts := disturbance(plan)
	if services != 1 || hosts != 1 {
		t.Errorf("disturbs %d services on %d hosts", services, hosts)
	}
}

func TestConfirm_AsksBeforeItDisturbs(t *testing.T) {
	f := &flags{}
	calm := &converge.Plan{Hosts: []converge.HostPlan{{Host: "a"}}}
	if err := f.confirm(t.Context(), calm, noTerminal); err != nil {
		t.Errorf("a plan that disturbs nothing: %v", err)
	}
	disturbing := &converge.Plan{Hosts: []converge.HostPlan{{Host: "a", Stages: []converge.StagePlan{{Changes: []converge.Change{{Action: converge.ActionRestart}}}}}}}
	if err := f.confirm(t.Context(), disturbing, noTerminal); err == nil || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("without a terminal: %v", err)
	}
	const question = "1 running service on 1 host would be restarted or stopped. Go on? [y/N] "
	for answer, agrees := range map[string]bool{"y\n": true, "Yes\n": true, "n\n": false, "\n": false, "maybe\n": false} {
		person, tty := terminal(t)
		done := make(chan error, 1)
		go func() { done <- f.confirm(t.Context(), disturbing, tty) }()
		if got := readN(t, person, len(question)); got != question {
			t.Errorf("asked %q", got)
		}
		if _, err := person.WriteString(answer); err != nil {
			t.Fatal(err)
		}
		if err := <-done; (err == nil) != agrees {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

func TestPlanFile_HoldsOnlyWhileNothingMoved(t *testing.T) {
	plan := func(action converge.Action, hosts ...string) *converge.Plan {
		p := &converge.Plan{}
		for _, name := range hosts {
			p.Hosts = append(p.Hosts, converge.HostPlan{Host: name, Stages: []converge.StagePlan{{Name: "one", Changes: []converge.Change{{Action: action}}}}})
		}
		return p
	}
	name := t.TempDir() + "/x.plan"
	d := &declared{sum: "1", selection: selection{Limit: []string{"a"}}}
	if err := writePlanFile(name, plan(converge.ActionUpdate, "a", "b"), d); err != nil {
		t.Fatal(err)
	}
	saved, err := readPlanFile(name)
	if err != nil || !slices.Equal(saved.Selection.Limit, []string{"a"}) {
		t.Fatalf("got %+v, %v", saved, err)
	}
	if err := saved.holds(plan(converge.ActionUpdate, "a", "b"), d); err != nil {
		t.Errorf("the same plan: %v", err)
	}
	for want, err := range map[string]error{
		"due on a, b":               saved.holds(plan(converge.ActionRestart, "a", "b"), d),
		"due on b":                  saved.holds(plan(converge.ActionUpdate, "a"), d),
		"due on c":                  saved.holds(plan(converge.ActionUpdate, "a", "b", "c"), d),
		"the inventory has changed": saved.holds(plan(converge.ActionUpdate, "a", "b"), &declared{sum: "2"}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "plan again") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
