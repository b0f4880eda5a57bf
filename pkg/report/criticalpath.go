package report

import (
	"slices"
	"time"

	"provision/pkg/converge"
)

// PathStep is a stage of a host on the critical path: making it faster makes the
// run faster.
type PathStep struct {
	Host  string `json:"host"`
	Stage string `json:"stage"`
	// Offset is the seconds from the start of the first stage of any host.
	Offset  float64 `json:"offset"`
	Seconds float64 `json:"seconds"`
	// Waited is the seconds from the end of the step before.
	Waited float64 `json:"waited,omitempty"`
}

// pathNode is one stage that ran.
type pathNode struct{ host, stage int }

// pathFinder walks back through a run from what ended last.
type pathFinder struct {
	hosts []converge.HostOutcome
	// order is where each stage stands in a host's plan.
	order []map[string]int
	after []map[string][]string
}

// criticalPath is what the run's end waited for, first things first: from the
// stage that ended last back to what it could not begin before, either the
// host's own stage before it or the last of the stages at its gate.
func criticalPath(plan *converge.Plan, outcome *converge.Outcome) []PathStep {
	f := newPathFinder(plan, outcome)
	node, found := f.last()
	var nodes []pathNode
	for found && !slices.Contains(nodes, node) {
		nodes = append(nodes, node)
		node, found = f.before(node)
	}
	slices.Reverse(nodes)
	begin, _ := runTimes(outcome)
	steps := make([]PathStep, len(nodes))
	for i, node := range nodes {
		timing := f.timing(node)
		steps[i] = PathStep{
			Host: f.hosts[node.host].Host, Stage: timing.Stage,
			Offset: milliseconds(timing.Start.Sub(begin)), Seconds: milliseconds(timing.End.Sub(timing.Start)),
		}
		if i > 0 {
			steps[i].Waited = milliseconds(max(timing.Start.Sub(f.timing(nodes[i-1]).End), 0))
		}
	}
	return steps
}

func newPathFinder(plan *converge.Plan, outcome *converge.Outcome) *pathFinder {
	f := &pathFinder{}
	byName := map[string]*converge.HostPlan{}
	if plan != nil {
		for i := range plan.Hosts {
			byName[plan.Hosts[i].Host] = &plan.Hosts[i]
		}
	}
	for _, host := range outcome.Hosts {
		host.Stages = stagesRun(host)
		order, after := map[string]int{}, map[string][]string{}
		if planned := byName[host.Host]; planned != nil {
			for i, stage := range planned.Stages {
				order[stage.Name], after[stage.Name] = i, stage.After
			}
		}
		f.hosts, f.order, f.after = append(f.hosts, host), append(f.order, order), append(f.after, after)
	}
	return f
}

func (f *pathFinder) timing(n pathNode) converge.StageTiming { return f.hosts[n.host].Stages[n.stage] }

// last is the stage that ended last.
func (f *pathFinder) last() (last pathNode, found bool) {
	for i, host := range f.hosts {
		for j, timing := range host.Stages {
			if !found || timing.End.After(f.timing(last).End) {
				last, found = pathNode{i, j}, true
			}
		}
	}
	return last, found
}

// gateSlack is how much later than its begin a stage may seem to have been let
// in: clocks are read one after the other.
const gateSlack = 5 * time.Millisecond

// before is what a stage could not begin before.
func (f *pathFinder) before(n pathNode) (before pathNode, found bool) {
	start := f.timing(n).Start
	consider := func(candidate pathNode) {
		end := f.timing(candidate).End
		if !end.After(start.Add(gateSlack)) && (!found || end.After(f.timing(before).End)) {
			before, found = candidate, true
		}
	}
	if n.stage > 0 {
		consider(pathNode{n.host, n.stage - 1})
	}
	for _, gate := range f.after[n.host][f.timing(n).Stage] {
		for i := range f.hosts {
			place, has := f.order[i][gate]
			if !has || i == n.host {
				continue
			}
			// A host passes the gate of a stage without changes after the one before.
			for j := len(f.hosts[i].Stages) - 1; j >= 0; j-- {
				if f.order[i][f.hosts[i].Stages[j].Stage] <= place {
					consider(pathNode{i, j})
					break
				}
			}
		}
	}
	return before, found
}
