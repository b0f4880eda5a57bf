package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

const (
	certificateType = "CERTIFICATE"
	privateKeyType  = "PRIVATE KEY"
	// maxPEM bounds what is decoded, and with it the work that a huge key makes:
	// a host's answer may be anything.
	maxPEM = 64 << 10
)

var errTooLong = fmt.Errorf("longer than %d bytes: not a certificate or key", maxPEM)

// NewKeyPEM returns a new ECDSA P-256 private key, one that belongs to no
// certificate: for signing tokens, say. Its form is that of SEC 1, which more
// programs find the public half in than in PKCS #8: Kubernetes is one
// (k8s.io/client-go/util/keyutil, ParsePublicKeysPEM).
func NewKeyPEM() ([]byte, error) {
	key, _, err := newKey()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate a private key: %w", err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, keyPEM, nil
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateKeyType, Bytes: der}), nil
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateType, Bytes: der})
}

// decode returns data's PEM blocks in order.
func decode(data []byte) ([]*pem.Block, error) {
	if len(data) > maxPEM {
		return nil, errTooLong
	}
	var blocks []*pem.Block
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		blocks = append(blocks, block)
		data = rest
	}
	switch {
	case len(blocks) > 0:
		return blocks, nil
	case len(data) == 0:
		return nil, errors.New("empty: want PEM")
	}
	return nil, errors.New("no PEM block found")
}

// parseCerts returns the first certificate in data and how many there are.
// Blocks of other types are passed over: some programs keep the key in the
// same file.
func parseCerts(data []byte) (*x509.Certificate, int, error) {
	blocks, err := decode(data)
	if err != nil {
		return nil, 0, err
	}
	var first *pem.Block
	count := 0
	for _, b := range blocks {
		if b.Type != certificateType {
			continue
		}
		if count++; first == nil {
			first = b
		}
	}
	if first == nil {
		return nil, 0, fmt.Errorf("want a PEM block %q, found %q", certificateType, blocks[0].Type)
	}
	cert, err := x509.ParseCertificate(first.Bytes)
	if err != nil {
		return nil, 0, fmt.Errorf("parse its DER: %w", err)
	}
	return cert, count, nil
}

// parseCA returns the only certificate in data. A bundle is refused: which of
// its certificates signs would be a guess.
func parseCA(data []byte) (*x509.Certificate, error) {
	cert, count, err := parseCerts(data)
	if err != nil {
		return nil, err
	}
	if count != 1 {
		return nil, fmt.Errorf("holds %d certificates: want exactly one", count)
	}
	return cert, nil
}

// parseKey returns the first private key in data: PKCS #8, or the older forms
// openssl and kubeadm write.
func parseKey(data []byte) (crypto.Signer, error) {
	blocks, err := decode(data)
	if err != nil {
		return nil, err
	}
	for _, b := range blocks {
		var key any
		switch b.Type {
		case privateKeyType:
			key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(b.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errEncrypted
		default:
			continue
		}
		if b.Headers["DEK-Info"] != "" {
			return nil, errEncrypted
		}
		if err != nil {
			return nil, fmt.Errorf("parse its DER: %w", err)
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("a %T cannot sign", key)
		}
		return signer, nil
	}
	return nil, fmt.Errorf("want a PEM block %q, found %q", privateKeyType, blocks[0].Type)
}

var errEncrypted = errors.New("encrypted: decrypt it first, with `openssl pkey -in FILE`")
