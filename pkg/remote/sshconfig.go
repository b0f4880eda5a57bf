package remote

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kevinburke/ssh_config"
)

// sshConfig is the blocks of ssh_config(5) that count, in their order, those of the operator's file before the system's:
// what is found first is taken.
type sshConfig []configBlock

// configBlock is settings under the conditions of Host and Match lines, all of which must hold: an included file is under
// those of the place where it is included.
type configBlock struct {
	conditions []*ssh_config.Host
	settings   []*ssh_config.KV
}

// config reads the files for a target's Config, each once.
func (d *Dialer) config(file string) (sshConfig, error) {
	files := d.options.Configs
	switch file {
	case none:
		return nil, nil
	case "":
	default:
		if _, err := os.Stat(d.expand(file)); err != nil {
			return nil, fmt.Errorf("read ssh_config: %w", err)
		}
		files = []string{file}
	}
	var config sshConfig
	for _, file := range files {
		blocks, err := d.configFile(d.expand(file))
		if err != nil {
			return nil, err
		}
		config = append(config, blocks...)
	}
	return config, nil
}

// values returns what the files say about a keyword for a host that has these names: its name in the inventory and its
// address.
func (c sshConfig) values(names []string, keyword string) []string {
	var found []string
	for _, block := range c {
		if slices.ContainsFunc(block.conditions, func(condition *ssh_config.Host) bool { return !applies(condition, names) }) {
			continue
		}
		for _, setting := range block.settings {
			if strings.EqualFold(setting.Key, keyword) {
				found = append(found, setting.Value)
			}
		}
	}
	return found
}

// applies tells whether one of a block's patterns matches one of the names, and no pattern with ! does.
func applies(block *ssh_config.Host, names []string) bool {
	matched := slices.ContainsFunc(names, block.Matches)
	for _, pattern := range block.Patterns {
		if text, negated := strings.CutPrefix(pattern.String(), "!"); negated {
			excluded, err := ssh_config.NewPattern(text)
			if err == nil && slices.ContainsFunc(names, (&ssh_config.Host{Patterns: []*ssh_config.Pattern{excluded}}).Matches) {
				return false
			}
		}
	}
	return matched
}

// fill gives a login what the files say and its target does not. HostName counts for jump hosts alone, which have no
// address in the inventory.
func (c sshConfig) fill(l *login, home string) error {
	names := slices.Compact([]string{l.Name, l.Host})
	first := func(keyword string) string {
		values := c.values(names, keyword)
		if len(values) == 0 {
			return ""
		}
		return values[0]
	}
	var problems error
	number := func(keyword string, limit uint64) uint64 {
		text := first(keyword)
		if text == "" || text == none {
			return 0
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n > limit {
			problems = errors.Join(problems, fmt.Errorf("ssh_config: %s %q of %s is not a number up to %d", keyword, text, l.Name, limit))
		}
		return n
	}
	seconds := func(keyword string) time.Duration {
		return time.Duration(number(keyword, 1<<31)) * time.Second //nolint:gosec // within the limit
	}
	l.Port = cmp.Or(l.Port, uint16(number("Port", 1<<16-1))) //nolint:gosec // within the limit
	l.User = cmp.Or(l.User, first("User"))
	l.ConnectTimeout = cmp.Or(l.ConnectTimeout, seconds("ConnectTimeout"))
	l.KeepAlive = cmp.Or(l.KeepAlive, seconds("ServerAliveInterval"))
	l.keepAliveCount = cmp.Or(int(number("ServerAliveCountMax", 1<<31)), l.keepAliveCount) //nolint:gosec // within the limit
	l.identitiesOnly = strings.EqualFold(first("IdentitiesOnly"), "yes")
	l.algorithms = hostKeyAlgorithms(first("HostKeyAlgorithms"))
	expandAll := func(values []string) []string {
		var files []string
		for _, value := range values {
			if value != none {
				files = append(files, expandHome(l.token(value, home), home))
			}
		}
		return files
	}
	l.identityFiles = expandAll(c.values(names, "IdentityFile"))
	l.certificates = expandAll(c.values(names, "CertificateFile"))
	l.knownHosts = expandAll(strings.Fields(first("UserKnownHostsFile")))
	if l.HostKeyPolicy == "" && slices.Contains([]string{HostKeysAcceptNew, "no", "off"}, strings.ToLower(first("StrictHostKeyChecking"))) {
		l.HostKeyPolicy = HostKeysAcceptNew
	}
	return errors.Join(problems, c.fillJump(l, first))
}

// fillJump takes ProxyJump. A ProxyCommand would run a program of the operator's machine, which is not done; and keys that
// RevokedHostKeys revokes must not be trusted because nobody looked.
func (c sshConfig) fillJump(l *login, first func(string) string) error {
	if file := first("RevokedHostKeys"); file != "" && file != none {
		return fmt.Errorf("ssh_config has RevokedHostKeys %s for %s, which provision does not read: write those keys as @revoked lines into known_hosts", file, l.Name)
	}
	l.Jump = cmp.Or(l.Jump, first("ProxyJump"))
	if command := first("ProxyCommand"); l.Jump == "" && command != "" && command != none {
		return fmt.Errorf("ssh_config has a ProxyCommand for %s, which provision does not run: write ProxyJump there, or `jump:` in the inventory (`jump: none` to connect directly)", l.Name)
	}
	return nil
}

// token replaces the tokens of ssh_config(5) that file names have in practice.
func (l *login) token(value, home string) string {
	port := strconv.Itoa(int(cmp.Or(l.Port, defaultPort)))
	return strings.NewReplacer("%%", "%", "%d", home, "%h", l.Host, "%n", l.Name, "%r", cmp.Or(l.User, defaultUser), "%p", port).Replace(value)
}

// hostKeyAlgorithms applies a HostKeyAlgorithms line to what is supported: a list replaces it, -list takes from it. What
// +list adds and ^list prefers is offered already, after the keys that the host is known by.
func hostKeyAlgorithms(text string) []string {
	all := slices.Concat(certificateAlgorithms(), plainAlgorithms())
	names, minus := strings.CutPrefix(text, "-")
	if text == "" || text[0] == '+' || text[0] == '^' {
		return nil
	}
	var kept []string
	for _, algorithm := range all {
		named := slices.ContainsFunc(strings.Split(names, ","), func(pattern string) bool {
			return matchesWildcard(strings.TrimSpace(pattern), algorithm)
		})
		if named != minus {
			kept = append(kept, algorithm)
		}
	}
	return kept
}
