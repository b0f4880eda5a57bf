//go:build lab

package nspawn

import (
	"testing"

	"provision/e2e/lab/internal/wait"
)

func TestReboot_KeepsTheDisk(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"})
	a := host(t, lab, "a")
	execute(t, a, "echo kept > /root/file; echo lost > /run/file; mkdir /sys/fs/cgroup/*/leftover; ip link add v0 type dummy || true")
	succeed(t, a.Reboot(t.Context()))
	if got := execute(t, a, "cat /root/file; ls /run/file 2>/dev/null || true"); got != "kept" {
		t.Fatalf("after the reboot there is %q", got)
	}
	if got := execute(t, a, "ls -d /sys/fs/cgroup/*/leftover 2>/dev/null || true"); got != "" {
		t.Fatalf("control groups outlive a reboot: %s", got)
	}
}

func TestReboot_FromInside(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"})
	a := host(t, lab, "a")
	before, err := a.leader()
	succeed(t, err)
	_, _ = trySSH(t, lab, "a", "reboot")
	succeed(t, a.waitNewLeader(t.Context(), before))
	succeed(t, a.WaitSSH(t.Context()))
}

func TestFreeze_SilencesAndThawMends(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"}, HostSpec{Name: "b"})
	a := host(t, lab, "a")
	succeed(t, a.Freeze(t.Context()))
	wantStatus(t, a, Frozen)
	silent(t, a)
	execute(t, a, "true")
	runSSH(t, lab, "b", "true")
	succeed(t, a.Thaw(t.Context()))
	wantStatus(t, a, Running)
	succeed(t, a.WaitSSH(t.Context()))
}

func TestCut_SilencesAndHealMends(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"}, HostSpec{Name: "b"})
	a := host(t, lab, "a")
	succeed(t, a.Cut(t.Context()))
	wantStatus(t, a, Cut)
	silent(t, a)
	if out, err := trySSH(t, lab, "b", "timeout 1 bash -c '</dev/tcp/a/22'"); err == nil {
		t.Fatalf("b reaches a: %s", out)
	}
	succeed(t, a.Heal(t.Context()))
	wantStatus(t, a, Running)
	succeed(t, a.WaitSSH(t.Context()))
}

func TestPowerOff_EndsEverythingAndStartKeepsTheDisk(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"})
	a := host(t, lab, "a")
	execute(t, a, "echo kept > /root/file; echo too > /var/lib/etcd/file")
	succeed(t, a.PowerOff(t.Context()))
	wantStatus(t, a, Off)
	silent(t, a)
	if err := a.Reboot(t.Context()); err == nil {
		t.Fatal("a host without power has rebooted")
	}
	succeed(t, a.Start(t.Context()))
	if got := execute(t, a, "cat /root/file /var/lib/etcd/file"); got != "kept\ntoo" {
		t.Fatalf("after power came back there is %q", got)
	}
	if err := a.Start(t.Context()); err == nil {
		t.Fatal("a running host was started")
	}
}

func TestPowerOff_WorksOnAFrozenHost(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"})
	a := host(t, lab, "a")
	succeed(t, a.Freeze(t.Context()))
	succeed(t, a.PowerOff(t.Context()))
	wantStatus(t, a, Off)
	succeed(t, a.Start(t.Context()))
}

func TestStart_AfterPoweroffFromInside(t *testing.T) {
	lab := up(t, HostSpec{Name: "a"})
	a := host(t, lab, "a")
	_, _ = trySSH(t, lab, "a", "poweroff")
	succeed(t, wait.Until(t.Context(), pollInterval, "a is off", func() (bool, error) {
		now, err := a.Status()
		return now == Off, err
	}))
	succeed(t, a.Start(t.Context()))
}
