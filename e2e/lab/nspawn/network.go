package nspawn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"

	"provision/e2e/lab/internal/command"
)

// makeNetwork makes the lab's bridge and lets its hosts reach, masqueraded, what the machine reaches.
func (s *state) makeNetwork(ctx context.Context) error {
	bridge := s.tag()
	address := netip.PrefixFrom(gatewayOf(s.Subnet), s.Subnet.Bits()).String()
	// The address is fixed, as else the bridge takes that of whichever host comes first, and changes it with the hosts.
	ether := fmt.Sprintf("02:00:c6:12:%02x:01", octetOf(s.Subnet))
	for _, argv := range [][]string{
		{"link", "add", bridge, "address", ether, "type", "bridge"},
		{"address", "add", address, "dev", bridge},
		{"link", "set", bridge, "up"},
	} {
		if err := command.Run(ctx, "ip", argv...); err != nil {
			return fmt.Errorf("make bridge of lab %s: %w", s.Name, err)
		}
	}
	if _, err := command.Feed(ctx, s.packetRules(), "nft", "-f", "-"); err != nil {
		return fmt.Errorf("masquerade lab %s: %w", s.Name, err)
	}
	return s.passForwardPolicy(ctx)
}

// packetRules are the lab's own table. What goes from host to host stays as it is: where bridged packets pass the packet
// filter too, masquerading them would hide a host's address from its neighbours.
func (s *state) packetRules() string {
	return fmt.Sprintf(`table ip %[1]s {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr %[2]s ip daddr != %[2]s oifname != "%[1]s" masquerade comment "provision lab %[3]s"
	}
}
`, s.tag(), s.Subnet, s.Name)
}

// passForwardPolicy lets the lab's packets through where the machine forwards none by default, as Docker arranges. A rule
// of another table could not overrule that.
func (s *state) passForwardPolicy(ctx context.Context) error {
	rules, err := forwardRules(ctx)
	if err != nil || !strings.Contains(rules, "-P FORWARD DROP") {
		return err
	}
	for _, rule := range s.forwardRules() {
		if err := command.Run(ctx, "iptables", append([]string{"-w", "-I", "FORWARD"}, rule...)...); err != nil {
			return fmt.Errorf("let lab %s through the machine's packet filter: %w", s.Name, err)
		}
	}
	return nil
}

func (s *state) forwardRules() [][]string {
	return [][]string{{"-i", s.tag(), "-j", "ACCEPT"}, {"-o", s.tag(), "-j", "ACCEPT"}}
}

// forwardRules lists the machine's forwarding rules; none where it has no iptables, for then nobody made any.
func forwardRules(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("iptables"); errors.Is(err, exec.ErrNotFound) {
		return "", nil
	}
	rules, err := command.Output(ctx, "iptables", "-w", "-S", "FORWARD")
	if err != nil {
		return "", fmt.Errorf("list forwarding rules: %w", err)
	}
	return string(rules), nil
}

// removeNetwork removes whatever of makeNetwork's work is there.
func (s *state) removeNetwork(ctx context.Context) error {
	var failed []error
	if linkExists(s.tag()) {
		failed = append(failed, command.Run(ctx, "ip", "link", "delete", s.tag()))
	}
	tables, err := command.Output(ctx, "nft", "list", "tables", "ip")
	failed = append(failed, err)
	if strings.Contains(string(tables)+"\n", "table ip "+s.tag()+"\n") {
		failed = append(failed, command.Run(ctx, "nft", "delete", "table", "ip", s.tag()))
	}
	rules, err := forwardRules(ctx)
	failed = append(failed, err)
	for _, rule := range s.forwardRules() {
		if strings.Contains(rules, "-A FORWARD "+strings.Join(rule, " ")) {
			failed = append(failed, command.Run(ctx, "iptables", append([]string{"-w", "-D", "FORWARD"}, rule...)...))
		}
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("remove network of lab %s: %w", s.Name, err)
	}
	return nil
}

func linkExists(name string) bool {
	_, err := net.InterfaceByName(name)
	return err == nil
}

// usedNetworks returns the networks that the machine's links are in.
func usedNetworks() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the machine's addresses: %w", err)
	}
	var used []netip.Prefix
	for _, addr := range addrs {
		if prefix, err := netip.ParsePrefix(addr.String()); err == nil {
			used = append(used, prefix.Masked())
		}
	}
	return used, nil
}
