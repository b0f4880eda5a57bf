package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"provision/pkg/converge"
	"provision/pkg/inventory"
	"provision/pkg/resource"
)

// selection is the part of the inventory that a run is about.
type selection struct {
	// Limit are patterns of hosts, Only of stages and resources; empty is all.
	Limit []string `json:"limit,omitempty"`
	Only  []string `json:"only,omitempty"`
	// NoRestart leaves out what stops or restarts a service that runs.
	NoRestart bool `json:"noRestart,omitempty"`
}

// addHostFlag adds the flag that is about hosts.
func (s *selection) addHostFlag(flags *pflag.FlagSet) {
	flags.StringSliceVar(&s.Limit, "limit", nil, "only these `hosts`: names, addresses, roles (master, slave, registry); * is any text")
}

func (s *selection) addFlags(flags *pflag.FlagSet) {
	s.addHostFlag(flags)
	flags.StringSliceVar(&s.Only, "only", nil, "only these `stages` or resources (\"file /etc/kubernetes/*\"); * is any text")
	flags.BoolVar(&s.NoRestart, "no-restart", false, "don't stop or restart services that run; the next plan shows what is left")
}

// checkFlags refuses a flag without a value, as of a variable that is not set: it
// must not mean all.
func (s selection) checkFlags(flags *pflag.FlagSet) error {
	for name, values := range map[string][]string{"limit": s.Limit, "only": s.Only} {
		if flags.Changed(name) && (len(values) == 0 || slices.Contains(values, "")) {
			return usageError(fmt.Errorf("--%s is empty: name something, or leave the flag out", name))
		}
	}
	return nil
}

// isAll tells whether nothing is left out.
func (s selection) isAll() bool { return len(s.Limit) == 0 && len(s.Only) == 0 && !s.NoRestart }

// hosts are the names of the inventory's hosts that are selected.
func (s selection) hosts(inv *inventory.Inventory) (map[string]bool, error) {
	selected := map[string]bool{}
	for _, pattern := range s.Limit {
		matched := false
		for _, host := range inv.Hosts() {
			if matchesHost(pattern, host) {
				matched, selected[host.Name] = true, true
			}
		}
		if !matched {
			return nil, usageError(fmt.Errorf("--limit %q matches no host; there are %s, and the roles master, slave and registry", pattern, hostNames(inv)))
		}
	}
	for _, host := range inv.Hosts() {
		selected[host.Name] = selected[host.Name] || len(s.Limit) == 0
	}
	return selected, nil
}

func matchesHost(pattern string, host inventory.RoleHost) bool {
	names := append([]string{host.Name, host.Address.String()}, host.Roles...)
	if host.HasRole(inventory.RoleSlave) {
		names = append(names, "slaves") // as in the inventory
	}
	return slices.ContainsFunc(names, func(name string) bool { return matches(pattern, name) })
}

// shownHosts is how many hosts an error names.
const shownHosts = 8

func hostNames(inv *inventory.Inventory) string {
	var names []string
	for _, host := range inv.Hosts() {
		names = append(names, host.Name)
	}
	if len(names) > shownHosts {
		return strings.Join(names[:shownHosts], ", ") + fmt.Sprintf(" and %d more", len(names)-shownHosts)
	}
	return strings.Join(names, ", ")
}

// matches compares with a pattern in which * is any text.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	matched, err := regexp.MatchString("^(?s:"+strings.Join(parts, ".*")+")$", text)
	return err == nil && matched
}

// needed are the hosts that a run of the selection looks at: those selected, and
// those with the authorities that sign for them.
func needed(hosts []resource.Host, selected map[string]bool) []resource.Host {
	return slices.DeleteFunc(slices.Clone(hosts), func(host resource.Host) bool {
		return !selected[host.Name] && !slices.ContainsFunc(host.Resources(), func(r resource.Resource) bool {
			_, isAuthority := r.(resource.Authority)
			return isAuthority
		})
	})
}

// check reports patterns of stages and resources that match nothing.
func (s selection) check(hosts []resource.Host) error {
	for _, pattern := range s.Only {
		if !slices.ContainsFunc(hosts, func(host resource.Host) bool { return declares(host, pattern) }) {
			return usageError(fmt.Errorf("--only %q matches no stage and no resource; stages are %s", pattern, strings.Join(stagesOf(hosts), ", ")))
		}
	}
	return nil
}

func declares(host resource.Host, pattern string) bool {
	return slices.ContainsFunc(host.Stages, func(stage resource.Stage) bool {
		return matches(pattern, stage.Name) || slices.ContainsFunc(stage.Resources, func(r resource.Resource) bool {
			return matchesResource(pattern, r.ID())
		})
	})
}

func matchesResource(pattern string, id resource.ID) bool {
	return matches(pattern, id.String()) || matches(pattern, id.Name)
}

func stagesOf(hosts []resource.Host) []string {
	var names []string
	for _, host := range hosts {
		for _, stage := range host.Stages {
			if !slices.Contains(names, stage.Name) {
				names = append(names, stage.Name)
			}
		}
	}
	return names
}

// narrow leaves out of a plan what is not selected.
func (s selection) narrow(plan *converge.Plan, selected map[string]bool) *converge.Plan {
	if s.isAll() {
		return plan
	}
	return plan.Select(func(host, stage string, change converge.Change) bool {
		only := len(s.Only) == 0 || slices.ContainsFunc(s.Only, func(pattern string) bool {
			return matches(pattern, stage) || matchesResource(pattern, change.Resource)
		})
		return selected[host] && only && (!s.NoRestart || !change.Disturbing())
	})
}
