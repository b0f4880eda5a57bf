//go:build lab

package nspawn

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// childEnv makes a test process bring up the lab that it names and wait to be killed.
const childEnv = "PROVISION_LAB_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		os.Exit(ownLab(name))
	}
	os.Exit(m.Run())
}

func ownLab(name string) int {
	_, err := Up(context.Background(), Options{Name: name, Hosts: []HostSpec{{Name: "a"}, {Name: "b"}}, Log: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		return 1
	}
	fmt.Fprintln(os.Stdout, "up")
	select {} // until killed
}

// startOwner starts a process that brings up a lab, and returns it and what it says.
func startOwner(t *testing.T, name string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	owner := exec.CommandContext(t.Context(), os.Args[0])
	owner.Env = append(os.Environ(), childEnv+"="+name)
	owner.Stderr = t.Output()
	said, err := owner.StdoutPipe()
	succeed(t, err)
	succeed(t, owner.Start())
	return owner, bufio.NewScanner(said)
}

func kill(t *testing.T, owner *exec.Cmd) {
	t.Helper()
	succeed(t, owner.Process.Kill())
	_ = owner.Wait() // tells only that it was killed
}

func TestDown_LeavesNothing(t *testing.T) {
	before := traces(t)
	lab, err := Up(t.Context(), Options{Name: labName(t), Hosts: []HostSpec{{Name: "a"}, {Name: "b", Flavour: Lean}}, Log: t.Output()})
	succeed(t, err)
	runSSH(t, lab, "a", "sysctl -w vm.overcommit_memory=1 kernel.panic=10; mkdir /sys/fs/cgroup/*/kubepods; "+
		"mkdir -p /var/lib/kubelet/m && mount -t tmpfs t /var/lib/kubelet/m && ip link add v0 type vxlan id 1 dstport 8472 dev host0")
	succeed(t, host(t, lab, "a").Reboot(t.Context()))
	succeed(t, host(t, lab, "b").Freeze(t.Context()))
	begin := time.Now()
	succeed(t, lab.Down(t.Context()))
	t.Logf("down took %s", time.Since(begin).Round(time.Millisecond))
	wantNoTraces(t, before)
	succeed(t, lab.Down(t.Context()))
}

func TestUp_InterruptedLeavesNothing(t *testing.T) {
	before := traces(t)
	for _, after := range []int{20, 100, 300, 600, 1000} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(after)*time.Millisecond)
		lab, err := Up(ctx, Options{Name: labName(t), Hosts: []HostSpec{{Name: "a"}, {Name: "b"}}})
		cancel()
		if err == nil {
			t.Logf("up within %d ms", after)
			succeed(t, lab.Down(t.Context()))
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %d ms: %v", after, err)
		}
		wantNoTraces(t, before)
	}
}

func TestCollect_LabOfAKilledOwnerLeavesNothing(t *testing.T) {
	before := traces(t)
	name := labName(t)
	owner, said := startOwner(t, name)
	if !said.Scan() || said.Text() != "up" {
		t.Fatalf("the owner said %q", said.Text())
	}
	succeed(t, Collect(t.Context(), t.Output()))
	lab, err := Open(t.Context(), name)
	if err != nil {
		t.Fatalf("a lab was collected while its owner lived: %v", err)
	}
	runSSH(t, lab, "a", "true")
	kill(t, owner)
	succeed(t, Collect(t.Context(), t.Output()))
	wantNoTraces(t, before)
}

func TestCollect_OwnerKilledWhileComingUpLeavesNothing(t *testing.T) {
	before := traces(t)
	for _, after := range []int{30, 60, 100, 150, 250, 400, 700} {
		owner, _ := startOwner(t, labName(t))
		<-time.After(time.Duration(after) * time.Millisecond) // a moment somewhere in Up
		kill(t, owner)
		succeed(t, Collect(t.Context(), t.Output()))
		wantNoTraces(t, before)
	}
}

func TestCollect_ForwardPolicyRulesAreRemoved(t *testing.T) {
	if _, err := exec.LookPath("iptables"); err != nil {
		t.Skip("the machine has no iptables")
	}
	if policy := outputLines(t, "iptables", "-S", "FORWARD")[0]; policy != "-P FORWARD ACCEPT" {
		t.Skipf("the machine has %s already", policy)
	}
	setPolicy := func(policy string) {
		if out, err := exec.Command("iptables", "-P", "FORWARD", policy).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	setPolicy("DROP") // as Docker does
	defer setPolicy("ACCEPT")
	before := traces(t)
	lab := up(t, HostSpec{Name: "a"}, HostSpec{Name: "b"})
	runSSH(t, lab, "a", "timeout 5 bash -c '</dev/tcp/b/22'")
	runSSH(t, lab, "a", "apt-get update -o APT::Update::Error-Mode=any")
	if rules := strings.Join(outputLines(t, "iptables", "-S", "FORWARD"), "\n"); !strings.Contains(rules, lab.state.tag()) {
		t.Fatalf("the lab has no rules:\n%s", rules)
	}
	succeed(t, lab.Down(t.Context()))
	wantNoTraces(t, before)
}
