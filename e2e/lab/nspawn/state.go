package nspawn

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"provision/e2e/lab/internal/proc"
)

const (
	// stateRoot holds a directory for each lab with its state, keys and consoles.
	stateRoot = "/run/provision-lab"
	// diskRoot holds a directory for each lab with its hosts' disks. It is not below /run, which may be a file system in
	// memory: a container runtime wants a real one.
	diskRoot = "/var/lib/provision-lab"
	// claimLock is held while a lab takes or gives back what labs share: subnets and kernel settings.
	claimLock = "/run/provision-lab.lock"
	// stateVersion changes when an older program could not read a state file rightly.
	stateVersion = 1
)

// ErrNotUp says that there is no lab of a name.
var ErrNotUp = errors.New("lab is not up")

// state is what is known of a lab from its file. Everything else that a lab has on the machine is named by it, so that any
// process can find and remove it.
type state struct {
	Version int          `json:"version"`
	Name    string       `json:"name"`
	Subnet  netip.Prefix `json:"subnet"`
	// Owner is the process whose end is the end of the lab; nil for a lab that stays until it is taken down.
	Owner *proc.Identity `json:"owner,omitempty"`
	// Boot is the machine's boot in which the lab came up. With the next one it is over, owner or not.
	Boot  string      `json:"boot"`
	Hosts []hostState `json:"hosts"`
}

type hostState struct {
	Name    string     `json:"name"`
	Flavour string     `json:"flavour"`
	Image   string     `json:"image"` // the root directory that it was made from
	Addr    netip.Addr `json:"address"`
	Keys    []string   `json:"keys"` // public host keys
}

// nameRule is that of a DNS label; short, because names go into host names and paths of sockets.
func nameRule() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`) }

func checkName(what, name string) error {
	if !nameRule().MatchString(name) {
		return fmt.Errorf("%s name %q: use up to 32 lower-case letters, digits and inner hyphens", what, name)
	}
	return nil
}

func stateDir(lab string) string  { return filepath.Join(stateRoot, lab) }
func stateFile(lab string) string { return filepath.Join(stateRoot, lab, "state.json") }
func diskDir(lab string) string   { return filepath.Join(diskRoot, lab) }

// labLock is held by whoever changes what a lab consists of. It lies outside of the lab's directory, which comes and goes.
func labLock(lab string) string { return labLockPrefix + lab + labLockSuffix }

const labLockPrefix, labLockSuffix = "/run/provision-lab.", ".lock"

// lockNames lists the labs that have a lock file: somebody is busy with them, or was killed while he was.
func lockNames() ([]string, error) {
	files, err := filepath.Glob(labLock("*"))
	if err != nil {
		return nil, fmt.Errorf("list locks: %w", err)
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(file, labLockPrefix), labLockSuffix)
	}
	return files, nil
}

// hostDir holds a host's disk: what it wrote, and its mounted root.
func hostDir(lab, host string) string { return filepath.Join(diskDir(lab), host) }
func rootDir(lab, host string) string { return filepath.Join(diskDir(lab), host, "root") }

// consoleFile is where a host's console writes to, from the first boot on.
func consoleFile(lab, host string) string { return filepath.Join(stateDir(lab), host+".console") }

// loadState reads a lab's state; without one it returns ErrNotUp.
func loadState(lab string) (*state, error) {
	text, err := os.ReadFile(stateFile(lab))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", lab, ErrNotUp)
	}
	if err != nil {
		return nil, fmt.Errorf("read state of lab %s: %w", lab, err)
	}
	return parseState(text)
}

func parseState(text []byte) (*state, error) {
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("parse state of a lab: %w", err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("parse state of lab %s: version %d, but this program knows version %d", s.Name, s.Version, stateVersion)
	}
	if err := checkSubnet(s.Subnet); err != nil {
		return nil, fmt.Errorf("parse state of lab %s: %w", s.Name, err)
	}
	return &s, nil
}

// save writes the state file.
func (s *state) save() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write state of lab %s: %w", s.Name, err)
	}
	return replaceFile(stateFile(s.Name), string(text)+"\n", 0o600)
}

// replaceFile writes a file so that a reader sees all of the old text or all of the new.
func replaceFile(path, text string, mode fs.FileMode) error {
	if err := os.WriteFile(path+".new", []byte(text), mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// abandoned reports whether nobody can want the lab any more.
func (s *state) abandoned(boot string) bool {
	return s.Boot != boot || s.Owner != nil && !s.Owner.Alive()
}

func (s *state) has(host string) bool {
	return slices.ContainsFunc(s.Hosts, func(h hostState) bool { return h.Name == host })
}

func (s *state) addrs() []netip.Addr {
	var addrs []netip.Addr
	for _, h := range s.Hosts {
		addrs = append(addrs, h.Addr)
	}
	return addrs
}

// tag names what the lab owns on the machine where names are short and shared: bridge, links, packet rules.
func (s *state) tag() string { return fmt.Sprintf("plab%d", octetOf(s.Subnet)) }

// cable is the machine's end of a host's network, as systemd-nspawn calls it. It must fit into 15 characters.
func (s *state) cable(h hostState) string { return "vb-" + s.machine(h) }

// machine is systemd-nspawn's name for a host.
func (s *state) machine(h hostState) string {
	return fmt.Sprintf("%s-%d", s.tag(), h.Addr.As4()[3])
}

// labNames lists the directories of labs, up or in ruins, sorted.
func labNames() ([]string, error) {
	var names []string
	for _, root := range []string{stateRoot, diskRoot} {
		entries, err := os.ReadDir(root)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list labs: %w", err)
		}
		for _, entry := range entries {
			if entry.IsDir() {
				names = append(names, entry.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
