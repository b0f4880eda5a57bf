package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Authority signs certificates. It holds a private key, in memory only, and
// shows it to nobody but callers of KeyPEM. It never changes, so goroutines
// may share it. The zero Authority refuses to issue.
type Authority struct {
	cert    *x509.Certificate
	certPEM []byte
	// secret returns the private key. It is a closure because that is the one
	// place where reflection (%#v of a struct around it, a dumper, a failing
	// test's diff) cannot look.
	secret func() privateKey
}

type privateKey struct {
	signer crypto.Signer
	pem    []byte
}

// NewAuthority makes a self-signed authority with a new key, valid from an
// hour before now until validity after it; CAValidity is usual. It may sign
// leaves only: its path length is zero (RFC 5280, section 4.2.1.9).
func NewAuthority(now time.Time, commonName string, validity time.Duration) (*Authority, error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, fmt.Errorf("new certificate authority %q: %w", commonName, err)
	}
	return selfSign(now, commonName, validity, key, keyPEM)
}

// ResignAuthority is NewAuthority with the private key of an authority that was
// made here, as NewAuthority made it, but came to no certificate.
func ResignAuthority(now time.Time, commonName string, validity time.Duration, keyPEM []byte) (*Authority, error) {
	signer, err := parseKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("read the authority's private key: %w", err)
	}
	key, ours := signer.(*ecdsa.PrivateKey)
	if !ours {
		return nil, fmt.Errorf("authority %q: its private key was not made here; put its certificate beside it", commonName)
	}
	encoded, err := encodeKey(key)
	if err != nil {
		return nil, fmt.Errorf("authority %q: %w", commonName, err)
	}
	return selfSign(now, commonName, validity, key, encoded)
}

func selfSign(now time.Time, commonName string, validity time.Duration, key *ecdsa.PrivateKey, keyPEM []byte) (*Authority, error) {
	if err := validateName("common name", commonName); err != nil {
		return nil, fmt.Errorf("new certificate authority: %w", err)
	}
	if validity <= 0 {
		return nil, fmt.Errorf("new certificate authority %q: validity %s is not positive", commonName, validity)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             inSeconds(now.Add(-clockSkew)),
		NotAfter:              inSeconds(now.Add(validity)),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := sign(template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("new certificate authority %q: %w", commonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("new certificate authority %q: read back: %w", commonName, err)
	}
	return seal(cert, privateKey{signer: key, pem: keyPEM}), nil
}

// ParseAuthority reads an authority back: exactly one certificate, and a
// private key in PKCS #8, PKCS #1 or SEC 1. It checks that the certificate is
// an authority's (ErrNotAuthority), that the key is its key (ErrKeyMismatch)
// and that it is valid now (ErrExpired, ErrNotYetValid).
func ParseAuthority(certPEM, keyPEM []byte, now time.Time) (*Authority, error) {
	cert, err := parseCA(certPEM)
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("read the authority's private key: %w", err)
	}
	name := cert.Subject.CommonName
	if !isAuthority(cert) {
		return nil, fmt.Errorf("certificate of %q: %w", name, ErrNotAuthority)
	}
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("authority %q: %w", name, ErrKeyMismatch)
	}
	if err := checkTime(cert, now); err != nil {
		return nil, err
	}
	encoded, err := encodeKey(key)
	if err != nil {
		return nil, fmt.Errorf("authority %q: %w", name, err)
	}
	return seal(cert, privateKey{signer: key, pem: encoded}), nil
}

func seal(cert *x509.Certificate, key privateKey) *Authority {
	return &Authority{
		cert:    cert,
		certPEM: encodeCert(cert.Raw),
		secret:  func() privateKey { return key },
	}
}

// isAuthority reports whether cert may sign certificates: RFC 5280, sections
// 4.2.1.9 (basic constraints) and 4.2.1.3 (key usage, if there is one).
func isAuthority(cert *x509.Certificate) bool {
	return cert.BasicConstraintsValid && cert.IsCA &&
		(cert.KeyUsage == 0 || cert.KeyUsage&x509.KeyUsageCertSign != 0)
}

// checkTime reports whether an authority is valid now. Both ends of the
// validity belong to it (RFC 5280, section 4.1.2.5).
func checkTime(ca *x509.Certificate, now time.Time) error {
	if now.After(ca.NotAfter) {
		return fmt.Errorf("authority %q, valid until %s: %w", ca.Subject.CommonName, date(ca.NotAfter), ErrExpired)
	}
	if now.Before(ca.NotBefore) {
		return fmt.Errorf("authority %q, valid from %s: %w", ca.Subject.CommonName, date(ca.NotBefore), ErrNotYetValid)
	}
	return nil
}

// CertPEM returns the authority's certificate.
func (a Authority) CertPEM() []byte { return bytes.Clone(a.certPEM) }

// KeyPEM returns the private key in PKCS #8: the one way to get it out.
func (a Authority) KeyPEM() []byte {
	if a.secret == nil {
		return nil
	}
	return bytes.Clone(a.secret().pem)
}

// String names the authority; it says nothing of the key.
func (a Authority) String() string {
	if a.cert == nil {
		return "no certificate authority"
	}
	return fmt.Sprintf("certificate authority %q (private key withheld)", a.cert.Subject.CommonName)
}

// GoString is String.
func (a Authority) GoString() string { return a.String() }

// Format writes String whatever the verb, so that %x or %d shows no key either.
func (a Authority) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(a.String())) }

// LogValue is String.
func (a Authority) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalJSON refuses: an authority's key has no place in JSON.
func (a Authority) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a certificate authority holds a private key and is not to be encoded: use CertPEM")
}
