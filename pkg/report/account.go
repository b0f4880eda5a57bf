package report

import (
	"errors"
	"time"

	"provision/pkg/converge"
)

// Account is all that is known of a run once it has ended.
type Account struct {
	// Cluster is the cluster's name.
	Cluster string
	Run     converge.Run
	// Plan is nil when the run ended before there was one.
	Plan *converge.Plan
	// Applied is nil when there was nothing to do.
	Applied *converge.Outcome
	// Checks are nil when the cluster was not verified.
	Checks []Check
	// Steps are how long the resources took; nil when nobody looked.
	Steps *Steps
	Ended time.Time
	// Exit is the exit code.
	Exit int
	// Err is what ended the run, besides what failed on single hosts.
	Err error
}

// errSkipped marks a host with planned changes of which none was begun.
var errSkipped = errors.New("nothing was begun: the run ended before")

// Settled is how the run ended on every host of the plan. Hosts that were left
// as they are although changes were planned count as skipped.
func (a *Account) Settled() *converge.Outcome {
	settled := &converge.Outcome{Hosts: []converge.HostOutcome{}}
	plan := a.Plan
	if plan == nil {
		plan = &converge.Plan{}
	}
	applied := map[string]converge.HostOutcome{}
	if a.Applied != nil && a.Applied.Refused == nil {
		for _, host := range a.Applied.Hosts {
			applied[host.Host] = host
		}
	}
	for _, planned := range plan.Hosts {
		host, known := applied[planned.Host]
		if !known {
			host = converge.HostOutcome{Host: planned.Host, Err: planned.Err}
		}
		if host.Err == nil && len(host.Stages) == 0 && host.Changed == 0 && len(planned.Changes()) > 0 {
			host.Err = errSkipped
		}
		settled.Hosts = append(settled.Hosts, host)
		delete(applied, planned.Host)
	}
	if a.Applied != nil {
		for _, host := range a.Applied.Hosts { // what the plan lacks is not lost
			if _, left := applied[host.Host]; left {
				settled.Hosts = append(settled.Hosts, host)
			}
		}
	}
	return settled
}

// plannedChanges counts the changes of the plan by host.
func (a *Account) plannedChanges() map[string]int {
	planned := map[string]int{}
	if a.Plan != nil {
		for _, host := range a.Plan.Hosts {
			planned[host.Host] = len(host.Changes())
		}
	}
	return planned
}
