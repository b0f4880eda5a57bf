package pki_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/pkg/pki"
)

func TestIssue_ChainVerifiesForItsUsagesOnly(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	usages := map[pki.Usage]x509.ExtKeyUsage{pki.Client: x509.ExtKeyUsageClientAuth, pki.Server: x509.ExtKeyUsageServerAuth}
	for _, granted := range [][]pki.Usage{{pki.Client}, {pki.Server}, {pki.Client, pki.Server}} {
		r := apiServer()
		r.Usages = granted
		certPEM, _ := issue(t, ca, r)
		for usage, eku := range usages {
			_, err := parse(t, certPEM).Verify(x509.VerifyOptions{
				Roots: poolOf(ca), CurrentTime: start, KeyUsages: []x509.ExtKeyUsage{eku},
			})
			if want := slices.Contains(granted, usage); (err == nil) != want {
				t.Errorf("issued for %v, verified for %s: got error %v", granted, usage, err)
			}
		}
	}
}

func TestIssue_CertificateFollowsRFC5280(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	certPEM, keyPEM := issue(t, ca, apiServer())
	cert := parse(t, certPEM)
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatalf("certificate and key do not fit: %v", err)
	}
	if _, ok := pair.PrivateKey.(*ecdsa.PrivateKey); !ok || !bytes.HasPrefix(keyPEM, []byte("-----BEGIN PRIVATE KEY-----")) {
		t.Errorf("key is a %T, want ECDSA in PKCS #8", pair.PrivateKey)
	}
	if cert.Version != 3 || cert.IsCA || !cert.BasicConstraintsValid {
		t.Errorf("version %d, IsCA %t, basic constraints %t", cert.Version, cert.IsCA, cert.BasicConstraintsValid)
	}
	if cert.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("key usage %v, want digital signature only", cert.KeyUsage)
	}
	if !bytes.Equal(cert.AuthorityKeyId, parse(t, ca.CertPEM()).SubjectKeyId) || len(cert.SubjectKeyId) != 20 {
		t.Errorf("authority key id %x, subject key id %x", cert.AuthorityKeyId, cert.SubjectKeyId)
	}
	critical := map[string]bool{"2.5.29.15": true, "2.5.29.19": true}
	for _, e := range cert.Extensions {
		if e.Critical != critical[e.Id.String()] {
			t.Errorf("extension %s: critical %t", e.Id, e.Critical)
		}
	}
}

func TestIssue_SerialsAreRandomAndLong(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	seen := map[string]bool{}
	longest := 0
	for range 50 {
		certPEM, _ := issue(t, ca, apiServer())
		n := parse(t, certPEM).SerialNumber
		if n.Sign() <= 0 || n.BitLen() > 128 || seen[n.String()] {
			t.Fatalf("serial %s: not positive, longer than 128 bits or used before", n)
		}
		seen[n.String()] = true
		longest = max(longest, n.BitLen())
	}
	if longest < 120 {
		t.Errorf("the longest of 50 serials has %d bits", longest)
	}
}

func TestIssue_ValidityIsAnHourBackAndWithinTheAuthority(t *testing.T) {
	t.Parallel()
	begin, end := start.Add(-time.Hour), start.Add(pki.CAValidity)
	tests := []struct {
		name       string
		now        time.Time
		validity   time.Duration
		from, till time.Time
	}{
		{"usual", start.Add(day), pki.LeafValidity, start.Add(day - time.Hour), start.Add(day + pki.LeafValidity)},
		{"fractions are cut", start.Add(day + 999*time.Millisecond), pki.LeafValidity, start.Add(day - time.Hour), start.Add(day + pki.LeafValidity)},
		{"other zone", start.Add(day).In(time.FixedZone("", 7200)), day, start.Add(day - time.Hour), start.Add(2 * day)},
		{"not before the authority", begin.Add(time.Minute), day, begin, begin.Add(day + time.Minute)},
		{"not after the authority", end.Add(-day), pki.LeafValidity, end.Add(-day - time.Hour), end},
		{"the authority's last second", end, pki.LeafValidity, end.Add(-time.Hour), end},
	}
	ca := newAuthority(t, "ca")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			certPEM, _, err := ca.Issue(tt.now, apiServer(), tt.validity)
			if err != nil {
				t.Fatal(err)
			}
			cert := parse(t, certPEM)
			if !cert.NotBefore.Equal(tt.from) || !cert.NotAfter.Equal(tt.till) {
				t.Errorf("valid %s to %s, want %s to %s", cert.NotBefore, cert.NotAfter, tt.from, tt.till)
			}
		})
	}
}

func TestIssue_Refuses(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	end := start.Add(pki.CAValidity)
	tests := []struct {
		name     string
		now      time.Time
		request  pki.Request
		validity time.Duration
		want     string
		is       error
	}{
		{"an invalid request", start, client(""), day, "common name is empty", nil},
		{"no validity", start, client("a"), 0, "validity 0s is not positive", nil},
		{"the authority's own name", start, client("CA"), day, "the subject is the authority's own", nil},
		{"after the authority's end", end.Add(time.Second), client("a"), day, `for "a"`, pki.ErrExpired},
		{"before its beginning", start.Add(-day), client("a"), day, `for "a"`, pki.ErrNotYetValid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			certPEM, keyPEM, err := ca.Issue(tt.now, tt.request, tt.validity)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got error %v, want %q in it", err, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v is not %v", err, tt.is)
			}
			if certPEM != nil || keyPEM != nil {
				t.Error("it returned something all the same")
			}
		})
	}
}

// handshake runs a TLS session between both ends of a pipe, one line each way.
func handshake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	a, b := net.Pipe()
	talk := func(c *tls.Conn) error {
		defer func() { _ = c.NetConn().Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := c.HandshakeContext(ctx); err != nil {
			return err
		}
		done := make(chan error, 1)
		go func() { _, err := io.WriteString(c, "hello"); done <- err }()
		_, err := io.ReadFull(c, make([]byte, len("hello")))
		return errors.Join(err, <-done)
	}
	result := make(chan error, 1)
	go func() { result <- talk(tls.Server(a, server)) }()
	clientErr = talk(tls.Client(b, client))
	return <-result, clientErr
}

func TestIssue_MutualTLS(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	pair := func(ca *pki.Authority, r pki.Request) []tls.Certificate {
		certPEM, keyPEM := issue(t, ca, r)
		p, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{p}
	}
	serverOnly := apiServer()
	serverOnly.Usages = []pki.Usage{pki.Server}
	tests := []struct {
		name           string
		server, client []tls.Certificate
		serverName     string
		ok             bool
	}{
		{"by name", pair(ca, serverOnly), pair(ca, client("c")), "api.example.org", true},
		{"by address", pair(ca, serverOnly), pair(ca, client("c")), "10.0.0.1", true},
		{"by IPv6 address", pair(ca, serverOnly), pair(ca, client("c")), "fd00::1", true},
		{"wrong name", pair(ca, serverOnly), pair(ca, client("c")), "www.example.org", false},
		{"client of another authority", pair(ca, serverOnly), pair(other, client("c")), "10.0.0.1", false},
		{"server of another authority", pair(other, serverOnly), pair(ca, client("c")), "10.0.0.1", false},
		{"server's certificate as client", pair(ca, serverOnly), pair(ca, serverOnly), "10.0.0.1", false},
		{"client's certificate as server", pair(ca, client("c")), pair(ca, client("c")), "10.0.0.1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := func() time.Time { return start }
			serverErr, clientErr := handshake(t,
				&tls.Config{Certificates: tt.server, ClientCAs: poolOf(ca), ClientAuth: tls.RequireAndVerifyClientCert, Time: now, MinVersion: tls.VersionTLS12},
				&tls.Config{Certificates: tt.client, RootCAs: poolOf(ca), ServerName: tt.serverName, Time: now, MinVersion: tls.VersionTLS12})
			if ok := serverErr == nil && clientErr == nil; ok != tt.ok {
				t.Errorf("server: %v, client: %v", serverErr, clientErr)
			}
		})
	}
}
