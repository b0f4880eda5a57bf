package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"provision/e2e/lab/internal/command"
)

// EnvFile is where a host reads LAB_ADDRESS and LAB_GATEWAY from when it boots.
const EnvFile = "/etc/lab-host.env"

// Ops is the user, beside root, that debian hosts have: it may do anything by sudo, without a password.
const Ops = "ops"

// masked returns the units that have no business on a host that lives for minutes: timers that would hold dpkg's lock
// when provision wants it, consoles that nobody sits at, and checks of file systems that are not there.
func masked() []string {
	return []string{
		"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
		"console-getty.service", "getty.target", "systemd-networkd.service", "systemd-udevd.service",
	}
}

// customise turns what mmdebstrap made into an image: what makes each host itself is taken out, what every lab host needs
// is put in.
func customise(ctx context.Context, recipe *Recipe, root string) error {
	for path, file := range map[string]string{
		"/usr/local/lib/lab/host-boot.sh":                  "host-boot.sh",
		"/usr/local/lib/lab/chrony.env":                    "chrony.env",
		"/etc/systemd/system/lab-host.service":             "lab-host.service",
		"/etc/systemd/system/chrony.service.d/60-lab.conf": "chrony.conf",
	} {
		if err := write(root, path, recipe.Files[file], 0o644); err != nil {
			return err
		}
	}
	if err := link(root, "../lab-host.service", "/etc/systemd/system/sysinit.target.wants/lab-host.service"); err != nil {
		return err
	}
	for _, unit := range masked() {
		if err := link(root, "/dev/null", "/etc/systemd/system/"+unit); err != nil {
			return err
		}
	}
	if err := forget(root); err != nil {
		return err
	}
	if recipe.Flavour != Debian {
		return nil
	}
	return furnish(ctx, recipe, root)
}

// forget removes what tells one host from another; the lab gives each its own.
func forget(root string) error {
	keys, err := filepath.Glob(filepath.Join(root, "etc/ssh/ssh_host_*"))
	if err != nil {
		return fmt.Errorf("find host keys: %w", err)
	}
	for _, path := range append(keys, filepath.Join(root, "etc/hostname"), filepath.Join(root, "etc/resolv.conf")) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("make image anonymous: %w", err)
		}
	}
	return nil
}

// furnish adds what only a full Debian has: an operator and the machine's own certificate authorities.
func furnish(ctx context.Context, recipe *Recipe, root string) error {
	for name, text := range recipe.Certificates {
		if err := write(root, "/usr/local/share/ca-certificates/"+name, text, 0o644); err != nil {
			return err
		}
	}
	for _, argv := range [][]string{
		{"update-ca-certificates"},
		{"useradd", "--create-home", "--shell", "/bin/bash", Ops},
	} {
		if err := command.Run(ctx, "chroot", append([]string{root}, argv...)...); err != nil {
			return fmt.Errorf("furnish image: %w", err)
		}
	}
	return write(root, "/etc/sudoers.d/ops", Ops+" ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
}

func write(root, path, text string, mode fs.FileMode) error {
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("put into image: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return fmt.Errorf("put into image: %w", err)
	}
	return nil
}

func link(root, target, path string) error {
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("put into image: %w", err)
	}
	if err := os.Symlink(target, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("put into image: %w", err)
	}
	return nil
}
