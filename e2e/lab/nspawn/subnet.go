package nspawn

import (
	"fmt"
	"net/netip"
	"slices"
)

const (
	// firstHost is the last octet of a lab's first host.
	firstHost = 11
	// lastHost is the highest octet that a host gets.
	lastHost = 250
	// reservedFrom and reservedTo bound the third octets that are only given to those who ask for them, so that the
	// addresses in a committed inventory are free when they are wanted.
	reservedFrom, reservedTo = 100, 109
)

// labNetwork is the range that labs take their subnets from: the lower half of what RFC 2544 sets aside for benchmarks.
func labNetwork() netip.Prefix { return netip.MustParsePrefix("198.18.0.0/16") }

// subnetOf returns the /24 with a third octet.
func subnetOf(octet byte) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, octet, 0}), 24)
}

// octetOf returns the third octet, by which everything that a lab makes on the machine is named.
func octetOf(subnet netip.Prefix) byte { return subnet.Addr().As4()[2] }

// checkSubnet says what is wrong with a subnet that somebody wishes for.
func checkSubnet(subnet netip.Prefix) error {
	if subnet.Bits() != 24 || subnet.Masked() != subnet || !labNetwork().Contains(subnet.Addr()) {
		return fmt.Errorf("subnet %s: a lab takes a /24 of %s, such as %s", subnet, labNetwork(), subnetOf(reservedFrom))
	}
	return nil
}

// pickSubnet returns the first subnet that overlaps none of those in use.
func pickSubnet(used []netip.Prefix) (netip.Prefix, error) {
	for octet := 1; octet < 255; octet++ {
		if octet >= reservedFrom && octet <= reservedTo {
			continue
		}
		subnet := subnetOf(byte(octet))
		if !slices.ContainsFunc(used, subnet.Overlaps) {
			return subnet, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("all subnets of %s are in use", labNetwork())
}

// gatewayOf returns the machine's own address in a subnet.
func gatewayOf(subnet netip.Prefix) netip.Addr { return subnet.Addr().Next() }

// pickAddr returns the first address of a subnet that no host has.
func pickAddr(subnet netip.Prefix, used []netip.Addr) (netip.Addr, error) {
	octets := subnet.Addr().As4()
	for last := firstHost; last <= lastHost; last++ {
		octets[3] = byte(last)
		if addr := netip.AddrFrom4(octets); !slices.Contains(used, addr) {
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("all host addresses of %s are in use", subnet)
}
