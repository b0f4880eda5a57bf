package blueprint

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"provision/pkg/inventory"
	"provision/pkg/resource"
)

// Sums tells the SHA-256, in hex, of an artifact by its file name.
type Sums interface {
	Sum(name string) (string, error)
}

// Desired is the desired state of every host of the inventory, in its order.
// All errors of all hosts are returned together.
func (s *Set) Desired(inv *inventory.Inventory, sums Sums) ([]resource.Host, error) {
	var hosts []resource.Host
	var errs []error
	used := map[string]bool{}
	for _, host := range inv.Hosts() {
		desired, err := s.host(newData(inv, host, sums, used), sums)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, desired.Validate()...)
		hosts = append(hosts, desired)
	}
	if len(errs) == 0 { // what could not be rendered used nothing
		errs = append(errs, unused(inv, used))
	}
	return hosts, joinEqual(errs)
}

// SampleImage is the image that the verification runs: the inventory's, or the
// set's own.
func (s *Set) SampleImage(inv *inventory.Inventory, sums Sums) (string, error) {
	if inv.Verify.Image != "" {
		return inv.Verify.Image, nil
	}
	renderer := renderer{data: newData(inv, inv.Hosts()[0], sums, map[string]bool{})}
	image := renderer.text(s.sample)
	if renderer.err != nil {
		return "", fmt.Errorf("template set %s: sample image: %w", s.Name, renderer.err)
	}
	return image, nil
}

// host renders the stages of one host.
func (s *Set) host(data *Data, sums Sums) (resource.Host, error) {
	host := resource.Host{Name: data.Host.Name}
	var errs []error
	uses := map[resource.ID][]string{}
	// A host of several roles may be told the same thing by more than one.
	declared := map[resource.ID]declaration{}
	for _, stage := range s.stages {
		if !slices.ContainsFunc(stage.Roles, data.Host.HasRole) {
			continue
		}
		rendered := resource.Stage{Name: stage.Name, After: stage.After}
		for _, entry := range stage.Resources {
			made, err := s.entry(entry, data, sums)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			r := made.resource
			if r == nil || reflect.DeepEqual(declared[r.ID()], made) {
				continue
			}
			declared[r.ID()] = made
			rendered.Resources = append(rendered.Resources, r)
			uses[r.ID()] = made.uses
		}
		host.Stages = append(host.Stages, rendered)
	}
	if err := errors.Join(errs...); err != nil {
		return host, err
	}
	return host, linkServices(host, uses)
}

// declaration is a resource, and the names of those that a service uses.
type declaration struct {
	resource resource.Resource
	uses     []string
}

// entry makes the resource, none where its condition does not hold.
func (s *Set) entry(e entry, data *Data, sums Sums) (declaration, error) {
	renderer := &renderer{data: data}
	if !renderer.holds(e.When) {
		return declaration{}, renderer.err
	}
	r, err := e.kinds()[0].resource(renderer, s, sums)
	made := declaration{resource: r}
	if e.Service != nil {
		made.uses = renderer.fields(e.Service.Uses)
	}
	return made, errors.Join(renderer.err, err)
}

// joinEqual joins errors, each text once.
func joinEqual(errs []error) error {
	seen := map[string]bool{}
	var distinct []error
	for _, err := range errs {
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			distinct = append(distinct, err)
		}
	}
	return errors.Join(distinct...)
}
