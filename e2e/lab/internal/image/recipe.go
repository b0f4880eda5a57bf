// Package image builds the root file systems that lab hosts boot from and keeps them in a cache.
//
// It knows what is in an image, not how one is booted or given a name.
package image

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"provision/e2e/lab/internal/command"
)

// Suite is the Debian release that hosts run.
const Suite = "bookworm"

// The flavours of a host.
const (
	// Debian is a server as its owner would hand it over: sudo, curl and the tools that a kubelet calls are there.
	Debian = "debian"
	// Lean has next to nothing beyond sshd and systemd.
	Lean = "lean"
)

//go:embed rootfs
var rootfs embed.FS

// Flavours returns the names of all flavours.
func Flavours() []string { return []string{Debian, Lean} }

// packages returns what is installed in a flavour, without what that needs in turn.
func packages(flavour string) ([]string, error) {
	// An init system, a way in, and what sets the host's address.
	lean := []string{"systemd", "systemd-sysv", "openssh-server", "iproute2", "nftables", "kmod", "procps"}
	switch flavour {
	case Lean:
		return lean, nil
	case Debian:
		// What a distribution's server has besides, and what a kubelet and kube-proxy expect to find on one. Time
		// synchronisation and container runtimes are not there: provision installs those.
		return append(lean, "ca-certificates", "conntrack", "curl", "dbus", "ethtool", "iptables", "mount", "socat",
			"sudo", "util-linux"), nil
	default:
		return nil, fmt.Errorf("unknown flavour %q; there are %s", flavour, strings.Join(Flavours(), " and "))
	}
}

// Recipe is all that an image depends on. Two equal recipes make interchangeable images.
type Recipe struct {
	Flavour      string
	Architecture string
	Packages     []string
	Sources      []string          // apt source lines
	AptOptions   []string          // apt.conf lines
	Certificates map[string]string // of authorities that the machine trusts beyond Debian's
	Files        map[string]string // what the lab puts in
	// Week makes an image go stale: its apt lists point at packages that Debian's mirrors replace in time.
	Week string
}

// NewRecipe returns the recipe for a flavour on this machine in the week of now. It copies from the machine how packages
// are reached: from where, through what, and whom to trust.
func NewRecipe(ctx context.Context, flavour string, now time.Time) (*Recipe, error) {
	include, err := packages(flavour)
	if err != nil {
		return nil, err
	}
	recipe := &Recipe{Flavour: flavour, Architecture: runtime.GOARCH, Packages: include}
	year, week := now.ISOWeek()
	recipe.Week = fmt.Sprintf("%d-%02d", year, week)
	if recipe.Sources, err = machineSources(os.DirFS("/etc/apt")); err != nil {
		return nil, fmt.Errorf("find out where this machine gets packages: %w", err)
	}
	config, err := command.Output(ctx, "apt-config", "dump")
	if err != nil {
		return nil, fmt.Errorf("find out how this machine gets packages: %w", err)
	}
	recipe.AptOptions = aptOptions(string(config))
	if recipe.Certificates, err = readAll(os.DirFS("/usr/local/share/ca-certificates"), "*.crt"); err != nil {
		return nil, fmt.Errorf("read this machine's certificates: %w", err)
	}
	files, err := fs.Sub(rootfs, "rootfs")
	if err != nil {
		return nil, fmt.Errorf("read the lab's files: %w", err)
	}
	recipe.Files, err = readAll(files, "*")
	return recipe, err
}

// Hash names the image that the recipe makes.
func (r *Recipe) Hash() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic("a recipe is only strings: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// aptOptions picks from a dump of the machine's settings those without which its sources cannot be reached, and adds what
// keeps hosts small.
func aptOptions(config string) []string {
	options := []string{`Acquire::Languages "none";`, `APT::Install-Recommends "false";`}
	needed := []string{
		"Acquire::Check-Valid-Until ", "Acquire::Check-Date ",
		"Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::https::CAInfo ", "Acquire::https::Verify-",
	}
	for line := range strings.Lines(config) {
		line = strings.TrimSpace(line)
		if slices.ContainsFunc(needed, func(prefix string) bool { return strings.HasPrefix(line, prefix) }) {
			options = append(options, line)
		}
	}
	return options
}

// readAll reads the files of a directory that match a pattern. A directory that is not there has none.
func readAll(dir fs.FS, pattern string) (map[string]string, error) {
	names, err := fs.Glob(dir, pattern)
	if err != nil {
		return nil, err
	}
	files := make(map[string]string, len(names))
	for _, name := range names {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		files[filepath.Base(name)] = string(text)
	}
	return files, nil
}
