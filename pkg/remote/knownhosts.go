package remote

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the hash that known_hosts uses to hide names; nothing rests on its strength
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// knownHosts is the content of a known_hosts file; sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT", describes it.
//
// The callback of x/crypto/ssh/knownhosts is not used: it gives up on the whole file at the first line it cannot parse
// (a key type of a newer OpenSSH), matches `*` on port 22 only, and does not tell which keys it has for a host, which is
// what the offered algorithms depend on.
type knownHosts struct {
	file    string
	missing bool  // the file does not exist: every host is unknown
	unread  []int // the numbers of lines that could not be parsed

	mu    sync.RWMutex
	lines []knownLine // guarded by mu: hosts that are seen for the first time may be added
}

type knownLine struct {
	file     string
	number   int      // 0: added by this process
	marker   string   // "", "cert-authority" or "revoked"
	patterns []string // names, wildcards, negations, or one hashed name
	key      ssh.PublicKey
}

// readKnownHosts reads file. Lines that cannot be parsed are passed over, as OpenSSH does, but not when they start with
// a marker: a revocation that is not understood must not be lost.
func readKnownHosts(file string) (*knownHosts, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &knownHosts{file: file, missing: true}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read known_hosts: %w", err)
	}
	known := &knownHosts{file: file}
	number := 0
	for line := range bytes.Lines(content) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		marker, patterns, key, _, _, err := ssh.ParseKnownHosts(line)
		if err == nil && marker != "" && marker != markerAuthority && marker != markerRevoked {
			err = errors.New("unknown marker")
		}
		switch {
		case err == nil:
			known.lines = append(known.lines, knownLine{file, number, marker, patterns, key})
		case line[0] == '@':
			return nil, fmt.Errorf("%s:%d: not a valid line of known_hosts: %w", file, number, err)
		default:
			known.unread = append(known.unread, number)
		}
	}
	return known, nil
}

const (
	markerAuthority = "cert-authority"
	markerRevoked   = "revoked"
)

// knownName is the name under which known_hosts has an address: the host alone for port 22, else [host]:port.
func knownName(address string) string {
	return strings.ToLower(knownhosts.Normalize(address))
}

// forName returns the lines that speak of name, those that revoke a key for any name among them.
func (k *knownHosts) forName(name string) []knownLine {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var found []knownLine
	for i := range k.lines {
		// Revocation counts for every host, whatever names the line has: a key known to be stolen proves nothing anywhere.
		if line := &k.lines[i]; line.marker == markerRevoked || line.matches(name) {
			found = append(found, *line)
		}
	}
	return found
}

// add writes that the host at address has key, at the end of the file, and remembers it. The line is written in one piece:
// several processes may add at the same time.
func (k *knownHosts) add(address string, key ssh.PublicKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := os.MkdirAll(filepath.Dir(k.file), 0o700); err != nil {
		return fmt.Errorf("remember the host's key: %w", err)
	}
	file, err := os.OpenFile(k.file, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("remember the host's key: %w", err)
	}
	text := knownhosts.Line([]string{knownName(address)}, key) + "\n"
	if !endsWithNewline(file) {
		text = "\n" + text
	}
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("remember the host's key: %w", err)
	}
	k.lines = append(k.lines, knownLine{file: k.file, patterns: []string{knownName(address)}, key: key})
	return nil
}

// endsWithNewline tells whether a line can be added to a file as it is.
func endsWithNewline(file *os.File) bool {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return true
	}
	last := make([]byte, 1)
	_, err = file.ReadAt(last, size-1)
	return err != nil || last[0] == '\n'
}

// matches tells whether the line speaks of name.
func (l *knownLine) matches(name string) bool {
	found := false
	for _, pattern := range l.patterns {
		negated := strings.HasPrefix(pattern, "!")
		if matchesPattern(strings.TrimPrefix(pattern, "!"), name) {
			if negated {
				return false
			}
			found = true
		}
	}
	return found
}

func matchesPattern(pattern, name string) bool {
	if hashed, ok := strings.CutPrefix(pattern, "|1|"); ok {
		return matchesHash(hashed, name)
	}
	return matchesWildcard(strings.ToLower(pattern), name)
}

// matchesHash compares with a name hidden by HashKnownHosts: base64(salt)|base64(HMAC-SHA1(salt, name)).
func matchesHash(hashed, name string) bool {
	salt64, sum64, ok := strings.Cut(hashed, "|")
	salt, err1 := base64.StdEncoding.DecodeString(salt64)
	sum, err2 := base64.StdEncoding.DecodeString(sum64)
	if !ok || err1 != nil || err2 != nil {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return hmac.Equal(mac.Sum(nil), sum)
}

// matchesWildcard is the matching of ssh_config(5), PATTERNS: * is any number of characters, ? is exactly one.
func matchesWildcard(pattern, name string) bool {
	p, n := 0, 0
	star, mark := -1, 0 // the last * and where in name its match ends so far
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
