package inventory

import (
	"fmt"
	"net/netip"
	"strings"
)

// checker validates what was decoded. It reads the values and the places of
// their keys, and changes nothing but the list of errors.
type checker struct {
	*source
	inv *Inventory
}

func (c checker) check() {
	c.checkText("cluster", c.inv.Cluster, isLabel,
		"is not a cluster name", "write lower-case letters, digits and -, at most 63, such as kubernetes")
	c.checkHosts()
	c.checkSSH("ssh", c.inv.SSH)
	c.checkVersion()
	c.checkRanges()
	c.checkFlannel()
	c.checkServices()
	c.checkNodePorts()
	c.checkDNS()
	c.checkTime()
	c.checkArtifacts()
	c.checkComponents("components", c.inv.Components)
	c.checkVerify()
}

// refuse reports a value, unless it could not even be read.
func (c checker) refuse(path, hint, format string, args ...any) {
	if !c.unread(path) {
		c.report(c.place(path), path, fmt.Sprintf(format, args...), hint)
	}
}

// refuseKey reports the key of a value.
func (c checker) refuseKey(path, hint, format string, args ...any) {
	c.report(c.keys[path], path, fmt.Sprintf(format, args...), hint)
}

// checkText reports a text that is not valid.
func (c checker) checkText(path, text string, valid func(string) bool, message, hint string) {
	if !valid(text) {
		c.refuse(path, hint, "%s %s", quote(text), message)
	}
}

func (c checker) checkVersion() {
	v := c.inv.Kubernetes.Version
	minor := Version{Major: v.Major, Minor: v.Minor}
	within := func(low, high int) bool { return minor.Major == 1 && low <= minor.Minor && minor.Minor <= high }
	switch {
	case within(34, 37):
	case within(2, 5):
		c.refuse("kubernetes.version", "write one from 1.34 to 1.37",
			"Kubernetes 1.2 to 1.5 is known, but comes with a later release of provision: %s can't be installed yet", v)
	default:
		c.refuse("kubernetes.version", "write one from 1.34 to 1.37", "Kubernetes %s is not supported", v)
	}
}

func (c checker) checkTime() {
	for i, server := range c.inv.Time.Servers {
		path := item("time.servers", i)
		c.checkText(path, server, isHostOrAddress,
			"is neither a host name nor an address", "write one such as 0.pool.ntp.org or 10.25.31.1")
	}
}

func (c checker) checkVerify() {
	if image := c.inv.Verify.Image; image != "" {
		c.checkText("verify.image", image, isImage,
			"is not an image reference", "write [HOST[:PORT]/]NAME[:TAG][@DIGEST] in lower case, such as 10.25.31.102:5000/tomcat8")
	}
}

func (c checker) checkComponents(path string, all Components) {
	for key, component := range all.byKey() {
		for flag := range component.ExtraArgs {
			c.checkFlag(join(path+"."+key+".extraArgs", flag), flag)
		}
	}
}

func (c checker) checkFlag(path, flag string) {
	switch bare := strings.TrimLeft(flag, "-"); {
	case bare != flag && bare != "":
		c.refuseKey(path, "write "+bare, "flags are given without their dashes")
	case !isFlagName(flag):
		c.refuseKey(path, "write the flag's name, then a colon and its value, such as v: 2", "%s is not a flag's name", quote(flag))
	}
}

// isReservedAddress tells whether no host and no pod can have the address:
// unspecified, loopback, link-local, multicast or reserved.
func isReservedAddress(a netip.Addr) bool {
	for _, p := range reservedRanges() {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// reservedRanges are those of RFC 6890 that can't be used in a network.
func reservedRanges() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),
		netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("169.254.0.0/16"),
		netip.MustParsePrefix("224.0.0.0/3"),
	}
}
