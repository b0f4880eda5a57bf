package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"
)

// Info is what a certificate says, for showing and comparing. Nothing in it
// has been verified, and its texts may hold any character: quote them.
type Info struct {
	// Request is what the certificate is for, as found, its sets sorted.
	Request Request
	// NotBefore and NotAfter are the first and last second of its validity, UTC.
	NotBefore, NotAfter time.Time
	// Issuer is the common name of whoever says to have signed it.
	Issuer string
	// Serial is the serial number in hex.
	Serial string
	// KeyID and IssuerKeyID identify its key and its issuer's, in hex; empty if
	// the certificate does not say.
	KeyID, IssuerKeyID string
	// Fingerprint is the SHA-256 of the certificate in hex.
	Fingerprint string
	// Authority says whether it may sign certificates.
	Authority bool
}

// Inspect reads the first certificate in certPEM: a leaf stands before its
// chain (RFC 8446, section 4.4.2), and some programs append the key.
func Inspect(certPEM []byte) (Info, error) {
	cert, _, err := parseCerts(certPEM)
	if err != nil {
		return Info{}, fmt.Errorf("read a certificate: %w", err)
	}
	return inspect(cert), nil
}

func inspect(cert *x509.Certificate) Info {
	sum := sha256.Sum256(cert.Raw)
	return Info{
		Request:     requestOf(cert),
		NotBefore:   cert.NotBefore.UTC(),
		NotAfter:    cert.NotAfter.UTC(),
		Issuer:      cert.Issuer.CommonName,
		Serial:      cert.SerialNumber.Text(16),
		KeyID:       hex.EncodeToString(cert.SubjectKeyId),
		IssuerKeyID: hex.EncodeToString(cert.AuthorityKeyId),
		Fingerprint: hex.EncodeToString(sum[:]),
		Authority:   isAuthority(cert),
	}
}

// requestOf is the request that cert would satisfy.
func requestOf(cert *x509.Certificate) Request {
	r := Request{
		CommonName:    cert.Subject.CommonName,
		Organizations: cert.Subject.Organization,
		DNSNames:      cert.DNSNames,
	}
	for _, ip := range cert.IPAddresses {
		if addr, ok := netip.AddrFromSlice(ip); ok {
			r.IPAddresses = append(r.IPAddresses, addr)
		}
	}
	for _, eku := range cert.ExtKeyUsage {
		r.Usages = append(r.Usages, usageOf(eku))
	}
	for _, oid := range cert.UnknownExtKeyUsage {
		r.Usages = append(r.Usages, Usage(oid.String()))
	}
	return r.canonical()
}

func usageOf(eku x509.ExtKeyUsage) Usage {
	if eku == x509.ExtKeyUsageClientAuth {
		return Client
	}
	if eku == x509.ExtKeyUsageServerAuth {
		return Server
	}
	return Usage(eku.OID().String())
}
