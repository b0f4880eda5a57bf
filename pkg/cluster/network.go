package cluster

import (
	"context"
	_ "embed" // the script
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"provision/pkg/inventory"
	"provision/pkg/remote"
)

//go:embed podnetwork.sh
var podNetworkScript string

const podNetworkHint = "on the slave: journalctl -u flanneld; cat /run/flannel/subnet.env /etc/cni/net.d/10-flannel.conflist; ip addr; several addresses: network.flannel.interface"

// podNetworks checks on each slave what the notes check first: the pod bridge
// lies inside the slave's flannel lease, and flannel's device is up.
func (v *verifier) podNetworks(ctx context.Context, pods []pod) []Check {
	return each(v.Inventory.Slaves, func(slave inventory.Host) Check {
		start := time.Now()
		ranPod := slices.ContainsFunc(pods, func(p pod) bool { return p.Spec.NodeName == slave.Name && p.ready() })
		check := Check{Name: "pod-network", Host: slave.Name, Hint: podNetworkHint}
		facts, err := v.lookAtPodNetwork(ctx, slave.Name)
		if err == nil {
			check.Detail, err = facts.judge(v.Inventory.Network, ranPod)
		}
		return v.note(start, check, err)
	})
}

// podNetwork is what a slave tells of its pod network.
type podNetwork struct {
	lease     string // /run/flannel/subnet.env
	conflist  string // /etc/cni/net.d/10-flannel.conflist
	addresses string // ip -o -4 address show
	links     string // ip -o link show
}

func (v *verifier) lookAtPodNetwork(ctx context.Context, slave string) (podNetwork, error) {
	host := v.Hosts[slave]
	if host == nil {
		return podNetwork{}, errNoConnection
	}
	ctx, cancel := context.WithTimeout(ctx, v.settle())
	defer cancel()
	result, err := host.Run(ctx, remote.Command{Name: "look at the pod network", Args: []string{"sh", "-c", podNetworkScript}, Privileged: true})
	if err != nil {
		return podNetwork{}, err
	}
	sections, err := splitSections(result.Stdout, 4)
	if err != nil {
		return podNetwork{}, err
	}
	return podNetwork{string(sections[0]), string(sections[1]), string(sections[2]), string(sections[3])}, nil
}

// judge compares what a slave told with itself and with the inventory. A slave
// that ran a pod has a pod bridge.
func (p podNetwork) judge(network inventory.Network, ranPod bool) (string, error) {
	subnet, err := p.subnet(network.PodCIDR.Masked())
	if err != nil {
		return "", err
	}
	held, up := interfaceAddresses(p.addresses), interfacesUp(p.links)
	errs := []error{namesSubnet(p.conflist, subnet)}
	detail := "lease " + subnet.String()
	switch bridge, ok := held["cni0"]; {
	case ok && !slices.ContainsFunc(bridge, subnet.Contains):
		errs = append(errs, fmt.Errorf("the pod bridge cni0 has %s, outside the lease %s", bridge[0], subnet))
	case ok && !up["cni0"]:
		errs = append(errs, errors.New("the pod bridge cni0 is down"))
	case ok:
		detail += ", cni0 " + bridge[0].String()
	case ranPod:
		errs = append(errs, errors.New("there is no pod bridge cni0 though a pod ran here: another CNI configuration is in /etc/cni/net.d"))
	}
	if network.Flannel.Backend == "vxlan" {
		device, ok := held["flannel.1"]
		switch {
		case !ok:
			errs = append(errs, errors.New("flannel's device flannel.1 has no address"))
		case !up["flannel.1"]:
			errs = append(errs, errors.New("flannel's device flannel.1 is down"))
		default:
			detail += ", flannel.1 " + device[0].String()
		}
	}
	return detail, errors.Join(errs...)
}

// subnet is the slave's share of the pod network.
func (p podNetwork) subnet(network netip.Prefix) (netip.Prefix, error) {
	lease := map[string]netip.Prefix{}
	for line := range strings.Lines(p.lease) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key != "FLANNEL_NETWORK" && key != "FLANNEL_SUBNET" {
			continue
		}
		prefix, err := netip.ParsePrefix(value)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("flannel's lease: %s: %w", key, err)
		}
		lease[key] = prefix.Masked()
	}
	subnet, found := lease["FLANNEL_SUBNET"]
	switch {
	case p.lease == "":
		return netip.Prefix{}, errors.New("flannel has no lease: there is no /run/flannel/subnet.env")
	case !found:
		return netip.Prefix{}, errors.New("flannel's lease names no subnet")
	case lease["FLANNEL_NETWORK"] != network:
		return netip.Prefix{}, fmt.Errorf("flannel's network is %s, the inventory's %s", lease["FLANNEL_NETWORK"], network)
	case !network.Overlaps(subnet) || subnet.Bits() < network.Bits():
		return netip.Prefix{}, fmt.Errorf("flannel's lease %s is outside its network %s", subnet, network)
	}
	return subnet, nil
}

// namesSubnet tells whether a CNI configuration gives addresses of a subnet
// (the host-local plugin's ranges).
func namesSubnet(conflist string, subnet netip.Prefix) error {
	if conflist == "" {
		return errors.New("there is no /etc/cni/net.d/10-flannel.conflist")
	}
	var config struct {
		Plugins []struct {
			IPAM struct {
				Ranges [][]struct {
					Subnet string `json:"subnet"`
				} `json:"ranges"`
			} `json:"ipam"`
		} `json:"plugins"`
	}
	if err := json.Unmarshal([]byte(conflist), &config); err != nil {
		return fmt.Errorf("the CNI configuration: %w", err)
	}
	var named []string
	for _, plugin := range config.Plugins {
		for _, set := range plugin.IPAM.Ranges {
			for _, part := range set {
				named = append(named, part.Subnet)
			}
		}
	}
	if len(named) != 1 || named[0] != subnet.String() {
		return fmt.Errorf("the CNI configuration gives addresses of %q instead of the lease %s", named, subnet)
	}
	return nil
}

// interfaceAddresses maps interfaces to their addresses.
func interfaceAddresses(output string) map[string][]netip.Addr {
	held := map[string][]netip.Addr{}
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[2] != "inet" {
			continue
		}
		if prefix, err := netip.ParsePrefix(fields[3]); err == nil {
			held[fields[1]] = append(held[fields[1]], prefix.Addr())
		}
	}
	return held
}

// interfacesUp are the interfaces that have the flag UP; the name of a link with
// a peer is followed by @ and the peer.
func interfacesUp(output string) map[string]bool {
	up := map[string]bool{}
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(fields[1], ":"), "@")
		flags := strings.Split(strings.Trim(fields[2], "<>"), ",")
		up[name] = slices.Contains(flags, "UP")
	}
	return up
}
