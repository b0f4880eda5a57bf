package converge

import (
	"slices"
	"time"

	"github.com/aymanbagabas/go-udiff"

	"provision/pkg/resource"
)

// Observation is what one look at a host found.
type Observation struct {
	Facts  *resource.Facts
	Record *Record
	// RecordSum is the SHA-256 of the record's file, empty where there is none.
	RecordSum string
	// Err tells why there are no facts: the host could not be reached or read.
	Err error
}

// Plan is all that a run will do. Apply executes it and nothing else.
type Plan struct {
	Hosts []HostPlan `json:"hosts"`

	authorities map[string]authorityHome
}

// HostPlan is what a run will do on one host.
type HostPlan struct {
	Host   string      `json:"host"`
	Stages []StagePlan `json:"stages"`
	// Logins are the last ones on a host that was changed behind provision's back.
	Logins []string `json:"logins,omitempty"`
	// Err tells why nothing is planned: the host could not be looked at.
	Err error `json:"-"`

	view resource.View
	last *Record
	// forgotten is what the record has, nobody declares, and stays on the host.
	forgotten []string
	// recordSum is that of the record that the host was planned from.
	recordSum string
}

// StagePlan is what a run will do in one stage of a host; every stage of the
// host is there, also without changes.
type StagePlan struct {
	Name    string   `json:"name"`
	After   []string `json:"after,omitempty"`
	Changes []Change `json:"changes"`

	resources []resource.Resource
}

// Change is one resource that is not as wanted.
type Change struct {
	Resource    resource.ID           `json:"resource"`
	Action      Action                `json:"action"`
	Cause       Cause                 `json:"cause"`
	Differences []resource.Difference `json:"differences"`
	// Uses are the changed resources that a service restarts for.
	Uses []resource.ID `json:"uses,omitempty"`
	// Disturbs says what the restart or stop of a service that runs costs those who
	// use it.
	Disturbs string `json:"disturbs,omitempty"`
	// Diff is a unified diff of a file whose content may be shown.
	Diff string `json:"diff,omitempty"`
	// Since is when the host was changed, where drift is in a file: by the host's
	// clock.
	Since *time.Time `json:"since,omitempty"`

	resource resource.Resource
}

// Action is what happens to a resource.
type Action string

// The actions. Configure changes whether a unit starts at boot, or has systemd
// read it again, without touching what runs.
const (
	ActionCreate    Action = "create"
	ActionUpdate    Action = "update"
	ActionStart     Action = "start"
	ActionRestart   Action = "restart"
	ActionConfigure Action = "configure"
	ActionStop      Action = "stop"
	ActionRun       Action = "run"
	// ActionRemove takes away what is no longer declared; a service is stopped and
	// disabled.
	ActionRemove Action = "remove"
	// ActionRestore brings back what was there before a run.
	ActionRestore Action = "restore"
	// ActionAdopt has the host remember what stands there, and changes nothing.
	ActionAdopt Action = "adopt"
)

// Cause is why a resource is not as wanted.
type Cause string

// The causes, told apart by what was last applied to the host.
const (
	// CauseNew was never applied to this host.
	CauseNew Cause = "new"
	// CauseChange comes from the inventory, a template or a version.
	CauseChange Cause = "change"
	// CauseDrift comes from the host: somebody or something changed it.
	CauseDrift Cause = "drift"
	// CauseBoth is a change that meets drift.
	CauseBoth Cause = "both"
	// CauseFollows is a service whose files change in the same run, or did in one
	// that was cut short.
	CauseFollows Cause = "follows"
	// CauseRenewal is a certificate that no longer serves.
	CauseRenewal Cause = "renewal"
	// CauseOrphan is no longer declared, and was made by provision.
	CauseOrphan Cause = "orphan"
	// CauseRollback is what a run changed that is being rolled back.
	CauseRollback Cause = "rollback"
	// CauseAdopted is what the operator says is as it should be.
	CauseAdopted Cause = "adopted"
)

// NewPlan compares what is wanted with what was seen. It is a pure function:
// nothing is discovered by acting.
func NewPlan(now time.Time, desired []resource.Host, observed map[string]Observation) *Plan {
	plan := &Plan{authorities: findAuthorities(desired, observed)}
	certificates := map[string][]byte{}
	for name, home := range plan.authorities {
		if home.err == nil {
			certificates[name] = home.certPEM
		}
	}
	for _, host := range desired {
		plan.Hosts = append(plan.Hosts, planHost(now, host, observed[host.Name], certificates))
	}
	return plan
}

func planHost(now time.Time, host resource.Host, seen Observation, authorities map[string][]byte) HostPlan {
	plan := HostPlan{Host: host.Name, Err: seen.Err, last: seen.Record, recordSum: seen.RecordSum}
	plan.view = resource.View{Now: now, Facts: seen.Facts, Authorities: authorities, Changed: map[resource.ID]bool{}}
	for _, stage := range host.Stages {
		stagePlan := StagePlan{Name: stage.Name, After: stage.After, Changes: []Change{}, resources: stage.Resources}
		if seen.Err == nil {
			for _, r := range stage.Resources {
				if change, differs := compare(r, plan.viewOf(r)); differs {
					stagePlan.Changes = append(stagePlan.Changes, change)
					if change.matters() {
						plan.view.Changed[r.ID()] = true
					}
				}
			}
		}
		plan.Stages = append(plan.Stages, stagePlan)
	}
	if slices.ContainsFunc(plan.Changes(), Change.isDrift) {
		plan.Logins = seen.Facts.Logins
	}
	if seen.Err == nil {
		plan.planOrphans(host.Resources())
	}
	return plan
}

// viewOf is the host's view with what was last applied to one resource.
func (p HostPlan) viewOf(r resource.Resource) resource.View {
	view := p.view
	view.Last = p.last.Last(r.ID())
	return view
}

func compare(r resource.Resource, view resource.View) (Change, bool) {
	have, want := r.Have(view), r.Want(view)
	differences := resource.Differences(have, want)
	if len(differences) == 0 {
		return Change{}, false
	}
	change := Change{
		Resource:    r.ID(),
		Action:      actionOf(r, view),
		Cause:       causeOf(r, have, want, view),
		Differences: differences,
		resource:    r,
	}
	switch r := r.(type) {
	case resource.Service:
		change.Uses = r.ChangedUses(view)
		if change.Disturbing() {
			change.Disturbs = r.Disturbs
		}
	case resource.File:
		change.Diff = diff(r, view)
	}
	if change.isDrift() {
		change.Since = changedAt(r, view)
	}
	return change, true
}

// isDrift tells whether somebody or something changed the host.
func (c Change) isDrift() bool { return c.Cause == CauseDrift || c.Cause == CauseBoth }

// changedAt is when the newest of a resource's files was changed, nil where the
// host can't tell.
func changedAt(r resource.Resource, view resource.View) *time.Time {
	var newest *time.Time
	for _, path := range resource.Paths(r) {
		if fact, ok := view.Facts.Files[path]; ok && !fact.Changed.IsZero() && (newest == nil || fact.Changed.After(*newest)) {
			newest = &fact.Changed
		}
	}
	return newest
}

// service is the changed service, if the change is one of a service that is to
// run.
func (c Change) service() (resource.Service, bool) {
	if p, ok := c.resource.(past); ok {
		return p.service, p.service.Unit != ""
	}
	service, ok := c.resource.(resource.Service)
	return service, ok && !service.Stopped
}

// matters tells whether a service that uses the resource has to be started
// again: not for a mode or an owner, since it has the file open or read already.
func (c Change) matters() bool {
	for _, difference := range c.Differences {
		if !resource.IsAttribute(difference.Name) {
			return true
		}
	}
	return false
}

func actionOf(r resource.Resource, view resource.View) Action {
	switch r := r.(type) {
	case resource.Command:
		return ActionRun
	case resource.Service:
		running := view.Facts.Units[r.Unit].ActiveState == "active"
		switch {
		case r.Stopped:
			return ActionStop
		case !r.Starts(view):
			return ActionConfigure
		case running:
			return ActionRestart
		}
		return ActionStart
	}
	if r.Have(view) == nil {
		return ActionCreate
	}
	return ActionUpdate
}

// causeOf compares three ways: what was applied, what is there, what is wanted.
func causeOf(r resource.Resource, have, want resource.State, view resource.View) Cause {
	last := view.Last
	if last == nil {
		return CauseNew
	}
	if c, ok := r.(resource.Certificate); ok && have != nil && c.NeedsIssue(view) {
		return CauseRenewal
	}
	moved := differs(last, want)
	drifted := differs(have, last)
	switch {
	case moved && drifted:
		return CauseBoth
	case drifted:
		return CauseDrift
	case moved:
		return CauseChange
	}
	return CauseFollows
}

// differs compares without what a service was started with, which is neither
// the host's doing nor the inventory's.
func differs(have, want resource.State) bool {
	for _, difference := range resource.Differences(have, want) {
		if difference.Name != resource.InputsAttribute {
			return true
		}
	}
	return false
}

// diff shows how a file's content changes, where it may be shown and is known to
// its end: probe.sh sends the beginning of a large file only.
func diff(file resource.File, view resource.View) string {
	fact := view.Facts.Files[file.Path]
	if !fact.Shown || file.Secret || file.Once || resource.Sum(fact.Content) != fact.Sum {
		return ""
	}
	return udiff.Unified(file.Path, file.Path, string(fact.Content), string(file.Content))
}

// Summary counts what a plan does.
type Summary struct {
	Hosts       int `json:"hosts"`
	Changed     int `json:"changedHosts"`
	Unreachable int `json:"unreachableHosts"`
	Changes     int `json:"changes"`
	Restarts    int `json:"restarts"`
}

// Summary counts the plan's hosts and changes.
func (p *Plan) Summary() Summary {
	summary := Summary{Hosts: len(p.Hosts)}
	for _, host := range p.Hosts {
		if host.Err != nil {
			summary.Unreachable++
		}
		changes := host.Changes()
		if len(changes) > 0 {
			summary.Changed++
		}
		summary.Changes += len(changes)
		for _, change := range changes {
			if change.Action == ActionRestart {
				summary.Restarts++
			}
		}
	}
	return summary
}

// Changes lists the host's changes in the order they are made.
func (p HostPlan) Changes() []Change {
	var changes []Change
	for _, stage := range p.Stages {
		changes = append(changes, stage.Changes...)
	}
	return changes
}
