package image

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"testing"
)

func addressOf(t *testing.T, endpoint string) netip.Addr {
	t.Helper()
	address, err := netip.ParseAddrPort(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return address.Addr()
}

func trusting(authorityPEM []byte) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authorityPEM)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}
