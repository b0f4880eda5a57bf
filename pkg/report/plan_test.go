package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/pkg/converge"
	"provision/pkg/resource"
)

func writePlan(plan *converge.Plan, options PlanOptions) string {
	return text(Style{Width: 80}, func(w io.Writer, s Style) { WritePlan(w, plan, s, options) })
}

func TestWritePlan_EqualChangesOfManyHostsAreFewLines(t *testing.T) {
	for _, n := range []int{200, 1000} {
		began := time.Now()
		out := writePlan(secondRun(slaves(n)...), PlanOptions{})
		took := time.Since(began)
		if lines := strings.Count(out, "\n"); lines >= 100 {
			t.Errorf("%d hosts: %d lines", n, lines)
		}
		if want := fmt.Sprintf("change file /etc/kubernetes/kubelet on %d hosts", n); !strings.Contains(out, want) {
			t.Errorf("%d hosts: no %q in\n%s", n, want, out)
		}
		if took > time.Second {
			t.Errorf("%d hosts took %v", n, took)
		}
	}
}

func TestWritePlan_NothingToDoIsOneLine(t *testing.T) {
	plan := &converge.Plan{Hosts: []converge.HostPlan{{Host: "master"}, {Host: "slave1"}}}
	if got, want := writePlan(plan, PlanOptions{}), "No changes: 2 hosts are as the inventory wants them.\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got := writePlan(unreachable(plan, "slave9"), PlanOptions{})
	if want := "No changes on 2 hosts; 1 host unreachable\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want it to end in %q", got, want)
	}
}

func TestWritePlan_DifferentDiffsAreShownByHost(t *testing.T) {
	plan := secondRun(slaves(5)...)
	for i := range plan.Hosts[1:] {
		c := &plan.Hosts[i+1].Stages[1].Changes[0]
		c.Diff = strings.ReplaceAll(c.Diff, "--v=9", fmt.Sprintf("--v=%d", min(i, 4)))
	}
	out := writePlan(plan, PlanOptions{})
	for _, want := range []string{"kubelet on 5 hosts", "on slave1:", "and 2 more hosts with a diff of their own"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := writePlan(plan, PlanOptions{Verbose: true}); !strings.Contains(out, "on slave5:") {
		t.Errorf("verbose leaves slave5 out:\n%s", out)
	}
}

func TestWritePlan_DiffsThatNameTheirHostAreOne(t *testing.T) {
	plan := secondRun(slaves(1000)...)
	for i := range plan.Hosts[1:] {
		c := &plan.Hosts[i+1].Stages[1].Changes[0]
		c.Diff = strings.ReplaceAll(c.Diff, "--v=2", "--hostname-override="+plan.Hosts[i+1].Host)
	}
	out := writePlan(plan, PlanOptions{})
	if strings.Count(out, "@@ ") != 1 || !strings.Contains(out, "(as on slave1:") {
		t.Errorf("got\n%s", out)
	}
}

func TestWritePlan_NamesTheHostsOfAPart(t *testing.T) {
	out := writePlan(secondRun(slaves(40)...), PlanOptions{})
	if want := "swap-off on 6 of 40 hosts: check fails with status 1\n      slave1, slave8, slave15, slave22, slave29, slave36\n"; !strings.Contains(out, want) {
		t.Errorf("no %q in\n%s", want, out)
	}
}

func TestWritePlan_FewNewThingsAreListed(t *testing.T) {
	plan := &converge.Plan{Hosts: []converge.HostPlan{{Host: "slave1", Stages: []converge.StagePlan{
		stage("node", nil, created("file", "/etc/a"), started("a.service", resource.ID{Kind: "file", Name: "/etc/a"})),
	}}}}
	want := "stage node\n  + new    file /etc/a on slave1\n  ▸ new    service a.service on slave1: start\n\nPlan: 1 host, 2 changes (2 new)\n"
	if got := writePlan(plan, PlanOptions{}); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestWritePlan_NeverPrintsSums(t *testing.T) {
	for _, name := range []string{"content", "inputs", "key", "key sum", "manifest", "source", "output", "something else"} {
		for _, have := range []string{"", sum(1), "a word"} {
			c := change(converge.ActionUpdate, converge.CauseDrift, "file", "/x", resource.Difference{Name: name, Have: have, Want: sum(2)})
			out := writePlan(&converge.Plan{Hosts: []converge.HostPlan{{Host: "a", Stages: []converge.StagePlan{stage("s", nil, c)}}}}, PlanOptions{Verbose: true})
			if strings.Contains(out, sum(1)) || strings.Contains(out, sum(2)) {
				t.Errorf("%s from %q:\n%s", name, have, out)
			}
		}
	}
}

func TestDetails_SayWhatDiffers(t *testing.T) {
	for _, c := range []struct {
		change converge.Change
		want   string
	}{
		{change(converge.ActionUpdate, converge.CauseDrift, "file", "/x", resource.Difference{Name: "content", Have: "a symlink", Want: sum(1)}), "content is a symlink"},
		{change(converge.ActionUpdate, converge.CauseDrift, "certificate", "/x", resource.Difference{Name: "key", Have: "absent", Want: sum(1)}), "key absent"},
		{change(converge.ActionUpdate, converge.CauseDrift, "authority", "x", resource.Difference{Name: "key sum", Have: sum(2), Want: sum(1)}), "key differs"},
		{change(converge.ActionUpdate, converge.CauseDrift, "image", "pause:1", resource.Difference{Name: "manifest", Have: sum(2), Want: sum(1)}), "tag names another image"},
		{change(converge.ActionRestart, converge.CauseDrift, "service", "x", resource.Difference{Name: "inputs", Have: "interrupted", Want: sum(1)}), "restart: an earlier run was cut short"},
		{change(converge.ActionRestart, converge.CauseChange, "service", "x", resource.Difference{Name: "inputs", Have: sum(2), Want: sum(1)}), "restart: what it uses has changed"},
		{change(converge.ActionConfigure, converge.CauseDrift, "service", "x", resource.Difference{Name: "unit", Have: "changed on disk", Want: "loaded"}), "unit changed on disk"},
		{change(converge.ActionRun, converge.CauseDrift, "command", "x", resource.Difference{Name: "output", Have: sum(2), Want: sum(1)}), "output differs"},
		{change(converge.ActionCreate, converge.CauseDrift, "file", "/x", resource.Difference{Name: "content", Want: sum(1)}), ""},
	} {
		if got := strings.Join(details(c.change, false), "; "); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.change.Resource, c.change.Differences, got, c.want)
		}
	}
}

func TestStageOrder_KeepsHostsAndWaits(t *testing.T) {
	plan := firstInstall()
	slices.Reverse(plan.Hosts)
	order := stageOrder(plan)
	want := []string{"prepare", "slave-programs", "master-programs", "authorities", "control-plane", "node"}
	if !slices.Equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
	circle := &converge.Plan{Hosts: []converge.HostPlan{{Host: "a", Stages: []converge.StagePlan{stage("x", []string{"y"}), stage("y", nil)}}}}
	if order := stageOrder(circle); len(order) != 2 {
		t.Errorf("a circle gives %v", order)
	}
}

func TestPlanJSON_Golden(t *testing.T) {
	got, err := PlanJSON(unreachable(secondRun("slave1"), "slave9"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.json", append(got, '\n'))
}

func TestPlanJSON_RoundTrip(t *testing.T) {
	first, err := PlanJSON(unreachable(secondRun("slave1", "slave2"), "slave9"))
	if err != nil {
		t.Fatal(err)
	}
	var document PlanDocument
	decoder := json.NewDecoder(bytes.NewReader(first))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&document); err != nil {
		t.Fatal(err)
	}
	second, err := marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("got\n%s\nwant\n%s", second, first)
	}
}

func TestRunJSON_Golden(t *testing.T) {
	run := converge.Run{ID: "20261124T090000Z-ABCDEF", By: "op@desk", Time: begin, Inventory: sum(9)}
	got, err := RunJSON(&Account{Cluster: "kubernetes", Run: run, Plan: secondRun("slave1"), Applied: ended(slaves(5)), Checks: verified(slaves(2), true), Ended: at(30), Exit: 3})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "run.json", append(got, '\n'))
}

func TestRunJSON_NothingDone(t *testing.T) {
	plan := unreachable(&converge.Plan{Hosts: []converge.HostPlan{{Host: "master"}}}, "slave9")
	got, err := RunJSON(&Account{Plan: plan})
	if err != nil {
		t.Fatal(err)
	}
	var document RunDocument
	if err := json.Unmarshal(got, &document); err != nil {
		t.Fatal(err)
	}
	if document.Summary != (RunSummary{Hosts: 2, OK: 1, Unreachable: 1}) || document.Verification != nil || document.Hosts[1].Error == "" {
		t.Errorf("got %s", got)
	}
}

func TestChecksJSON_SaysWhetherAllPassed(t *testing.T) {
	for failing, want := range map[bool]VerifyDocument{
		false: {Format: VerifyFormat, OK: true, Checks: verified(slaves(2), false)},
		true:  {Format: VerifyFormat, Failed: 1, Checks: verified(slaves(2), true)},
	} {
		text, err := ChecksJSON(verified(slaves(2), failing))
		if err != nil {
			t.Fatal(err)
		}
		var got VerifyDocument
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}
