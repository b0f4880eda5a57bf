//go:build lab

package nspawn

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestUp_HostsAnswerBySSH(t *testing.T) {
	begin := time.Now()
	lab := up(t, HostSpec{Name: "a"}, HostSpec{Name: "b"})
	t.Logf("two hosts took %s", time.Since(begin).Round(time.Millisecond))
	for i, name := range []string{"a", "b"} {
		if got := runSSH(t, lab, name, "hostname"); got != name {
			t.Errorf("%s calls itself %q", name, got)
		}
		if got, want := host(t, lab, name).Addr.As4()[3], byte(firstHost+i); got != want {
			t.Errorf("%s has last octet %d, want %d", name, got, want)
		}
		if got := runSSH(t, lab, name, "systemctl is-system-running --wait"); got != "running" {
			t.Errorf("%s is %s", name, got)
		}
	}
}

func TestUp_OperatorBecomesRootWithoutPassword(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"})
	if got := runSSH(t, lab, "ops@a", "sudo -n id -un"); got != "root" {
		t.Fatalf("ops becomes %q", got)
	}
}

func TestUp_HostsKnowAndReachEachOther(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"}, HostSpec{Name: "b"})
	runSSH(t, lab, "a", "timeout 5 bash -c '</dev/tcp/b/22'")
	if got, want := runSSH(t, lab, "b", "echo $SSH_CLIENT"), lab.Gateway.String(); !strings.HasPrefix(got, want) {
		t.Errorf("the machine comes from %q, want %s", got, want)
	}
}

func TestUp_LeanHostHasNoComforts(t *testing.T) {
	lab := up(t, HostSpec{Name: "a", Flavour: Lean})
	for _, program := range []string{"sudo", "curl", "wget", "python3", "openssl", "iptables", "chronyd", "containerd"} {
		if out, err := trySSH(t, lab, "a", "command -v "+program); err == nil {
			t.Errorf("a lean host has %s", out)
		}
	}
}

func TestUp_SameNameTwiceIsRefused(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"})
	_, err := Up(t.Context(), Options{Name: lab.Name, Hosts: []HostSpec{{Name: "a"}}})
	if !errors.Is(err, ErrUp) {
		t.Fatalf("got %v, want ErrUp", err)
	}
	runSSH(t, lab, "a", "true")
}

func TestUp_TakenSubnetIsRefused(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"})
	_, err := Up(t.Context(), Options{Name: labName(t), Subnet: lab.Subnet, Hosts: []HostSpec{{Name: "a"}}})
	if err == nil || !strings.Contains(err.Error(), "taken by lab "+lab.Name) {
		t.Fatalf("got %v", err)
	}
}

func TestUp_LabsSideBySideDoNotMeet(t *testing.T) {
	first, second := up(t, HostSpec{Name: "a"}), up(t, HostSpec{Name: "a"})
	if first.Subnet.Overlaps(second.Subnet) {
		t.Fatalf("%s and %s overlap", first.Subnet, second.Subnet)
	}
	succeed(t, first.Down(t.Context()))
	runSSH(t, second, "a", "true")
}

func TestOpen_AnotherProcessesLab(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"})
	opened, err := Open(t.Context(), lab.Name)
	succeed(t, err)
	if opened.Subnet != lab.Subnet || opened.KeyFile != lab.KeyFile {
		t.Fatalf("opened %+v", opened)
	}
	succeed(t, host(t, opened, "a").WaitSSH(t.Context()))
	if _, err := Open(t.Context(), labName(t)); !errors.Is(err, ErrNotUp) {
		t.Fatalf("got %v, want ErrNotUp", err)
	}
}

func TestAdd_NewHostIsKnownAndKnows(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"})
	added, err := lab.Add(t.Context(), HostSpec{Name: "b", Flavour: Lean})
	succeed(t, err)
	runSSH(t, lab, "a", "timeout 5 bash -c '</dev/tcp/b/22'")
	runSSH(t, lab, "b", "timeout 5 bash -c '</dev/tcp/a/22'")
	if _, err := lab.Add(t.Context(), HostSpec{Name: "b"}); err == nil {
		t.Fatal("two hosts of one name")
	}
	succeed(t, added.Destroy(t.Context()))
	if out := execute(t, host(t, lab, "a"), "cat /etc/hosts"); strings.Contains(out, added.Addr.String()) {
		t.Fatalf("a still knows b:\n%s", out)
	}
	if _, err := lab.Host("b"); err == nil {
		t.Fatal("the lab still has b")
	}
}

func TestHost_PackagesInstallAndChronyRunsWithoutTouchingTheClock(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"})
	runSSH(t, lab, "a", "apt-get install -y chrony")
	if got := runSSH(t, lab, "a", "systemctl is-active chrony"); got != "active" {
		t.Fatalf("chrony is %s", got)
	}
	if got := runSSH(t, lab, "a", "cat /proc/$(pidof -s chronyd)/cmdline | tr '\\0' ' '"); !strings.Contains(got, "-x") {
		t.Fatalf("chronyd may set the clock: %s", got)
	}
	if out, err := trySSH(t, lab, "a", "date --set=2020-01-01"); err == nil {
		t.Fatalf("a host has set the machine's clock: %s", out)
	}
}

// What kubelet, kube-proxy, flannel and containerd do to a host at their start must work.
func TestHost_AllowsWhatANodeNeeds(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"})
	for what, script := range map[string]string{
		"forwarding":       "sysctl -w net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1",
		"kubelet's sysctl": "sysctl -w vm.overcommit_memory=1 kernel.panic=10 kernel.panic_on_oops=1",
		"vxlan":            "ip link add v0 type vxlan id 1 dstport 8472 dev host0 && ip link delete v0",
		"bridge and veth":  "ip link add br9 type bridge && ip link add v1 type veth peer v2 && ip link set v1 master br9",
		"nft":              "nft add table ip x && nft list ruleset && nft delete table ip x",
		"iptables":         "iptables -t nat -A POSTROUTING -s 10.244.0.0/16 -m comment --comment x -j MASQUERADE",
		"conntrack":        "conntrack -L",
		"control groups":   `for g in /sys/fs/cgroup/*/; do [ ! -e $g/cgroup.procs ] || { mkdir $g/kubepods && rmdir $g/kubepods; } || exit 1; done`,
		"shared mounts":    "findmnt -no PROPAGATION / | grep -q shared",
		"no swap":          `[ -z "$(swapon --show)" ]`,
		"kernel messages":  "dd if=/dev/kmsg of=/dev/null count=1 iflag=nonblock",
		"tun":              "[ -c /dev/net/tun ]",
		"overlay": "cd /var/lib/containerd && mkdir l u w m && mount -t overlay -o lowerdir=l,upperdir=u,workdir=w overlay m && " +
			"umount m && rm -r l u w m",
	} {
		if out, err := trySSH(t, lab, "a", "set -e; "+script); err != nil {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
	}
}

func TestUp_SixteenHosts(t *testing.T) {
	var specs []HostSpec
	for i := range 16 {
		specs = append(specs, HostSpec{Name: fmt.Sprintf("h%02d", i)})
	}
	begin := time.Now()
	lab := up(t, specs...)
	t.Logf("sixteen hosts took %s", time.Since(begin).Round(time.Millisecond))
	runSSH(t, lab, "h15", "timeout 5 bash -c '</dev/tcp/h00/22'")
}
