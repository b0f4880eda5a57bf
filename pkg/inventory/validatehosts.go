package inventory

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
)

func (c checker) checkHosts() {
	c.checkNumbers()
	hosts := c.inv.places(c.source)
	for _, h := range hosts {
		c.checkHost(h)
	}
	c.checkDistinct(hosts)
	c.checkRegistryPort()
}

// checkNumbers reports too many or too few hosts of a role.
func (c checker) checkNumbers() {
	switch n := len(c.inv.Master); {
	case n == 0:
		c.refuse("master", "write the master's address", "there is no master")
	case n > 1:
		c.refuse("master", "keep one of them", "there are %d masters; high availability comes with a later release of provision", n)
	}
	if len(c.inv.Slaves) == 0 {
		c.refuse("slaves", "write the address of at least one", "there is no slave, so no pod could run")
	}
}

func (c checker) checkHost(h placedHost) {
	at := h.path + ".address"
	switch a := h.Address; {
	case !a.IsValid(): // reported as missing
	case !a.Is4():
		c.refuse(at, "write the host's IPv4 address", "%s is not an IPv4 address; IPv6 comes with a later release of provision", a)
	case isReservedAddress(a):
		c.refuse(at, "write the address that the other hosts reach it by", "%s is an unspecified, loopback, link-local, multicast or reserved address", a)
	}
	c.checkHostName(h)
	c.checkSSH(h.path+".ssh", h.SSH)
	c.checkComponents(h.path+".components", h.Components)
}

func (c checker) checkHostName(h placedHost) {
	at := h.path + ".name"
	if !c.given(at) || h.Name == "" {
		return
	}
	c.checkText(at, h.Name, isHostName, "is not a host name",
		"write lower-case letters, digits, - and dots, at most 63 between dots and 253 in all")
	if a, err := netip.ParseAddr(h.Name); err == nil && a != h.Address && h.Address.IsValid() {
		c.refuse(at, "write "+h.Address.String()+" or a name", "%s is an address, and not the host's own", a)
	}
}

// checkDistinct reports hosts that share a name or an address without being
// one host with several roles.
func (c checker) checkDistinct(hosts []placedHost) {
	type use struct {
		role    string
		address netip.Addr
	}
	byUse, byAddress, byName := map[use]placedHost{}, map[netip.Addr]placedHost{}, map[string]placedHost{}
	for _, h := range hosts {
		if h.Name == "" {
			continue // its address can't be read either
		}
		u := use{h.role, h.Address}
		if first, again := byUse[u]; again {
			c.refuse(h.path+".address", "correct or remove one of them", "%s is also the address of %s", h.Address, c.whereIs(first, "address"))
		} else if first, again := byAddress[h.Address]; again {
			c.checkSame(first, h)
		} else if first, again := byName[h.Name]; again {
			c.checkName(first, h)
		}
		byName[h.Name] = h
		if h.Address.IsValid() {
			byUse[u], byAddress[h.Address] = h, h
		}
	}
}

// checkName reports a host that has the name of one with another address.
func (c checker) checkName(first, again placedHost) {
	path := again.path + ".name"
	if !c.given(path) {
		path = again.path + ".address"
	}
	c.refuse(path, "give every host a name of its own", "%s is also the name of %s", quote(again.Name), c.whereIs(first, "name"))
}

// checkSame reports a host that has the address of another one without being
// the same host in another role.
func (c checker) checkSame(first, again placedHost) {
	path := again.path + ".address"
	switch {
	case first.Name != again.Name:
		c.refuse(path, "correct one of them, or write name: "+first.Name+" in both for one host in two roles",
			"%s is also the address of %s, whose name is %s", again.Address, c.whereIs(first, "address"), quote(first.Name))
	case !c.sameSettings(*first.Host, *again.Host):
		c.refuse(again.path, "repeat its ssh and components here; an anchor (&name) and an alias (*name) save the writing",
			"this is %s again, with other settings", c.whereIs(first, "address"))
	}
}

// whereIs names a host by its path and line.
func (c checker) whereIs(h placedHost, key string) string {
	return fmt.Sprintf("%s on line %d", h.path, c.place(h.path+"."+key).line)
}

func (c checker) sameSettings(a, b Host) bool {
	return reflect.DeepEqual(c.inv.SSHOf(a), c.inv.SSHOf(b)) && reflect.DeepEqual(c.inv.ComponentsOf(a), c.inv.ComponentsOf(b))
}

// clusterPorts are the ports that the cluster's programs listen on, sorted.
func clusterPorts() []uint16 {
	return []uint16{
		2379, 2380, // etcd: clients, peers
		6443,                // kube-apiserver
		10248, 10250, 10255, // kubelet: health, API, read-only
		10249, 10256, // kube-proxy: metrics, health
		10257, // kube-controller-manager
		10259, // kube-scheduler
	}
}

// checkRegistryPort reports a registry that listens on a port that is taken on
// its host.
func (c checker) checkRegistryPort() {
	registry := c.inv.Registry
	const at = "registry.port"
	if registry.Port == c.inv.SSHPort(registry.Host) {
		c.refuse(at, "write another one, such as 5000", "%d is the port of the host's ssh", registry.Port)
		return
	}
	for _, h := range c.inv.places(c.source) {
		if h.role != RoleRegistry && h.Name == registry.Name && slices.Contains(clusterPorts(), registry.Port) {
			c.refuse(at, "write another one, such as 5000", "%d is taken by the cluster on this host, which is also a %s", registry.Port, h.role)
			return
		}
	}
}
