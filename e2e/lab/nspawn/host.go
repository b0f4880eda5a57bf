package nspawn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"provision/e2e/lab/internal/cgroup"
	"provision/e2e/lab/internal/command"
	"provision/e2e/lab/internal/flock"
	"provision/e2e/lab/internal/proc"
	"provision/e2e/lab/internal/wait"
)

// Status is what condition a host is in.
type Status string

// The conditions of a host.
const (
	Running Status = "running"
	Frozen  Status = "frozen" // stopped in its tracks
	Cut     Status = "cut"    // runs, but its cable is out
	Off     Status = "off"
)

// Host is one host of a lab.
type Host struct {
	Name    string
	Addr    netip.Addr
	Flavour string

	lab  *Lab
	self hostState
}

// Status looks what condition the host is in.
func (h *Host) Status() (Status, error) {
	groups, err := h.groups()
	if err != nil {
		return "", err
	}
	pids, err := groups.PIDs()
	if err != nil || len(pids) == 0 {
		return Off, err
	}
	frozen, err := groups.Frozen()
	if err != nil || frozen {
		return Frozen, err
	}
	link, err := net.InterfaceByName(h.cable())
	if err == nil && link.Flags&net.FlagUp == 0 {
		return Cut, nil
	}
	return Running, nil
}

// Reboot makes the host shut down in good order and boot again, and returns when it answers by SSH.
func (h *Host) Reboot(ctx context.Context) error {
	before, err := h.leader()
	if err != nil {
		return fmt.Errorf("reboot %s: %w", h.Name, err)
	}
	// The command may be killed by what it does before it can say that it was done, so its end says nothing.
	_, asked := h.Exec(ctx, "systemctl", "reboot")
	if err := h.waitNewLeader(ctx, before); err != nil {
		return fmt.Errorf("reboot %s: %w", h.Name, errors.Join(err, asked))
	}
	return h.WaitSSH(ctx)
}

// waitNewLeader waits until the host runs under another first process.
func (h *Host) waitNewLeader(ctx context.Context, before int) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	return wait.Until(ctx, pollInterval, h.Name+" has shut down and boots", func() (bool, error) {
		now, err := h.leader()
		if errors.Is(err, errNotRunning) {
			return false, nil
		}
		return now != before, err
	})
}

// Freeze stops all processes of the host where they are. Its connections stay open and answer nothing.
func (h *Host) Freeze(ctx context.Context) error {
	return h.control(ctx, "freeze", (*cgroup.Tree).Freeze)
}

// Thaw lets a frozen host go on.
func (h *Host) Thaw(ctx context.Context) error { return h.control(ctx, "thaw", (*cgroup.Tree).Thaw) }

func (h *Host) control(ctx context.Context, what string, act func(*cgroup.Tree, context.Context) error) error {
	_, err := h.leader()
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, h.Name, err)
	}
	groups, err := h.groups()
	if err == nil {
		err = act(groups, ctx)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, h.Name, err)
	}
	return nil
}

// Cut pulls the host's cable. A host that boots has its cable plugged in again.
func (h *Host) Cut(ctx context.Context) error { return h.setCable(ctx, "down") }

// Heal plugs it in again.
func (h *Host) Heal(ctx context.Context) error { return h.setCable(ctx, "up") }

func (h *Host) setCable(ctx context.Context, to string) error {
	_, err := h.leader()
	if err == nil {
		err = command.Run(ctx, "ip", "link", "set", h.cable(), to)
	}
	if err != nil {
		return fmt.Errorf("set cable of %s %s: %w", h.Name, to, err)
	}
	return nil
}

// PowerOff cuts the host's power: all its processes are gone at once. Its disk stays.
func (h *Host) PowerOff(ctx context.Context) error {
	return h.change(ctx, "power off", func(s *state, _ *flock.Lock) error { return s.kill(ctx, h.self) })
}

// Start boots a host that is powered off, from the disk that it had, and returns when it answers by SSH.
func (h *Host) Start(ctx context.Context) error {
	err := h.change(ctx, "start", func(s *state, lock *flock.Lock) error {
		if now, err := h.Status(); err != nil || now != Off {
			return errors.Join(err, fmt.Errorf("the host is %s", now))
		}
		if err := s.unplug(ctx, h.self); err != nil {
			return err
		}
		return s.launch(ctx, h.self, lock)
	})
	if err != nil {
		return err
	}
	return h.WaitSSH(ctx)
}

// Destroy ends the host for good; its name and address are free again.
func (h *Host) Destroy(ctx context.Context) error {
	return h.change(ctx, "destroy", func(s *state, _ *flock.Lock) error { return s.remove(ctx, h.self) })
}

// change changes the lab if it still has this host.
func (h *Host) change(ctx context.Context, what string, edit func(*state, *flock.Lock) error) error {
	err := h.lab.change(ctx, func(s *state, lock *flock.Lock) error {
		if !s.has(h.Name) {
			return fmt.Errorf("lab %s no longer has it", s.Name)
		}
		return edit(s, lock)
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, h.Name, err)
	}
	return nil
}

// kill kills all processes of a host and waits until its network is gone with them.
func (s *state) kill(ctx context.Context, h hostState) error {
	ctx, cancel := context.WithTimeout(ctx, teardownTimeout)
	defer cancel()
	groups, err := s.hostGroups(h.Name)
	if err != nil {
		return err
	}
	if err := groups.Kill(ctx); err != nil {
		return err
	}
	return s.unplug(ctx, h)
}

// Exec runs a command as root on the host without SSH: it also works on a host that is frozen or cut off. It returns what
// the command wrote to standard output.
func (h *Host) Exec(ctx context.Context, argv ...string) ([]byte, error) {
	leader, err := h.leader()
	if err != nil {
		return nil, fmt.Errorf("run on %s: %w", h.Name, err)
	}
	enter := []string{"--target", strconv.Itoa(leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"}
	cmd := command.New(ctx, "nsenter", append(enter, argv...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("on %s: %w", h.Name, &command.Error{Argv: argv, Stderr: stderr.String(), Err: err})
	}
	return stdout.Bytes(), nil
}

// leader returns the process that is the host's first. In a moment of rebooting there is none.
func (h *Host) leader() (int, error) {
	groups, err := h.groups()
	if err != nil {
		return 0, err
	}
	pids, err := groups.PIDs()
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		first, err := proc.IsFirstOfChild(pid)
		if err != nil || first {
			return pid, err
		}
	}
	return 0, errNotRunning
}

func (h *Host) groups() (*cgroup.Tree, error) { return cgroup.At(cgroupRoot, h.lab.Name, h.Name) }

func (h *Host) cable() string {
	return h.snapshot().cable(h.self)
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// shutdownTimeout bounds how long a host may take to shut down in good order. systemd gives each service 90 seconds.
const shutdownTimeout = 3 * time.Minute

// bootTimeout bounds how long a host may take to answer by SSH. On a quiet machine it takes two seconds.
const bootTimeout = 90 * time.Second
