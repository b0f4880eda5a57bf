package nspawn

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"provision/e2e/lab/internal/cgroup"
	"provision/e2e/lab/internal/command"
	"provision/e2e/lab/internal/flock"
)

//go:embed launch.sh
var launchScript string

// cgroupRoot is the control group above those of all labs.
const cgroupRoot = "provision-lab"

// launchFile is where a lab keeps launchScript while it is up.
func launchFile(lab string) string { return filepath.Join(stateDir(lab), "launch.sh") }

// hostGroups returns the control groups of a host.
func (s *state) hostGroups(host string) (*cgroup.Tree, error) {
	return cgroup.At(cgroupRoot, s.Name, host)
}

// launch boots a host with a prepared disk. It returns when the host is under way and can be found by its control groups.
// The lab's lock is lent to what it starts until then.
func (s *state) launch(ctx context.Context, h hostState, lock *flock.Lock) error {
	groups, err := s.hostGroups(h.Name)
	if err != nil {
		return err
	}
	for _, child := range []string{"launch", "machine"} {
		tree, err := cgroup.At(cgroupRoot, s.Name, h.Name, child)
		if err == nil {
			err = tree.Make()
		}
		if err != nil {
			return fmt.Errorf("boot %s: %w", h.Name, err)
		}
	}
	console, err := os.OpenFile(consoleFile(s.Name, h.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open console of %s: %w", h.Name, err)
	}
	defer console.Close()
	cmd := command.New(ctx, "sh", append([]string{launchFile(s.Name), "start"}, s.nspawnArgs(h)...)...)
	cmd.Env = append(cmd.Env,
		"LAB_CGROUPS="+strings.Join(groups.Dirs(), "\n"),
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=1", // a kubelet sets kernel parameters, and makes control groups
		"SYSTEMD_NSPAWN_USE_CGNS=1",         // a host sees its own control groups as the machine's
		"SYSTEMD_NSPAWN_TMPFS_TMP=0",        // /tmp is on the disk, as on Debian's servers
		"SYSTEMD_NSPAWN_LOCK=0",             // lock files that outlive a killed host; the lab has its own lock
	)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = []*os.File{lock.File()}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("boot %s: %w%s", h.Name, err, s.consoleTail(h.Name))
	}
	return nil
}

// nspawnArgs is the command line of a host's container.
func (s *state) nspawnArgs(h hostState) []string {
	argv := []string{
		"systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--console=read-only", "--link-journal=no",
		"--directory=" + rootDir(s.Name, h.Name),
		"--machine=" + s.machine(h), "--hostname=" + h.Name,
		"--network-bridge=" + s.tag(), "--resolv-conf=off", "--timezone=off",
		// All that a machine's root may do, except setting the one clock that this machine and all hosts have.
		"--capability=all", "--system-call-filter=@known bpf keyctl",
		"--system-call-filter=~clock_settime settimeofday clock_adjtime adjtimex",
	}
	for _, dir := range dataDirs() {
		argv = append(argv, "--bind="+dataDir(s.Name, h.Name, dir)+":"+dir)
	}
	for _, device := range []string{"/dev/kmsg", "/dev/net/tun"} {
		if exists(device) {
			argv = append(argv, "--bind="+device)
		}
	}
	if exists("/lib/modules") {
		argv = append(argv, "--bind-ro=/lib/modules")
	}
	// What follows goes to the host's systemd.
	return append(argv, "--", "--show-status=1")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// consoleTail returns the last that a host said on its console, to be put behind an error.
func (s *state) consoleTail(host string) string {
	const most = 600
	text, err := os.ReadFile(consoleFile(s.Name, host))
	if err != nil || len(text) == 0 {
		return ""
	}
	return fmt.Sprintf("\n%s ends with:\n%s", consoleFile(s.Name, host), text[max(0, len(text)-most):])
}

// errNotRunning says that a host has no first process.
var errNotRunning = errors.New("the host is powered off")
