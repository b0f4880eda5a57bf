package converge

import (
	"slices"

	"provision/pkg/resource"
)

// Select returns the plan with only the changes that keep approves of. What is
// left out stays as it is on its host, and in what the host remembers: the next
// plan shows it again.
func (p *Plan) Select(keep func(host, stage string, change Change) bool) *Plan {
	selected := &Plan{Hosts: slices.Clone(p.Hosts), authorities: p.authorities}
	for i := range selected.Hosts {
		host := &selected.Hosts[i]
		host.Stages = slices.Clone(host.Stages)
		for j := range host.Stages {
			host.Stages[j] = host.Stages[j].selected(func(change Change) bool { return keep(host.Host, host.Stages[j].Name, change) })
		}
	}
	return selected
}

// selected returns the stage without the changes that are left out, and without
// their resources: nothing is remembered of what was not done.
func (s StagePlan) selected(keep func(Change) bool) StagePlan {
	left := map[resource.ID]bool{}
	changes := []Change{}
	for _, change := range s.Changes {
		if keep(change) {
			changes = append(changes, change)
		} else {
			left[change.Resource] = true
		}
	}
	s.Changes = changes
	s.resources = slices.DeleteFunc(slices.Clone(s.resources), func(r resource.Resource) bool { return left[r.ID()] })
	return s
}

// Disturbing tells whether the change stops something that runs, for a moment or
// for good.
func (c Change) Disturbing() bool { return c.Action == ActionRestart || c.Action == ActionStop }
