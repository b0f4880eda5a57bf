package inventory

import (
	"cmp"
	"maps"
	"net/netip"
	"reflect"
	"slices"
)

// The roles of hosts.
const (
	RoleMaster   = "master"
	RoleSlave    = "slave"
	RoleRegistry = "registry"
)

// RoleHost is a host with all of its roles.
type RoleHost struct {
	Host
	// Roles are the host's roles in the order master, slave, registry.
	Roles []string
}

// HasRole tells whether the host has the role.
func (h RoleHost) HasRole(role string) bool { return slices.Contains(h.Roles, role) }

// Hosts are all hosts with their roles, each once: master, slaves, registry.
func (inv *Inventory) Hosts() []RoleHost {
	var hosts []RoleHost
	add := func(role string, h Host) {
		for i := range hosts {
			if hosts[i].Name == h.Name {
				hosts[i].Roles = append(hosts[i].Roles, role)
				return
			}
		}
		hosts = append(hosts, RoleHost{Host: h, Roles: []string{role}})
	}
	for _, h := range inv.Master {
		add(RoleMaster, h)
	}
	for _, h := range inv.Slaves {
		add(RoleSlave, h)
	}
	add(RoleRegistry, inv.Registry.Host)
	return hosts
}

// APIServiceAddress is the service address of the Kubernetes API: the first of
// services.cidr.
func (inv *Inventory) APIServiceAddress() netip.Addr {
	return nthAddress(inv.Services.CIDR, apiAddressIndex)
}

// SSHOf is how a host is reached: its own settings over the inventory's. Load
// and Parse have done this for every host already.
func (inv *Inventory) SSHOf(h Host) SSH {
	merged, over := inv.SSH, h.SSH
	merged.User = cmp.Or(over.User, merged.User)
	merged.Port = cmp.Or(over.Port, merged.Port)
	merged.IdentityFile = cmp.Or(over.IdentityFile, merged.IdentityFile)
	merged.KnownHosts = cmp.Or(over.KnownHosts, merged.KnownHosts)
	merged.UnknownHosts = cmp.Or(over.UnknownHosts, merged.UnknownHosts)
	merged.Jump = cmp.Or(over.Jump, merged.Jump)
	merged.Config = cmp.Or(over.Config, merged.Config)
	merged.ConnectTimeout = cmp.Or(over.ConnectTimeout, merged.ConnectTimeout)
	merged.CommandTimeout = cmp.Or(over.CommandTimeout, merged.CommandTimeout)
	merged.KeepAlive = cmp.Or(over.KeepAlive, merged.KeepAlive)
	if over.HostKeys != nil {
		merged.HostKeys = over.HostKeys
	}
	return merged
}

// SSHPort is the port of a host's SSH server, as far as the inventory knows:
// ssh_config may name another.
func (inv *Inventory) SSHPort(h Host) uint16 {
	const defaultPort = 22
	return cmp.Or(inv.SSHOf(h).Port, defaultPort)
}

// ComponentsOf are the components on a host: its own settings over the
// inventory's, extraArgs flag by flag and config key by key at every depth.
// Load and Parse have done this for every host already.
func (inv *Inventory) ComponentsOf(h Host) Components {
	merged := inv.Components
	into, from := reflect.ValueOf(&merged).Elem(), reflect.ValueOf(h.Components)
	for i := range into.NumField() {
		base, _ := into.Field(i).Interface().(Component)
		over, _ := from.Field(i).Interface().(Component)
		into.Field(i).Set(reflect.ValueOf(base.merge(over)))
	}
	return merged
}

// merge returns c with what over changes; it shares nothing with either that a
// merge could change.
func (c Component) merge(over Component) Component {
	args := maps.Clone(c.ExtraArgs)
	if args == nil {
		args = maps.Clone(over.ExtraArgs)
	}
	maps.Copy(args, over.ExtraArgs)
	return Component{ExtraArgs: args, Config: mergeConfig(c.Config, over.Config)}
}

// mergeConfig merges mappings key by key; any other value of over replaces
// what was there.
func mergeConfig(base, over map[string]any) map[string]any {
	if base == nil && over == nil {
		return nil
	}
	merged := make(map[string]any, len(base)+len(over))
	maps.Copy(merged, base)
	for key, value := range over {
		b, isMap := merged[key].(map[string]any)
		o, both := value.(map[string]any)
		if isMap && both {
			value = mergeConfig(b, o)
		}
		merged[key] = value
	}
	return merged
}

// inherit gives every host what it did not override.
func (inv *Inventory) inherit() {
	fill := func(h *Host) {
		h.SSH, h.Components = inv.SSHOf(*h), inv.ComponentsOf(*h)
	}
	for _, hosts := range []Hosts{inv.Master, inv.Slaves} {
		for i := range hosts {
			fill(&hosts[i])
		}
	}
	fill(&inv.Registry.Host)
}
