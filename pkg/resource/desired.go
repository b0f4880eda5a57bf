package resource

import "fmt"

// Host is the desired state of one host: stages that are brought about one
// after the other.
type Host struct {
	Name   string
	Stages []Stage
}

// Stage is a group of resources that is brought about in order and as one.
type Stage struct {
	Name string
	// After names stages that must be done on every host that has them before
	// this one starts. All other stages of other hosts may run at any time.
	After     []string
	Resources []Resource
}

// Resources lists all resources of the host in order.
func (h Host) Resources() []Resource {
	var all []Resource
	for _, stage := range h.Stages {
		all = append(all, stage.Resources...)
	}
	return all
}

// Validate reports every resource that is unusable or declared twice.
func (h Host) Validate() []error {
	var errs []error
	seen := map[ID]bool{}
	for _, r := range h.Resources() {
		if err := r.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", h.Name, r.ID(), err))
		}
		if seen[r.ID()] {
			errs = append(errs, fmt.Errorf("%s: %s is declared twice", h.Name, r.ID()))
		}
		seen[r.ID()] = true
	}
	return errs
}
