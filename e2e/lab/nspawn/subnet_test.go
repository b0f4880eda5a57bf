package nspawn

import (
	"net/netip"
	"testing"
)

func TestPickSubnet_FirstFree(t *testing.T) {
	got, err := pickSubnet([]netip.Prefix{subnetOf(1), netip.MustParsePrefix("198.18.2.128/25"), netip.MustParsePrefix("10.0.0.0/8")})
	if err != nil || got != subnetOf(3) {
		t.Fatalf("got %s, %v", got, err)
	}
}

func TestPickSubnet_ReservedAreNotGivenAway(t *testing.T) {
	var used []netip.Prefix
	for {
		got, err := pickSubnet(used)
		if err != nil {
			break
		}
		if octet := octetOf(got); octet >= reservedFrom && octet <= reservedTo {
			t.Fatalf("%s is reserved", got)
		}
		used = append(used, got)
	}
	if len(used) != 244 {
		t.Fatalf("gave away %d subnets", len(used))
	}
}

func TestPickSubnet_AllTaken(t *testing.T) {
	if got, err := pickSubnet([]netip.Prefix{labNetwork()}); err == nil {
		t.Fatalf("got %s although all is taken", got)
	}
}

func TestPickAddr_InOrderAndRefilled(t *testing.T) {
	subnet := subnetOf(7)
	first, err := pickAddr(subnet, nil)
	if err != nil || first.String() != "198.18.7.11" {
		t.Fatalf("got %s, %v", first, err)
	}
	third := netip.MustParseAddr("198.18.7.13")
	second, err := pickAddr(subnet, []netip.Addr{first, third})
	if err != nil || second.String() != "198.18.7.12" {
		t.Fatalf("got %s, %v", second, err)
	}
}

func TestPickAddr_Full(t *testing.T) {
	var used []netip.Addr
	for {
		addr, err := pickAddr(subnetOf(1), used)
		if err != nil {
			break
		}
		used = append(used, addr)
	}
	if len(used) != lastHost-firstHost+1 {
		t.Fatalf("gave away %d addresses", len(used))
	}
}

func TestCheckSubnet(t *testing.T) {
	for text, good := range map[string]bool{
		"198.18.7.0/24":  true,
		"198.18.7.1/24":  false,
		"198.18.0.0/16":  false,
		"198.19.7.0/24":  false,
		"192.168.1.0/24": false,
	} {
		if err := checkSubnet(netip.MustParsePrefix(text)); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestGatewayOf(t *testing.T) {
	if got := gatewayOf(subnetOf(7)).String(); got != "198.18.7.1" {
		t.Fatal(got)
	}
}
