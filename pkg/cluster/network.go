package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"provision/pkg/remote"
)

// podNetworks checks on each slave what the notes check first: the pod bridge
// lies inside the slave's flannel lease, and flannel's device is up.
func (v *verifier) podNetworks(ctx context.Context) {
	for _, slave := range v.Inventory.Slaves {
		v.check("pod-network", slave.Name, "on the slave: journalctl -u flanneld; cat /run/flannel/subnet.env /etc/cni/net.d/10-flannel.conflist; ip addr", func() (string, error) {
			host := v.Hosts[slave.Name]
			if host == nil {
				return "", errNoConnection
			}
			lease, err := readFile(ctx, host, "/run/flannel/subnet.env")
			if err != nil {
				return "", err
			}
			addresses, err := host.Run(ctx, remote.Command{Args: []string{"ip", "-o", "-4", "address", "show"}, Privileged: true})
			if err != nil {
				return "", err
			}
			conflist, err := readFile(ctx, host, "/etc/cni/net.d/10-flannel.conflist")
			if err != nil {
				return "", err
			}
			return podNetwork(string(lease), string(addresses.Stdout), string(conflist), v.Inventory.Network.Flannel.Backend == "vxlan")
		})
	}
}

// podNetwork compares what a slave told: its lease, its addresses as "ip -o -4
// address show" prints them, and its CNI configuration.
func podNetwork(lease, addresses, conflist string, vxlan bool) (string, error) {
	subnet, err := leaseSubnet(lease)
	if err != nil {
		return "", err
	}
	held := interfaceAddresses(addresses)
	var errs []error
	if !strings.Contains(conflist, `"`+subnet.String()+`"`) {
		errs = append(errs, fmt.Errorf("the CNI configuration is not made from the lease %s", subnet))
	}
	bridge, ok := held["cni0"]
	if ok && !subnet.Contains(bridge) {
		errs = append(errs, fmt.Errorf("the pod bridge cni0 has %s, outside the lease %s", bridge, subnet))
	}
	detail := "lease " + subnet.String()
	if ok {
		detail += ", cni0 " + bridge.String()
	}
	if vxlan {
		device, ok := held["flannel.1"]
		if !ok {
			errs = append(errs, errors.New("flannel's device flannel.1 has no address"))
		}
		detail += ", flannel.1 " + device.String()
	}
	return detail, errors.Join(errs...)
}

// leaseSubnet reads FLANNEL_SUBNET, the bridge's address in the lease.
func leaseSubnet(lease string) (netip.Prefix, error) {
	for line := range strings.Lines(lease) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "FLANNEL_SUBNET="); ok {
			prefix, err := netip.ParsePrefix(value)
			if err != nil {
				return netip.Prefix{}, fmt.Errorf("flannel's lease: %w", err)
			}
			return prefix.Masked(), nil
		}
	}
	return netip.Prefix{}, errors.New("flannel's lease names no subnet")
}

// interfaceAddresses maps interfaces to their first address.
func interfaceAddresses(output string) map[string]netip.Addr {
	held := map[string]netip.Addr{}
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[2] != "inet" {
			continue
		}
		prefix, err := netip.ParsePrefix(fields[3])
		if _, seen := held[fields[1]]; err == nil && !seen {
			held[fields[1]] = prefix.Addr()
		}
	}
	return held
}
