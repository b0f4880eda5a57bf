package inventory

import (
	"net/netip"
	"slices"
)

// checkRange reports a range of addresses that is no network of its own.
func (c checker) checkRange(path string, p netip.Prefix) {
	switch {
	case !p.Addr().Is4():
		c.refuse(path, "write an IPv4 range such as 10.254.0.0/16", "%s is not an IPv4 range; IPv6 comes with a later release of provision", p)
		return
	case p != p.Masked():
		c.refuse(path, "write "+p.Masked().String(), "%s has bits set after its prefix", p)
	}
	for _, r := range reservedRanges() {
		if r.Overlaps(p) {
			c.refuse(path, "write a private range such as 10.254.0.0/16", "%s overlaps %s, which is reserved", p, r)
			break
		}
	}
	for _, h := range c.inv.places(c.source) {
		if p.Contains(h.Address) {
			c.refuse(path, "write a range without hosts", "%s contains the address %s of %s (line %d)",
				p, h.Address, h.path, c.place(h.path+".address").line)
			return
		}
	}
}

// checkRanges reports ranges that can't be routed apart.
func (c checker) checkRanges() {
	path, other := "network.podCIDR", "services.cidr"
	pods, services := c.inv.Network.PodCIDR, c.inv.Services.CIDR
	c.checkRange(path, pods)
	c.checkRange(other, services)
	if !pods.Overlaps(services) {
		return
	}
	if c.given(path) {
		c.refuse(path, "write ranges that have no address in common", "%s overlaps services.cidr, %s", pods, services)
		return
	}
	c.refuse(other, "write ranges that have no address in common", "%s overlaps network.podCIDR, %s", services, pods)
}

// checkFlannel reports what flanneld would refuse, and what would end badly as
// an etcd key or an interface.
func (c checker) checkFlannel() {
	flannel := c.inv.Network.Flannel
	c.checkText("network.flannel.key", flannel.Key, isEtcdKey, "is not a safe etcd prefix",
		"write words of letters, digits and . _ -, each after one /, such as /coreos.com/network")
	if flannel.Interface != "" {
		c.checkText("network.flannel.interface", flannel.Interface, isInterface, "is not the name of an interface",
			"write at most 15 letters, digits and . _ - @, such as eth1")
	}
	c.checkSubnets()
}

// checkSubnets reports a subnet length that leaves too few subnets. flanneld
// wants room for four and never uses the first.
func (c checker) checkSubnets() {
	const path = "network.flannel.subnetLength"
	pods, length := c.inv.Network.PodCIDR, c.inv.Network.Flannel.SubnetLength
	if !pods.Addr().Is4() {
		return
	}
	const least = 2 // bits, for four subnets
	bits := length - pods.Bits()
	if bits < least {
		hint := "write a larger network.podCIDR"
		if longest := 30; pods.Bits()+least <= longest {
			hint = intRange(pods.Bits()+least, longest)
		}
		c.refuse(path, hint, "subnets of /%d do not divide %s into four or more", length, pods)
		return
	}
	if fit, need := 1<<bits-1, len(c.inv.Slaves); fit < need {
		c.refuse(path, "write a greater one, or a larger network.podCIDR",
			"%d subnets of /%d fit into %s (flannel leaves the first unused), too few for %d slaves", fit, length, pods, need)
	}
}

func (c checker) checkServices() {
	const path = "services.cidr"
	p := c.inv.Services.CIDR
	if !p.Addr().Is4() {
		return
	}
	const largest, smallest = 12, 28
	const hint = "write one from /12 to /28, such as 10.254.0.0/16"
	if p.Bits() < largest {
		c.refuse(path, hint, "%s is larger than kube-apiserver allows", p)
	}
	if p.Bits() > smallest {
		c.refuse(path, hint, "%s is too small for a cluster's services", p)
	}
}

// checkNodePorts reports a range that holds a port which is taken on hosts.
func (c checker) checkNodePorts() {
	ports := c.inv.Services.NodePorts
	if i := slices.IndexFunc(clusterPorts(), ports.Contains); i >= 0 {
		c.refuse(nodePortsPath, nodePortsHint, "%s contains port %d of the cluster's own programs", ports, clusterPorts()[i])
	}
	c.checkOutsideNodePorts("registry.port", c.inv.Registry.Port, "the registry's port")
	c.checkOutsideNodePorts("ssh.port", c.inv.SSHPort(Host{}), "the port of ssh")
	for _, h := range c.inv.places(c.source) {
		c.checkOutsideNodePorts(h.path+".ssh.port", h.SSH.Port, "the ssh port of "+h.path)
	}
}

const (
	nodePortsPath = "services.nodePorts"
	nodePortsHint = "write a range without it, such as 30000-32767"
)

// checkOutsideNodePorts reports a port that the node ports hold: at the range
// when the file has it, else at the port.
func (c checker) checkOutsideNodePorts(path string, port uint16, what string) {
	ports := c.inv.Services.NodePorts
	switch {
	case port == 0 || !ports.Contains(port):
	case c.given(nodePortsPath):
		c.refuse(nodePortsPath, nodePortsHint, "%s contains %d, %s", ports, port, what)
	default:
		c.refuse(path, "write another port", "%d is in services.nodePorts, %s", port, ports)
	}
}

func (c checker) checkDNS() {
	dns := c.inv.DNS
	c.checkText("dns.domain", dns.Domain, isHostName, "is not a DNS domain",
		"write lower-case letters, digits, - and dots, such as cluster.local")
	c.checkDNSAddress()
	for i, server := range dns.Upstream {
		path := item("dns.upstream", i)
		address, ok := upstreamAddress(server)
		switch {
		case !ok:
			c.refuse(path, "write one such as 10.25.31.1 or 10.25.31.1:53", "%s is neither ADDRESS nor ADDRESS:PORT", quote(server))
		case address == dns.Address:
			c.refuse(path, "write a server outside the cluster", "%s is the cluster's own name server, which would ask itself", address)
		case isReservedAddress(address):
			c.refuse(path, "write an address that pods reach", "%s is an unspecified, loopback, link-local, multicast or reserved address", address)
		}
	}
}

func (c checker) checkDNSAddress() {
	const path = "dns.address"
	services, a := c.inv.Services.CIDR, c.inv.DNS.Address
	if !services.Addr().Is4() || !a.IsValid() {
		return
	}
	hint := "leave it out, or write one of " + services.Masked().String() + " such as " + nthAddress(services, dnsAddressIndex).String()
	switch {
	case !services.Contains(a):
		c.refuse(path, hint, "%s is outside services.cidr, %s", a, services)
	case a == services.Masked().Addr():
		c.refuse(path, hint, "%s is the network address of services.cidr", a)
	case a == c.inv.APIServiceAddress():
		c.refuse(path, hint, "%s is the first address of services.cidr, which is the API's", a)
	case !services.Contains(a.Next()):
		c.refuse(path, hint, "%s is the broadcast address of services.cidr", a)
	}
}
