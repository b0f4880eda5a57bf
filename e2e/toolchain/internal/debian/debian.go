// Package debian installs the few Debian packages that builds need. It touches
// nothing when they are there.
package debian

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// probes are the files that tell that a package (or something as good) is there.
func probes() map[string]string {
	return map[string]string{
		"gcc":            "/usr/bin/gcc",
		"libc6-dev":      "/usr/lib/*/libc.a",
		"pkg-config":     "/usr/bin/pkg-config",
		"libseccomp-dev": "/usr/lib/*/libseccomp.a",
		"busybox-static": BusyboxPath,
	}
}

// BusyboxPath is where busybox-static puts its program.
const BusyboxPath = "/bin/busybox"

// Missing returns those of the packages that aren't installed, sorted, once each.
func Missing(packages []string) ([]string, error) {
	known := probes()
	var missing []string
	for _, name := range packages {
		pattern, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("debian package %s: no probe for it", name)
		}
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("debian package %s: %w", name, err)
		}
		if len(found) == 0 {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing), nil
}

// Install installs packages with apt-get, fetching the package lists only when
// it doesn't work without.
func Install(ctx context.Context, packages []string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the build needs Debian packages; install them: sudo apt-get install %s", strings.Join(packages, " "))
	}
	install := append([]string{"install", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"}, packages...)
	if _, err := apt(ctx, install...); err == nil {
		return nil
	}
	if output, err := apt(ctx, "update", "-q"); err != nil {
		return fmt.Errorf("apt-get update: %w\n%s", err, output)
	}
	if output, err := apt(ctx, install...); err != nil {
		return fmt.Errorf("apt-get install %s: %w\n%s", strings.Join(packages, " "), err, output)
	}
	return nil
}

func apt(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return string(bytes.TrimSpace(output)), err
}
