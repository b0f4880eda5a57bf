//go:build lab

package reach

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// peers are the addresses from which someone has logged in to a host since a
// mark in its journal.
func peers(t *testing.T, name, since string) string {
	t.Helper()
	return on(t, name, "journalctl --sync; journalctl --quiet --output cat -t sshd -t mark | sed -n '/^"+since+"$/,$ s/^Accepted .* from \\([0-9.]*\\) .*/\\1/p'")
}

// mark writes a mark into a host's journal.
func mark(t *testing.T, name string) string {
	t.Helper()
	text := rand.Text()
	on(t, name, "echo "+text+" | systemd-cat -t mark; journalctl --sync")
	return text
}

func TestJump_ChainFromTheInventory(t *testing.T) {
	gate1, gate2, node := mark(t, "gate1"), mark(t, "gate2"), mark(t, "node")
	chain := fmt.Sprintf("root@%s,root@%s:22", host(t, "gate1").Addr, host(t, "gate2").Addr)
	newOperator(t, "jump: '"+chain+"'").converges() // two runs
	for name, want := range map[string]struct{ since, from string }{
		"gate1": {gate1, lab.Gateway.String()},
		"gate2": {gate2, host(t, "gate1").Addr.String()},
		"node":  {node, host(t, "gate2").Addr.String()},
	} {
		if got := peers(t, name, want.since); got != strings.Repeat(want.from+"\n", 2) {
			t.Errorf("%s was entered from %q, want %s twice", name, got, want.from)
		}
	}
}

// The operator's ssh_config counts, by name and by address, and the inventory
// over it.
func TestSSHConfig_JumpUserAndKnownHosts(t *testing.T) {
	account(t, "NOPASSWD:")
	o := newOperator(t, "identityFile: '', knownHosts: ''")
	o.must(3, []string{"plan"}, "connect to node (root@")
	o.file(".ssh/config", fmt.Sprintf(`
Host gate
	HostName %s
	User root
Host node
	User person
	ProxyJump gate
Host *
	IdentityFile %s
	UserKnownHostsFile %s
`, host(t, "gate1").Addr, lab.KeyFile, lab.KnownHostsFile))
	since := mark(t, "node")
	o.must(2, []string{"plan"})
	if got := peers(t, "node", since); got != host(t, "gate1").Addr.String()+"\n" {
		t.Errorf("node was entered from %q", got)
	}
	o.write("node", "identityFile: '', knownHosts: '', jump: none, user: root", "")
	since = mark(t, "node")
	o.must(2, []string{"plan"})
	if got := peers(t, "node", since); got != lab.Gateway.String()+"\n" {
		t.Errorf("node was entered from %q", got)
	}
	o.write("node", "identityFile: '', knownHosts: '', config: none", "")
	o.must(3, []string{"plan"})
}

func TestHostKeys_UnknownScannedPinned(t *testing.T) {
	o := newOperator(t, "knownHosts: none-yet")
	o.must(3, []string{"plan"}, "does not exist", "ssh-keyscan", "hostkeys scan")
	scan := o.must(2, []string{"hostkeys", "scan"}, "unknown", "ssh-keygen -lf")
	pin := regexp.MustCompile(`ssh-ed25519 SHA256:\S{43}`).FindString(scan.output)
	has := on(t, "node", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d ' ' -f 2")
	if pin != "ssh-ed25519 "+strings.TrimSpace(has) {
		t.Fatalf("scan shows %q, the host has %s", pin, has)
	}
	o.write("node", "knownHosts: none-yet, hostKeys: ["+pin+"]", "")
	o.must(2, []string{"plan"})
	o.must(0, []string{"hostkeys", "scan"}, "known")
	o.write("node", "knownHosts: none-yet, hostKeys: [ssh-ed25519 SHA256:"+strings.Repeat("A", 43)+"]", "")
	o.must(3, []string{"plan"}, "but the inventory says", "SHA256:AAAA", pin)
}

func TestHostKeys_AcceptNewThenChanged(t *testing.T) {
	o := newOperator(t, "knownHosts: learnt, unknownHosts: accept-new")
	o.must(2, []string{"plan"})
	known, err := os.ReadFile(filepath.Join(o.home, "learnt"))
	if err != nil || strings.Count(string(known), "\n") != 1 {
		t.Fatalf("known_hosts: %q, %v", known, err)
	}
	before := on(t, "node", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d ' ' -f 2")
	restored(t, "node", `cd /etc/ssh && mkdir before && cp -p ssh_host_* before/ && rm ssh_host_ed25519_key* && ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key && systemctl reset-failed ssh && systemctl restart ssh`,
		"cd /etc/ssh && mv before/* . && rmdir before && systemctl reset-failed ssh && systemctl restart ssh")
	after := on(t, "node", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d ' ' -f 2")
	o.must(3, []string{"plan"}, strings.TrimSpace(before), strings.TrimSpace(after), "learnt:1", "someone may be listening in", "ssh-keygen -f")
	o.must(2, []string{"hostkeys", "scan"}, "changed")
}

// Whatever an inventory holds reaches the host as it is, and whatever a host
// says is shown and not obeyed.
func TestHostile_InventoryAndAnswersStayData(t *testing.T) {
	const pwned = "/pwned"
	values := []string{
		`'; touch /pwned; '`, `$(touch /pwned)`, "`touch /pwned`", `"; touch /pwned; "`, "a\\nb\\n.\\nrun\\n3\\n0\\n\\ntouch", `-rf`, `--`, `*`, "né ∞", `\\`, `%s%n`,
		strings.Repeat("x$(touch /pwned)", 4096),
	}
	var args strings.Builder
	for i, value := range values {
		fmt.Fprintf(&args, "      a%d: %q\n", i, value)
	}
	o := newOperator(t, "")
	o.write("node", "", "components:\n  kubelet:\n    extraArgs:\n"+args.String())
	restored(t, "node", `cp -p /etc/os-release /etc/os-release.before && cat >/etc/os-release <<'END'
ID="$(touch /pwned)"
PRETTY_NAME="`+"`touch /pwned`"+`"
ID_LIKE='debian; touch /pwned'
END
mkdir -p /etc/reach && printf 'evil \033[2J $(touch /pwned)\n' >/etc/reach/args`, "mv /etc/os-release.before /etc/os-release; rm -f /pwned")
	if r := o.must(2, []string{"plan"}); strings.Contains(r.output, "\033") {
		t.Errorf("the host drives the operator's terminal: %q", r.output)
	}
	o.converges()
	content := on(t, "node", "cat /etc/reach/args")
	for _, value := range []string{`touch /pwned; `, `$(touch /pwned)`, "né"} {
		if !strings.Contains(content, value) {
			t.Errorf("%q did not arrive", value)
		}
	}
	for _, name := range []string{"node", "gate1"} {
		if out := on(t, name, "ls "+pwned+" 2>/dev/null || true"); out != "" {
			t.Errorf("%s: it was executed", name)
		}
	}
	if _, err := os.Stat(pwned); err == nil {
		t.Error("it was executed here")
	}
}
