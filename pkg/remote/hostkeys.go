package remote

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the hash that known_hosts uses to hide names; nothing rests on its strength
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

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
	missing bool // the file does not exist: every host is unknown
	lines   []knownLine
}

type knownLine struct {
	number   int
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
			known.lines = append(known.lines, knownLine{number, marker, patterns, key})
		case line[0] == '@':
			return nil, fmt.Errorf("%s:%d: not a valid line of known_hosts: %w", file, number, err)
		}
	}
	return known, nil
}

const (
	markerAuthority = "cert-authority"
	markerRevoked   = "revoked"
)

// knownName is the name under which known_hosts has an address: the IP alone for port 22, else [IP]:port.
func knownName(address netip.AddrPort) string {
	return knownhosts.Normalize(address.String())
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

// check tells whether key proves that the host at address is who it should be: it is listed for it, or is a valid host
// certificate by an authority listed for it, and neither is revoked. The error is a [*HostKeyError].
func (k *knownHosts) check(address netip.AddrPort, key ssh.PublicKey, now time.Time) error {
	name := knownName(address)
	if cert, ok := key.(*ssh.Certificate); ok {
		if k.isAuthority(name, cert.SignatureKey) {
			return k.checkCertificate(address, cert, now)
		}
		key = cert.Key // no authority vouches for the host: like OpenSSH, fall back to the bare key
	}
	problem := k.problem(address, key)
	if problem.Revoked = k.revoked(key); problem.Revoked != nil {
		return problem
	}
	for i := range k.lines {
		line := &k.lines[i]
		if line.marker != "" || !line.matches(name) {
			continue
		}
		if bytes.Equal(line.key.Marshal(), key.Marshal()) {
			return nil
		}
		problem.Known = append(problem.Known, k.knownKey(line))
	}
	return problem
}

func (k *knownHosts) checkCertificate(address netip.AddrPort, cert *ssh.Certificate, now time.Time) error {
	problem := k.problem(address, cert.Key)
	for _, key := range []ssh.PublicKey{cert.Key, cert.SignatureKey} {
		if problem.Revoked = k.revoked(key); problem.Revoked != nil {
			return problem
		}
	}
	checker := ssh.CertChecker{
		IsHostAuthority: func(ssh.PublicKey, string) bool { return true }, // check has looked
		Clock:           func() time.Time { return now },
	}
	problem.Err = checker.CheckHostKey(address.String(), net.TCPAddrFromAddrPort(address), cert)
	if problem.Err != nil {
		return problem
	}
	return nil
}

func (k *knownHosts) problem(address netip.AddrPort, key ssh.PublicKey) *HostKeyError {
	return &HostKeyError{
		Address: address, File: k.file, Missing: k.missing,
		Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key),
	}
}

func (k *knownHosts) isAuthority(name string, key ssh.PublicKey) bool {
	return slices.ContainsFunc(k.lines, func(line knownLine) bool {
		return line.marker == markerAuthority && line.matches(name) && bytes.Equal(line.key.Marshal(), key.Marshal())
	})
}

// revoked returns the line that revokes key. Revocation counts for every host, whatever names the line has: a key known
// to be stolen proves nothing anywhere.
func (k *knownHosts) revoked(key ssh.PublicKey) *KnownKey {
	for i := range k.lines {
		if line := &k.lines[i]; line.marker == markerRevoked && bytes.Equal(line.key.Marshal(), key.Marshal()) {
			known := k.knownKey(line)
			return &known
		}
	}
	return nil
}

func (k *knownHosts) knownKey(line *knownLine) KnownKey {
	return KnownKey{Type: line.key.Type(), Fingerprint: ssh.FingerprintSHA256(line.key), File: k.file, Line: line.number}
}

// plainAlgorithms returns the host key algorithms in the order in which they are offered when nothing is known of a host;
// those on SHA-1 and DSA are left out.
func plainAlgorithms() []string {
	return []string{
		ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
	}
}

// certificateAlgorithms returns the same for host certificates.
func certificateAlgorithms() []string {
	return []string{
		ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
	}
}

// algorithms returns the host key algorithms to offer to a host: those of the keys it is known by come first, so that a
// host with several keys shows the one that can be checked. The others follow, so that a host whose key changed type is
// reported as changed, with its fingerprint, and not as a failed negotiation.
func (k *knownHosts) algorithms(address netip.AddrPort) []string {
	name := knownName(address)
	var certified, first []string
	for i := range k.lines {
		line := &k.lines[i]
		switch {
		case line.marker == markerRevoked || !line.matches(name):
		case line.marker == markerAuthority:
			certified = certificateAlgorithms()
		case line.key.Type() == ssh.KeyAlgoRSA:
			first = append(first, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		case slices.Contains(plainAlgorithms(), line.key.Type()):
			first = append(first, line.key.Type())
		}
	}
	var all []string
	for _, algorithm := range slices.Concat(certified, first, plainAlgorithms()) {
		if !slices.Contains(all, algorithm) {
			all = append(all, algorithm)
		}
	}
	return all
}
