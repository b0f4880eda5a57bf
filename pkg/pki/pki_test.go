package pki_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"testing"
	"time"

	"provision/pkg/pki"
)

// start is when everything in these tests begins.
var start = time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func newAuthority(tb testing.TB, name string) *pki.Authority {
	tb.Helper()
	ca, err := pki.NewAuthority(start, name, pki.CAValidity)
	if err != nil {
		tb.Fatal(err)
	}
	return ca
}

func issue(tb testing.TB, ca *pki.Authority, r pki.Request) (certPEM, keyPEM []byte) {
	tb.Helper()
	certPEM, keyPEM, err := ca.Issue(start, r, pki.LeafValidity)
	if err != nil {
		tb.Fatal(err)
	}
	return certPEM, keyPEM
}

func parse(tb testing.TB, certPEM []byte) *x509.Certificate {
	tb.Helper()
	block, rest := pem.Decode(certPEM)
	if block == nil || len(rest) > 0 {
		tb.Fatalf("want one PEM block, got %q", certPEM)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}

func poolOf(ca *pki.Authority) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.CertPEM())
	return pool
}

// apiServer is a request with everything in it.
func apiServer() pki.Request {
	return pki.Request{
		CommonName:    "apiserver",
		Organizations: []string{"b group", "a group"},
		DNSNames:      []string{"kubernetes.default", "api.example.org"},
		IPAddresses:   []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
		Usages:        []pki.Usage{pki.Server, pki.Client},
	}
}

func client(name string) pki.Request {
	return pki.Request{CommonName: name, Usages: []pki.Usage{pki.Client}}
}
