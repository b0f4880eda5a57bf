package remote

import (
	"cmp"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Target is how one host is reached. What is not set is taken from ssh_config(5), or has a default.
type Target struct {
	Name           string        // for messages, and for the patterns of ssh_config; default: Host
	Host           string        // address or DNS name; ssh_config's HostName replaces it for jump hosts only
	Port           uint16        // default: 22
	User           string        // default: root
	Config         string        // ssh_config file; "" is Options.Configs, "none" is no file
	IdentityFile   string        // private key, offered alone; default: ssh_config's, else the agent's keys and ~/.ssh/id_*
	KnownHosts     string        // default: ssh_config's, else ~/.ssh/known_hosts; with /etc/ssh/ssh_known_hosts
	HostKeys       []Pin         // the keys that the host has; known_hosts is not asked then
	HostKeyPolicy  string        // HostKeysStrict, which is the default, or HostKeysAcceptNew
	Jump           string        // hosts to go through, as ProxyJump writes them; "none" is none
	ConnectTimeout time.Duration // for connecting and logging in, retries included; default: 10 s
	CommandTimeout time.Duration // for a command that has no Timeout of its own; default: 30 min
	KeepAlive      time.Duration // how long a connection may be silent before the host is asked; default: 5 s
}

const (
	defaultUser           = "root"
	defaultPort           = 22
	defaultConnectTimeout = 10 * time.Second
	defaultCommandTimeout = 30 * time.Minute
	defaultKeepAlive      = 5 * time.Second
	defaultKnownHosts     = "~/.ssh/known_hosts"
	systemKnownHosts      = "/etc/ssh/ssh_known_hosts"

	// none switches a setting of ssh_config off, as it does there.
	none = "none"
)

// String names the host for error messages.
func (t Target) String() string {
	if t.Name == "" || t.Name == t.Host {
		return fmt.Sprintf("%s@%s", t.User, t.address())
	}
	return fmt.Sprintf("%s (%s@%s)", t.Name, t.User, t.address())
}

// address is host:port.
func (t Target) address() string { return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port))) }

// login is a target with all settings found.
type login struct {
	Target
	given          Target // as the inventory has it
	isJump         bool
	identityFiles  []string // keys to offer, in this order, with the agent's
	certificates   []string
	identitiesOnly bool // offer no keys but these
	knownHosts     []string
	algorithms     []string // host key algorithms; nil is all
	keepAliveCount int      // questions without an answer after which the host is given up
}

// login finds all settings of a target: its own, else those of ssh_config, else fallback's, else the defaults.
func (d *Dialer) login(t, fallback Target) (login, error) {
	t.Name = cmp.Or(t.Name, t.Host)
	config, err := d.config(t.Config)
	if err != nil {
		return login{}, err
	}
	l := login{Target: t, given: t, keepAliveCount: keepAliveMisses}
	if err := config.fill(&l, d.options.Home); err != nil {
		return login{}, err
	}
	l.Port = cmp.Or(l.Port, defaultPort)
	l.User = cmp.Or(l.User, fallback.User, defaultUser)
	l.HostKeyPolicy = cmp.Or(l.HostKeyPolicy, fallback.HostKeyPolicy, HostKeysStrict)
	l.ConnectTimeout = cmp.Or(l.ConnectTimeout, fallback.ConnectTimeout, defaultConnectTimeout)
	l.CommandTimeout = cmp.Or(l.CommandTimeout, defaultCommandTimeout)
	l.KeepAlive = cmp.Or(l.KeepAlive, fallback.KeepAlive, defaultKeepAlive)
	if l.Jump == none {
		l.Jump = ""
	}
	d.fillKnownHosts(&l, fallback)
	if len(l.identityFiles) == 0 {
		l.IdentityFile = cmp.Or(l.IdentityFile, fallback.IdentityFile)
	}
	if l.IdentityFile != "" {
		l.IdentityFile = d.expand(l.IdentityFile)
		l.identityFiles, l.identitiesOnly = []string{l.IdentityFile}, true
	}
	return l, nil
}

// fillKnownHosts takes the target's file, else ssh_config's, else the fallback's, else the default one; and the system's.
func (d *Dialer) fillKnownHosts(l *login, fallback Target) {
	switch file := cmp.Or(fallback.KnownHosts, defaultKnownHosts); {
	case l.KnownHosts != "":
		l.knownHosts = []string{d.expand(l.KnownHosts)}
	case len(l.knownHosts) == 0:
		l.knownHosts = []string{d.expand(file)}
	}
	l.knownHosts = append(l.knownHosts, systemKnownHosts)
}

func (d *Dialer) expand(path string) string { return expandHome(path, d.options.Home) }

// expandHome replaces a leading ~/ by the home directory, as ssh_config(5) does.
func expandHome(path, home string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(home, rest)
	}
	return path
}
