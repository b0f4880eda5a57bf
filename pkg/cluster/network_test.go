package cluster

import (
	"net/netip"
	"strings"
	"testing"

	"provision/pkg/inventory"
)

func TestPodNetwork(t *testing.T) {
	const (
		lease   = "FLANNEL_NETWORK=172.17.0.0/16\nFLANNEL_SUBNET=172.17.5.1/24\nFLANNEL_MTU=1450\n"
		device  = "3: flannel.1    inet 172.17.5.0/32 scope global flannel.1\n"
		bridge  = "4: cni0    inet 172.17.5.1/24 brd 172.17.5.255 scope global cni0\n"
		up      = "3: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450\n4: cni0: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1450\n5: veth1@if2: <UP> mtu 1450\n"
		backend = "vxlan"
	)
	own := conflistOf("172.17.5.0/24")
	tests := []struct {
		name    string
		facts   podNetwork
		backend string
		ranPod  bool
		want    string
	}{
		{"as it should be", podNetwork{lease, own, device + bridge, up}, backend, true, ""},
		{"no pod has run yet", podNetwork{lease, own, device, up}, backend, false, ""},
		{"host-gw has no device", podNetwork{lease, own, bridge, up}, "host-gw", true, ""},
		{"a second address of the bridge", podNetwork{lease, own, device + "4: cni0    inet 10.1.1.1/24 scope global cni0\n" + bridge, up}, backend, true, ""},
		{"no device", podNetwork{lease, own, bridge, up}, backend, true, "flannel.1 has no address"},
		{"device is down", podNetwork{lease, own, device + bridge, strings.Replace(up, ",UP,LOWER_UP", "", 1)}, backend, true, "flannel.1 is down"},
		{"a pod ran without the bridge", podNetwork{lease, own, device, up}, backend, true, "no pod bridge cni0"},
		{"bridge outside the lease", podNetwork{lease, own, device + strings.Replace(bridge, "172.17.5.1", "172.17.0.1", 1), up}, backend, true, "cni0 has 172.17.0.1, outside the lease 172.17.5.0/24"},
		{"bridge is down", podNetwork{lease, own, device + bridge, strings.Replace(up, "MULTICAST,UP>", "MULTICAST>", 1)}, backend, true, "cni0 is down"},
		{"CNI of another lease", podNetwork{lease, conflistOf("172.17.6.0/24"), device + bridge, up}, backend, true, `"172.17.6.0/24"] instead of the lease 172.17.5.0/24`},
		{"CNI is damaged", podNetwork{lease, "{", device + bridge, up}, backend, true, "CNI configuration"},
		{"no CNI", podNetwork{lease, "", device + bridge, up}, backend, true, "there is no /etc/cni"},
		{"another network", podNetwork{strings.Replace(lease, "172.17.0.0/16", "10.9.0.0/16", 1), own, device + bridge, up}, backend, true, "flannel's network is 10.9.0.0/16, the inventory's 172.17.0.0/16"},
		{"lease outside its network", podNetwork{strings.Replace(lease, "172.17.5.1", "10.9.5.1", 1), own, device + bridge, up}, backend, true, "outside its network"},
		{"no lease", podNetwork{"", own, device + bridge, up}, backend, true, "no lease"},
		{"lease without subnet", podNetwork{"FLANNEL_MTU=1450\n", own, device + bridge, up}, backend, true, "names no subnet"},
		{"damaged lease", podNetwork{"FLANNEL_SUBNET=x\n", own, device + bridge, up}, backend, true, "FLANNEL_SUBNET"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			network := inventory.Network{PodCIDR: netip.MustParsePrefix("172.17.0.0/16"), Flannel: inventory.Flannel{Backend: tt.backend}}
			detail, err := tt.facts.judge(network, tt.ranPod)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v, want %q", detail, err, tt.want)
			}
		})
	}
}
