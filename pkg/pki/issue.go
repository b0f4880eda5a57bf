package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

const (
	// serialBits is the length of a serial number. RFC 5280, section 4.1.2.2,
	// allows 20 octets; the CA/Browser Forum asks for 64 random bits.
	serialBits = 128
	// keyIDBytes is the length of a key identifier: 160 bits (RFC 7093, section 2).
	keyIDBytes = 20
)

// Issue makes a new key and signs a certificate for r. The certificate is
// valid from an hour before now, for hosts whose clocks are behind, until
// validity after now; LeafValidity is usual. It never begins before the
// authority nor outlives it, for then no chain would verify.
func (a Authority) Issue(now time.Time, r Request, validity time.Duration) (certPEM, keyPEM []byte, err error) {
	fail := func(err error) ([]byte, []byte, error) {
		return nil, nil, fmt.Errorf("issue a certificate for %q: %w", r.CommonName, err)
	}
	if a.cert == nil {
		return fail(errors.New("there is no certificate authority"))
	}
	if err := r.Validate(); err != nil {
		return fail(err)
	}
	if validity <= 0 {
		return fail(fmt.Errorf("validity %s is not positive", validity))
	}
	if err := checkTime(a.cert, now); err != nil {
		return fail(err)
	}
	leaf := a.leaf(now, r, validity)
	// It would look self-issued (RFC 5280, section 3.2) and not chain to the
	// authority. Verifiers compare names without regard to case (section 7.1).
	if strings.EqualFold(leaf.Subject.String(), a.cert.Subject.String()) {
		return fail(errors.New("the subject is the authority's own: choose another common name"))
	}
	key, keyPEM, err := newKey()
	if err != nil {
		return fail(err)
	}
	der, err := sign(leaf, a.cert, &key.PublicKey, a.secret().signer)
	if err != nil {
		return fail(err)
	}
	return encodeCert(der), keyPEM, nil
}

// leaf is the template of a certificate for r. A key that only signs has no
// other key usage (RFC 5480, section 3).
func (a Authority) leaf(now time.Time, r Request, validity time.Duration) *x509.Certificate {
	r = r.canonical()
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: r.CommonName, Organization: r.Organizations},
		NotBefore:             later(inSeconds(now.Add(-clockSkew)), a.cert.NotBefore),
		NotAfter:              earlier(inSeconds(now.Add(validity)), a.cert.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  false,
		DNSNames:              r.DNSNames,
	}
	for _, ip := range r.IPAddresses {
		t.IPAddresses = append(t.IPAddresses, ip.AsSlice())
	}
	for _, u := range r.Usages {
		switch u {
		case Client:
			t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
		case Server:
			t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		}
	}
	return t
}

// sign gives template a random serial number and a key identifier, and signs
// it. crypto/x509 adds the authority's key identifier and verifies the
// signature it made.
func sign(template, parent *x509.Certificate, public *ecdsa.PublicKey, signer crypto.Signer) ([]byte, error) {
	var err error
	if template.SerialNumber, err = newSerial(); err != nil {
		return nil, err
	}
	if template.SubjectKeyId, err = keyID(public); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return der, nil
}

// newSerial returns a random number from 1 to 2^128-1: never zero, which RFC
// 5280, section 4.1.2.2, forbids.
func newSerial() (*big.Int, error) {
	one := big.NewInt(1)
	limit := new(big.Int).Lsh(one, serialBits)
	n, err := rand.Int(rand.Reader, limit.Sub(limit, one))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	return n.Add(n, one), nil
}

// keyID is method 1 of RFC 7093, section 2: the leftmost 160 bits of the
// SHA-256 of the public key. crypto/x509 would set one for authorities only.
func keyID(public *ecdsa.PublicKey) ([]byte, error) {
	point, err := public.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode the public key: %w", err)
	}
	sum := sha256.Sum256(point)
	return sum[:keyIDBytes], nil
}

// inSeconds is what a certificate can hold of a time.
func inSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
