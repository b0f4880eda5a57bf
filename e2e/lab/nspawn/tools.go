package nspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"provision/e2e/lab/internal/command"
)

// tools are the programs that a lab runs, each with the Debian package that has it.
func tools() [][2]string {
	return [][2]string{
		{"mmdebstrap", "mmdebstrap"},
		{"systemd-nspawn", "systemd-container"},
		{"ip", "iproute2"},
		{"nft", "nftables"},
		{"nsenter", "util-linux"},
		{"setsid", "util-linux"},
		{"find", "findutils"},
		{"ssh", "openssh-client"},
	}
}

// checkRoot says why nobody else can have a lab.
func checkRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("a lab needs root, as it makes mounts, links and control groups: run this as root")
	}
	return nil
}

// installTools installs the programs that are missing.
func installTools(ctx context.Context, log io.Writer) error {
	var missing []string
	for _, tool := range tools() {
		if _, err := exec.LookPath(tool[0]); err != nil {
			missing = append(missing, tool[1])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintf(log, "lab: installing on this machine: %s\n", strings.Join(missing, " "))
	install := append([]string{"install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"}, missing...)
	for _, argv := range [][]string{{"update", "-o", "DPkg::Lock::Timeout=300"}, install} {
		if err := command.Run(ctx, "apt-get", argv...); err != nil {
			return fmt.Errorf("install what a lab needs: %w", err)
		}
	}
	return nil
}
