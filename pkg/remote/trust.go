package remote

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// The policies for keys of hosts that nothing is known of, ssh_config(5) StrictHostKeyChecking. A key that has changed is
// refused under both.
const (
	HostKeysStrict    = "strict"     // an unknown host is refused
	HostKeysAcceptNew = "accept-new" // its key is written to known_hosts
)

// Pin is the key of a host as an inventory names it, "ssh-ed25519 SHA256:…": the type and the fingerprint that ssh-keygen
// shows.
type Pin struct{ Type, Fingerprint string }

// ParsePin reads what Pin.String writes.
func ParsePin(text string) (Pin, error) {
	keyType, fingerprint, ok := strings.Cut(strings.TrimSpace(text), " ")
	sum, isSum := strings.CutPrefix(fingerprint, "SHA256:")
	if !ok || !isSum || len(sum) != 43 || !slices.Contains(keyTypes(), keyType) {
		return Pin{}, fmt.Errorf("%q is not a key type and a fingerprint, such as `ssh-ed25519 SHA256:…` of 43 characters; `provision hostkeys scan` shows them", text)
	}
	return Pin{keyType, fingerprint}, nil
}

// String is the type and the fingerprint.
func (p Pin) String() string { return p.Type + " " + p.Fingerprint }

func pinOf(key ssh.PublicKey) Pin { return Pin{key.Type(), ssh.FingerprintSHA256(key)} }

// keyTypes are the types of host keys that are supported.
func keyTypes() []string {
	return []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSA}
}

// trust is what decides whether a host is who it should be.
type trust struct {
	files      []*knownHosts // the first is the one that is added to
	pins       []Pin         // if there are any, the host has one of these keys
	policy     string
	algorithms []string // the only ones to offer; nil is all
}

// check tells whether key proves that the host at address is who it should be: it is pinned or listed for it, or is a valid
// host certificate by an authority listed for it, and neither is revoked. The error is a [*HostKeyError].
func (t *trust) check(address string, key ssh.PublicKey, now time.Time) error {
	lines := t.linesOf(address)
	if cert, ok := key.(*ssh.Certificate); ok {
		if len(t.pins) == 0 && isAuthority(lines, cert.SignatureKey) {
			return t.checkCertificate(address, lines, cert, now)
		}
		key = cert.Key // no authority vouches for the host: like OpenSSH, fall back to the bare key
	}
	problem := t.problem(address, key)
	if problem.Revoked = revoked(lines, key); problem.Revoked != nil {
		return problem
	}
	if len(t.pins) > 0 {
		if slices.Contains(t.pins, pinOf(key)) {
			return nil
		}
		problem.Pinned = t.pins
		return problem
	}
	for i := range lines {
		line := &lines[i]
		if line.marker != "" {
			continue
		}
		if bytes.Equal(line.key.Marshal(), key.Marshal()) {
			return nil
		}
		problem.Known = append(problem.Known, line.known())
	}
	if len(problem.Known) == 0 && t.policy == HostKeysAcceptNew {
		return t.files[0].add(address, key)
	}
	return problem
}

func (t *trust) linesOf(address string) []knownLine {
	var lines []knownLine
	for _, file := range t.files {
		lines = append(lines, file.forName(knownName(address))...)
	}
	return lines
}

func (t *trust) checkCertificate(address string, lines []knownLine, cert *ssh.Certificate, now time.Time) error {
	problem := t.problem(address, cert.Key)
	for _, key := range []ssh.PublicKey{cert.Key, cert.SignatureKey} {
		if problem.Revoked = revoked(lines, key); problem.Revoked != nil {
			return problem
		}
	}
	checker := ssh.CertChecker{
		IsHostAuthority: func(ssh.PublicKey, string) bool { return true }, // check has looked
		Clock:           func() time.Time { return now },
	}
	problem.Err = checker.CheckHostKey(address, &net.TCPAddr{}, cert)
	if problem.Err != nil {
		return problem
	}
	return nil
}

func (t *trust) problem(address string, key ssh.PublicKey) *HostKeyError {
	problem := &HostKeyError{Address: address, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key)}
	for i, file := range t.files {
		if i == 0 {
			problem.File, problem.Missing = file.file, file.missing
		}
		for _, number := range file.unread {
			problem.Unread = append(problem.Unread, fmt.Sprintf("%s:%d", file.file, number))
		}
	}
	return problem
}

func isAuthority(lines []knownLine, key ssh.PublicKey) bool {
	return slices.ContainsFunc(lines, func(line knownLine) bool {
		return line.marker == markerAuthority && bytes.Equal(line.key.Marshal(), key.Marshal())
	})
}

// revoked returns the line that revokes key.
func revoked(lines []knownLine, key ssh.PublicKey) *KnownKey {
	for i := range lines {
		if line := &lines[i]; line.marker == markerRevoked && bytes.Equal(line.key.Marshal(), key.Marshal()) {
			known := line.known()
			return &known
		}
	}
	return nil
}

func (l *knownLine) known() KnownKey {
	return KnownKey{Type: l.key.Type(), Fingerprint: ssh.FingerprintSHA256(l.key), File: l.file, Line: l.number}
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

// algorithmsOf returns the signature algorithms of a key type.
func algorithmsOf(keyType string) []string {
	switch {
	case keyType == ssh.KeyAlgoRSA:
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	case slices.Contains(plainAlgorithms(), keyType):
		return []string{keyType}
	}
	return nil
}

// offer returns the host key algorithms to offer to a host: those of the keys it is known by come first, so that a host
// with several keys shows the one that can be checked. The others follow, so that a host whose key changed type is reported
// as changed, with its fingerprint, and not as a failed negotiation.
func (t *trust) offer(address string) []string {
	var certified, first []string
	for _, pin := range t.pins {
		first = append(first, algorithmsOf(pin.Type)...)
	}
	for _, line := range t.linesOf(address) {
		switch line.marker {
		case markerRevoked:
		case markerAuthority:
			certified = certificateAlgorithms()
		default:
			first = append(first, algorithmsOf(line.key.Type())...)
		}
	}
	if len(t.pins) > 0 {
		certified = nil
	}
	var all []string
	for _, algorithm := range slices.Concat(certified, first, plainAlgorithms()) {
		allowed := len(t.algorithms) == 0 || slices.Contains(t.algorithms, algorithm)
		if allowed && !slices.Contains(all, algorithm) {
			all = append(all, algorithm)
		}
	}
	return all
}
