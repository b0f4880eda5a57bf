package converge

import (
	"slices"

	"provision/pkg/resource"
)

// adoptStage is the only stage of an adoption.
const adoptStage = "adopt"

// adoptedInputs are the inputs of a service that stands with others than are
// declared: the next run restarts it.
const adoptedInputs = "as they were when it was adopted"

// adopted is a resource as it stands on its host.
type adopted struct {
	id    resource.ID
	state resource.State
}

var _ resource.Resource = adopted{}

// ID is that of the resource.
func (a adopted) ID() resource.ID { return a.id }

// Validate finds nothing: the resource is there.
func (a adopted) Validate() error { return nil }

// Digest is nobody's: nothing is declared.
func (a adopted) Digest() string { return "" }

// Ask asks nothing.
func (a adopted) Ask(*resource.Questions) {}

// Want is what stands there.
func (a adopted) Want(resource.View) resource.State { return a.state }

// Have is what the host remembers.
func (a adopted) Have(v resource.View) resource.State { return v.Last }

// Bring changes nothing, and has the host remember what stands there.
func (a adopted) Bring(resource.View, resource.Materials) (resource.Operations, error) {
	return resource.Operations{Applied: a.state}, nil
}

// NewAdoption plans to have each host remember what stands on it as if it had
// been applied, and to change nothing else: what then differs from what is
// declared is a change, and no drift. What is not there is not remembered.
func NewAdoption(plan *Plan) *Plan {
	adoption := &Plan{Hosts: slices.Clone(plan.Hosts), authorities: plan.authorities}
	for i := range adoption.Hosts {
		host := &adoption.Hosts[i]
		host.Stages, host.forgotten = []StagePlan{{Name: adoptStage, Changes: host.standing()}}, nil
	}
	return adoption
}

// standing are the resources that the host has in another state than it
// remembers.
func (p *HostPlan) standing() []Change {
	changes := []Change{}
	if p.Err != nil {
		return changes
	}
	for _, stage := range p.Stages {
		for _, r := range stage.resources {
			view := p.viewOf(r)
			state := standingState(r, view)
			if state == nil || !differs(view.Last, state) {
				continue
			}
			changes = append(changes, Change{
				Resource: r.ID(), Action: ActionAdopt, Cause: CauseAdopted,
				Differences: resource.Differences(view.Last, state), resource: adopted{r.ID(), state},
			})
		}
	}
	return changes
}

// standingState is what a resource has, nil where it is not there. Whatever a
// service was started with, it runs with what it uses now: that is what adopting
// it says.
func standingState(r resource.Resource, view resource.View) resource.State {
	have := r.Have(view)
	service, isService := r.(resource.Service)
	if have == nil || !isService || service.Stopped {
		return have
	}
	inputs := service.Inputs
	if len(service.ChangedUses(view)) > 0 {
		inputs = adoptedInputs
	}
	have = slices.Clone(have)
	for i := range have {
		if have[i].Name == resource.InputsAttribute {
			have[i].Value = inputs
		}
	}
	return have
}
