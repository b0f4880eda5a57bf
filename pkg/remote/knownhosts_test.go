package remote

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

var (
	port22   = "10.0.0.1:22"
	port2222 = "10.0.0.1:2222"
	ip6      = "[fd00::1]:22"
	now      = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
)

func TestKnownHosts_NamesOfAHost(t *testing.T) {
	key := newEd25519(t).PublicKey()
	for _, c := range []struct {
		pattern string
		address string
		known   bool
	}{
		{"10.0.0.1", port22, true},
		{"10.0.0.1", port2222, false},
		{"[10.0.0.1]:2222", port2222, true},
		{"[10.0.0.1]:2222", port22, false},
		{"fd00::1", ip6, true},
		{"master,10.0.0.1", port22, true},
		{"10.0.0.2", port22, false},
		{"10.0.0.?", port22, true},
		{"10.0.*", port22, true},
		{"*", port2222, true},
		{"*,!10.0.0.1", port22, false},
		{"!10.0.0.2,10.0.0.*", port22, true},
		{knownhosts.HashHostname("10.0.0.1"), port22, true},
		{knownhosts.HashHostname("10.0.0.2"), port22, false},
		{knownhosts.HashHostname("[10.0.0.1]:2222"), port2222, true},
		{"|1|!!|!!", port22, false},
	} {
		known := read(t, c.pattern+" "+line(key))
		if err := known.check(c.address, key, now); (err == nil) != c.known {
			t.Errorf("%s for %s: %v", c.pattern, c.address, err)
		}
	}
}

// The same answers as x/crypto, where that follows OpenSSH.
func TestKnownHosts_AgreesWithXCrypto(t *testing.T) {
	first, second, third := newEd25519(t).PublicKey(), newECDSA(t).PublicKey(), newEd25519(t).PublicKey()
	known := read(t,
		"10.0.0.1 "+line(first),
		knownhosts.HashHostname("10.0.0.1")+" "+line(second),
		"[10.0.0.1]:2222,fd00::1 "+line(third),
		"@revoked * "+line(newEd25519(t).PublicKey()))
	theirs, err := knownhosts.New(known.files[0].file)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{port22, port2222, ip6, "10.0.0.9:22"} {
		for _, key := range []ssh.PublicKey{first, second, third} {
			ours := known.check(address, key, now)
			if err := theirs(address, &net.TCPAddr{}, key); (err == nil) != (ours == nil) {
				t.Errorf("%s %s: %v, x/crypto says %v", address, key.Type(), ours, err)
			}
		}
	}
}

func TestKnownHosts_UnknownHost(t *testing.T) {
	key := newEd25519(t).PublicKey()
	known := read(t, "# nothing yet")
	err := known.check(port2222, key, now)
	want := &HostKeyError{Address: port2222, File: known.files[0].file, Type: "ssh-ed25519", Fingerprint: ssh.FingerprintSHA256(key)}
	if diff := cmp.Diff(want, hostKeyError(t, err)); diff != "" {
		t.Error(diff)
	}
	mentions(t, err, known.files[0].file+" has no key", ssh.FingerprintSHA256(key), "ssh-keyscan -t ed25519 -p 2222 10.0.0.1 >> "+known.files[0].file)
}

func TestKnownHosts_MissingFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "no such file")
	known, err := readKnownHosts(file)
	if err != nil {
		t.Fatal(err)
	}
	err = (&trust{files: []*knownHosts{known}}).check(port22, newECDSA(t).PublicKey(), now)
	mentions(t, err, file+" does not exist", "ssh-keyscan -t ecdsa -p 22 10.0.0.1 >> '"+file+"'")
}

func TestKnownHosts_ChangedKey(t *testing.T) {
	before, after := newEd25519(t).PublicKey(), newEd25519(t).PublicKey()
	known := read(t, "# comment", "", "10.0.0.1 "+line(before))
	err := known.check(port22, after, now)
	if got := hostKeyError(t, err).Known; len(got) != 1 || got[0].Line != 3 {
		t.Errorf("known %+v", got)
	}
	mentions(t, err, ssh.FingerprintSHA256(before), ssh.FingerprintSHA256(after), known.files[0].file+":3", "ssh-keygen -f "+known.files[0].file+" -R 10.0.0.1")
}

func TestKnownHosts_RevokedKey(t *testing.T) {
	key := newEd25519(t).PublicKey()
	known := read(t, "10.0.0.1 "+line(key), "@revoked * "+line(key))
	mentions(t, known.check(port22, key, now), known.files[0].file+":2", "@revoked")
}

func TestKnownHosts_Certificates(t *testing.T) {
	authority, other, host := newEd25519(t), newEd25519(t), newECDSA(t)
	trusting := "@cert-authority 10.0.0.* " + line(authority.PublicKey())
	valid := certificate(t, authority, host.PublicKey(), func(*ssh.Certificate) {})
	for name, c := range map[string]struct {
		lines []string
		cert  *ssh.Certificate
		want  string // "" is accepted
	}{
		"valid":             {[]string{trusting}, valid, ""},
		"other authority":   {[]string{trusting}, certificate(t, other, host.PublicKey(), func(*ssh.Certificate) {}), "has no key for it"},
		"other host":        {[]string{"@cert-authority 10.1.* " + line(authority.PublicKey())}, valid, "has no key for it"},
		"plain key known":   {[]string{"10.0.0.1 " + line(host.PublicKey())}, valid, ""},
		"authority is host": {[]string{"10.0.0.1 " + line(authority.PublicKey())}, valid, "known by another"},
		"revoked key":       {[]string{trusting, "@revoked * " + line(host.PublicKey())}, valid, "@revoked"},
		"revoked authority": {[]string{trusting, "@revoked * " + line(authority.PublicKey())}, valid, "@revoked"},
		"expired": {[]string{trusting}, certificate(t, authority, host.PublicKey(), func(c *ssh.Certificate) {
			c.ValidBefore = uint64(now.Add(-time.Hour).Unix())
		}), "expired"},
		"other name": {[]string{trusting}, certificate(t, authority, host.PublicKey(), func(c *ssh.Certificate) {
			c.ValidPrincipals = []string{"10.0.0.2"}
		}), "valid principals"},
		"for a user": {[]string{trusting}, certificate(t, authority, host.PublicKey(), func(c *ssh.Certificate) {
			c.CertType = ssh.UserCert
		}), "type"},
	} {
		t.Run(name, func(t *testing.T) {
			err := read(t, c.lines...).check(port22, c.cert, now)
			if c.want == "" && err != nil {
				t.Error(err)
			}
			if c.want != "" {
				mentions(t, err, c.want)
			}
		})
	}
}

func TestKnownHosts_AlgorithmsOfKnownKeysComeFirst(t *testing.T) {
	edDSA, ecDSA, authority := newEd25519(t).PublicKey(), newECDSA(t).PublicKey(), newEd25519(t).PublicKey()
	for name, c := range map[string]struct{ lines, want []string }{
		"nothing":   {nil, plainAlgorithms()},
		"ecdsa":     {[]string{"10.0.0.1 " + line(ecDSA)}, []string{ssh.KeyAlgoECDSA256, ssh.KeyAlgoED25519}},
		"both":      {[]string{"10.0.0.1 " + line(ecDSA), "10.0.0.1 " + line(edDSA)}, []string{ssh.KeyAlgoECDSA256, ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA384}},
		"others'":   {[]string{"10.0.0.2 " + line(ecDSA)}, plainAlgorithms()},
		"revoked":   {[]string{"@revoked * " + line(ecDSA)}, plainAlgorithms()},
		"authority": {[]string{"@cert-authority * " + line(authority), "10.0.0.1 " + line(ecDSA)}, slices.Concat(certificateAlgorithms(), []string{ssh.KeyAlgoECDSA256})},
	} {
		t.Run(name, func(t *testing.T) {
			got := read(t, c.lines...).offer(port22)
			if len(got) < len(c.want) || !slices.Equal(got[:len(c.want)], c.want) {
				t.Errorf("got %q, want %q first", got, c.want)
			}
			for _, algorithm := range plainAlgorithms() {
				if !slices.Contains(got, algorithm) {
					t.Errorf("%s is missing", algorithm)
				}
			}
		})
	}
}

func TestKnownHosts_LinesThatAreNotUnderstood(t *testing.T) {
	key := newEd25519(t).PublicKey()
	known := read(t, "10.0.0.1 ssh-future AAAA", "10.0.0.1", "garbage", "10.0.0.1 "+line(key))
	if err := known.check(port22, key, now); err != nil {
		t.Errorf("a key after lines of another kind is not found: %v", err)
	}
	for _, bad := range []string{"@revoked * ssh-future AAAA", "@strange * " + line(key), "@revoked"} {
		file := filepath.Join(t.TempDir(), "known_hosts")
		if err := os.WriteFile(file, []byte("\n"+bad+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readKnownHosts(file)
		mentions(t, err, file+":2")
	}
}

func FuzzMatchesWildcard(f *testing.F) {
	f.Add("10.0.*", "10.0.0.1")
	f.Add("*a*?b**", "xaxxb")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 12 || len(name) > 12 {
			return
		}
		if got, want := matchesWildcard(pattern, name), matchesSlowly(pattern, name); got != want {
			t.Errorf("matchesWildcard(%q, %q) = %v, want %v", pattern, name, got, want)
		}
	})
}

// matchesSlowly is the definition of the wildcards.
func matchesSlowly(pattern, name string) bool {
	switch {
	case pattern == "":
		return name == ""
	case pattern[0] == '*':
		return matchesSlowly(pattern[1:], name) || name != "" && matchesSlowly(pattern, name[1:])
	default:
		return name != "" && (pattern[0] == '?' || pattern[0] == name[0]) && matchesSlowly(pattern[1:], name[1:])
	}
}

func TestOnceEach_ReadsEachPathOnce(t *testing.T) {
	reads := map[string]int{}
	get := onceEach(func(path string) (string, error) {
		reads[path]++
		return "", fmt.Errorf("no %s", path)
	})
	for range 3 {
		_, _ = get("a")
		_, err := get("b")
		mentions(t, err, "no b")
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "b": 1}, reads); diff != "" {
		t.Error(diff)
	}
}

func read(t *testing.T, lines ...string) *trust {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := readKnownHosts(file)
	if err != nil {
		t.Fatal(err)
	}
	return &trust{files: []*knownHosts{known}, policy: HostKeysStrict}
}

func line(key ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) }

func hostKeyError(t *testing.T, err error) *HostKeyError {
	t.Helper()
	var problem *HostKeyError
	if !errors.As(err, &problem) {
		t.Fatalf("got %v, want a HostKeyError", err)
	}
	return problem
}

func mentions(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error does not mention %q:\n%v", text, err)
		}
	}
}

func certificate(t *testing.T, authority ssh.Signer, key ssh.PublicKey, change func(*ssh.Certificate)) *ssh.Certificate {
	t.Helper()
	cert := &ssh.Certificate{
		Key: key, CertType: ssh.HostCert, ValidPrincipals: []string{"10.0.0.1"},
		ValidAfter: uint64(now.Add(-48 * time.Hour).Unix()), ValidBefore: uint64(now.Add(time.Hour).Unix()),
	}
	change(cert)
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	return cert
}

func newEd25519(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newSigner(t, private)
}

func newECDSA(t *testing.T) ssh.Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newSigner(t, private)
}

func newSigner(t *testing.T, private any) ssh.Signer {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}
