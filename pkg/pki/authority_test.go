package pki_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/pkg/pki"
)

func TestNewAuthority_CertificateFollowsRFC5280(t *testing.T) {
	t.Parallel()
	cert := parse(t, newAuthority(t, "cluster CA").CertPEM())
	if !cert.IsCA || !cert.BasicConstraintsValid || cert.MaxPathLen != 0 || !cert.MaxPathLenZero {
		t.Errorf("basic constraints: IsCA %t, path length %d", cert.IsCA, cert.MaxPathLen)
	}
	if cert.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("key usage %v", cert.KeyUsage)
	}
	if len(cert.SubjectKeyId) != 20 {
		t.Errorf("subject key identifier %x, want 20 bytes", cert.SubjectKeyId)
	}
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("key is %T, want ECDSA P-256", cert.PublicKey)
	}
	if want := start.Add(-time.Hour); !cert.NotBefore.Equal(want) {
		t.Errorf("valid from %s, want %s", cert.NotBefore, want)
	}
	if want := start.Add(pki.CAValidity); !cert.NotAfter.Equal(want) {
		t.Errorf("valid to %s, want %s", cert.NotAfter, want)
	}
	if err := cert.CheckSignatureFrom(cert); err != nil {
		t.Errorf("not self-signed: %v", err)
	}
}

func TestNewAuthority_RefusesNonsense(t *testing.T) {
	t.Parallel()
	if _, err := pki.NewAuthority(start, "", pki.CAValidity); err == nil || !strings.Contains(err.Error(), "common name is empty") {
		t.Errorf("empty name: %v", err)
	}
	if _, err := pki.NewAuthority(start, "ca", 0); err == nil || !strings.Contains(err.Error(), "not positive") {
		t.Errorf("no validity: %v", err)
	}
}

func TestResignAuthority_IsTheSameAuthorityToThoseThatItSigned(t *testing.T) {
	t.Parallel()
	first := newAuthority(t, "cluster CA")
	again, err := pki.ResignAuthority(start, "cluster CA", pki.CAValidity, first.KeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.KeyPEM(), again.KeyPEM()) || bytes.Equal(first.CertPEM(), again.CertPEM()) {
		t.Error("want the same key and another certificate")
	}
	leaf, _, err := first.Issue(start, pki.Request{CommonName: "x", Usages: []pki.Usage{pki.Client}}, pki.LeafValidity)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parse(t, again.CertPEM()))
	if _, err := parse(t, leaf).Verify(x509.VerifyOptions{Roots: roots, CurrentTime: start, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
}

func TestResignAuthority_TakesNoKeyFromElsewhere(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	foreign := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for want, keyPEM := range map[string][]byte{"was not made here": foreign, "read the authority's private key": nil} {
		if _, err := pki.ResignAuthority(start, "ca", pki.CAValidity, keyPEM); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestParseAuthority_ReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	back, err := pki.ParseAuthority(ca.CertPEM(), ca.KeyPEM(), start)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ca.CertPEM(), back.CertPEM()) || !bytes.Equal(ca.KeyPEM(), back.KeyPEM()) {
		t.Error("certificate or key changed on the way")
	}
	certPEM, _ := issue(t, back, apiServer())
	if got := pki.Problems(certPEM, apiServer(), ca.CertPEM(), start, pki.RenewBefore); got != nil {
		t.Errorf("certificate of the authority read back has problems: %q", got)
	}
}

func TestAuthority_PEMIsACopy(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	clear(ca.CertPEM())
	clear(ca.KeyPEM())
	if _, err := pki.ParseAuthority(ca.CertPEM(), ca.KeyPEM(), start); err != nil {
		t.Errorf("a caller changed the authority: %v", err)
	}
}

// selfSigned makes an authority as another program would.
func selfSigned(t *testing.T, key crypto.Signer, change func(*x509.Certificate)) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(7),
		Subject:               pkix.Name{CommonName: "foreign"},
		NotBefore:             start.Add(-day),
		NotAfter:              start.Add(pki.CAValidity),
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func ecdsaKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func block(t *testing.T, kind string) func(der []byte, err error) []byte {
	t.Helper()
	return func(der []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
}

func TestParseAuthority_TakesOtherKeysAndForms(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey := ecdsaKey(t)
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 5, 43, 129, 4, 0, 34}})
	tests := []struct {
		name   string
		key    crypto.Signer
		keyPEM []byte
	}{
		{"RSA in PKCS #1", rsaKey, block(t, "RSA PRIVATE KEY")(x509.MarshalPKCS1PrivateKey(rsaKey), nil)},
		{"RSA in PKCS #8", rsaKey, block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(rsaKey))},
		{"Ed25519", edKey, block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(edKey))},
		{"EC in SEC 1 after parameters", ecKey, slices.Concat(parameters, block(t, "EC PRIVATE KEY")(x509.MarshalECPrivateKey(ecKey)))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ca, err := pki.ParseAuthority(selfSigned(t, tt.key, nil), tt.keyPEM, start)
			if err != nil {
				t.Fatal(err)
			}
			certPEM, _ := issue(t, ca, apiServer())
			if got := pki.Problems(certPEM, apiServer(), ca.CertPEM(), start, pki.RenewBefore); got != nil {
				t.Errorf("problems %q", got)
			}
			if !bytes.HasPrefix(ca.KeyPEM(), []byte("-----BEGIN PRIVATE KEY-----")) {
				t.Error("KeyPEM is not PKCS #8")
			}
		})
	}
}

func TestParseAuthority_ErrorsAreTyped(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	leafCert, leafKey := issue(t, ca, apiServer())
	key := ecdsaKey(t)
	keyPEM := block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(key))
	noSigning := selfSigned(t, key, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
	first, last := start.Add(-time.Hour), start.Add(pki.CAValidity)
	tests := []struct {
		name         string
		cert, key    []byte
		now          time.Time
		want         error
		wantSentence string
	}{
		{"key of another", ca.CertPEM(), other.KeyPEM(), start, pki.ErrKeyMismatch, `authority "ca"`},
		{"a leaf", leafCert, leafKey, start, pki.ErrNotAuthority, `"apiserver"`},
		{"key usage without signing", noSigning, keyPEM, start, pki.ErrNotAuthority, `"foreign"`},
		{"in its first second", ca.CertPEM(), ca.KeyPEM(), first, nil, ""},
		{"before its first second", ca.CertPEM(), ca.KeyPEM(), first.Add(-1), pki.ErrNotYetValid, "2026-06-01"},
		{"in its last second", ca.CertPEM(), ca.KeyPEM(), last, nil, ""},
		{"after its last second", ca.CertPEM(), ca.KeyPEM(), last.Add(1), pki.ErrExpired, "2036-05-29"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := pki.ParseAuthority(tt.cert, tt.key, tt.now)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got error %v, want %v", err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), tt.wantSentence) {
				t.Errorf("error %q does not say %q", err, tt.wantSentence)
			}
		})
	}
}

func TestParseAuthority_ParseErrorsNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	cert, key := ca.CertPEM(), ca.KeyPEM()
	junk := func(kind string) []byte { return block(t, kind)([]byte{1, 2, 3}, nil) }
	ecdhKey, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	legacy := pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte{1},
	})
	tests := []struct {
		name      string
		cert, key []byte
		want      string
	}{
		{"no certificate", nil, key, "authority's certificate: empty: want PEM"},
		{"no PEM", []byte("hello"), key, "authority's certificate: no PEM block found"},
		{"key in the certificate's place", key, key, `authority's certificate: want a PEM block "CERTIFICATE", found "PRIVATE KEY"`},
		{"bad DER", junk("CERTIFICATE"), key, "authority's certificate: parse its DER: "},
		{"a bundle", slices.Concat(cert, cert), key, "holds 2 certificates: want exactly one"},
		{"too long", bytes.Repeat([]byte("x"), 64<<10+1), key, "longer than 65536 bytes"},
		{"no key", cert, nil, "authority's private key: empty: want PEM"},
		{"certificate in the key's place", cert, cert, `authority's private key: want a PEM block "PRIVATE KEY", found "CERTIFICATE"`},
		{"bad key", cert, junk("PRIVATE KEY"), "authority's private key: parse its DER: "},
		{"bad EC key", cert, junk("EC PRIVATE KEY"), "authority's private key: parse its DER: "},
		{"encrypted key", cert, junk("ENCRYPTED PRIVATE KEY"), "encrypted: decrypt it first"},
		{"legacy encrypted key", cert, legacy, "encrypted: decrypt it first"},
		{"key that cannot sign", cert, block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(ecdhKey)), "cannot sign"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := pki.ParseAuthority(tt.cert, tt.key, start)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestNewKeyPEM_IsAFreshP256Key(t *testing.T) {
	t.Parallel()
	one, err := pki.NewKeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	two, err := pki.NewKeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(one, two) {
		t.Error("two keys are the same")
	}
	b, _ := pem.Decode(one)
	if b == nil || b.Type != "EC PRIVATE KEY" {
		t.Fatal("want a PEM block EC PRIVATE KEY")
	}
	key, err := x509.ParseECPrivateKey(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if key.Curve != elliptic.P256() {
		t.Errorf("key is on %s, want P-256", key.Params().Name)
	}
}
