package blueprint

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"provision/pkg/inventory"
)

// Requirements are what a host must offer for the set to work on it. They say
// nothing of what a run brings about by itself.
type Requirements struct {
	Host          string
	Ports         []Port
	Kernel        []Feature
	Disk          []Space
	Tools         []string
	Linux         []LinuxVersion
	Cgroup        []Cgroup
	Swap          []NoSwap
	Distributions []Distributions
}

// Weight is how bad it is that a requirement is not met, and what to do then.
type Weight struct {
	// Warning tells that the set works without it.
	Warning bool
	// Hint is the next step, "" for the usual one.
	Hint string
}

// Port is one that a unit of the set listens on.
type Port struct {
	Number   uint16
	Protocol string // tcp or udp
	// Unit is what may hold the port.
	Unit string
	// Kernel tells that it is the kernel that listens, on behalf of the unit.
	Kernel bool
}

// String is as in 6443/tcp.
func (p Port) String() string { return fmt.Sprintf("%d/%s", p.Number, p.Protocol) }

// Feature is a part of the kernel, built in or a module.
type Feature struct {
	// Name is the module's or the file system's.
	Name string
	// Evidence is a path that is there if the feature is, "" if none is known.
	Evidence string
	// Config is the kernel's option for it, without CONFIG_, "" if none is known.
	Config string
	Weight
}

// Space is room in the file system that holds, or will hold, a path.
type Space struct {
	Path string
	Free int64 // bytes
}

// LinuxVersion is the first kernel that will do.
type LinuxVersion struct {
	Major, Minor int
	Weight
}

// Cgroup is the version of control groups.
type Cgroup struct {
	Version int
	Weight
}

// NoSwap asks for a host that does not swap.
type NoSwap struct{ Weight }

// Distributions are the IDs in /etc/os-release of systems that the set is made
// for.
type Distributions struct {
	IDs []string
	Weight
}

// Requirements are those of every host of the inventory, in its order. They
// need no artifacts.
func (s *Set) Requirements(inv *inventory.Inventory) ([]Requirements, error) {
	var all []Requirements
	var errs []error
	for _, host := range inv.Hosts() {
		required, err := s.required(newData(inv, host, noSums{}, map[string]bool{}))
		if err != nil {
			errs = append(errs, fmt.Errorf("template set %s: requirements of %s: %w", s.Name, host.Name, err))
		}
		all = append(all, required)
	}
	return all, errors.Join(errs...)
}

// noSums stands where nothing has been built yet.
type noSums struct{}

// Sum has none.
func (noSums) Sum(name string) (string, error) {
	return "", fmt.Errorf("the sum of %s is not known to requirements", name)
}

// required renders what one host must offer. What several roles ask for alike
// counts once.
func (s *Set) required(data *Data) (Requirements, error) {
	required := Requirements{Host: data.Host.Name}
	var errs []error
	for _, r := range s.requirements {
		if !slices.ContainsFunc(r.Roles, data.Host.HasRole) {
			continue
		}
		renderer := &renderer{data: data}
		if renderer.holds(r.When) {
			errs = append(errs, r.render(renderer, &required))
		}
		errs = append(errs, renderer.err)
	}
	required.unite()
	return required, errors.Join(append(errs, required.conflicts()...)...)
}

// holds tells whether a condition, if there is one, is met.
func (r *renderer) holds(when text) bool {
	if when.literal == "" {
		return true
	}
	condition := strings.TrimSpace(r.text(when))
	return condition != "" && condition != "false"
}

// unite leaves out what was asked for before.
func (r *Requirements) unite() {
	r.Ports, r.Kernel, r.Disk, r.Tools = distinct(r.Ports), distinct(r.Kernel), distinct(r.Disk), distinct(r.Tools)
	r.Linux, r.Cgroup, r.Swap, r.Distributions = distinct(r.Linux), distinct(r.Cgroup), distinct(r.Swap), distinct(r.Distributions)
}

func distinct[T any](list []T) []T {
	var kept []T
	for _, item := range list {
		if !slices.ContainsFunc(kept, func(other T) bool { return reflect.DeepEqual(item, other) }) {
			kept = append(kept, item)
		}
	}
	return kept
}

// conflicts are ports that two units want.
func (r *Requirements) conflicts() []error {
	var errs []error
	units := map[string]string{}
	for _, port := range r.Ports {
		if other, taken := units[port.String()]; taken {
			errs = append(errs, fmt.Errorf("port %s is that of %s and of %s: move one of them", port, other, port.Unit))
		}
		units[port.String()] = port.Unit
	}
	return errs
}
