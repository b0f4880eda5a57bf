// Package pki owns certificate authorities, leaf certificates and their
// expiry. It turns values into PEM and PEM into values: it reads no file,
// knows no clock and nothing of Kubernetes.
//
// Time is always a parameter. Randomness is not: since Go 1.26 the functions
// of crypto/ecdsa and crypto/x509 ignore the io.Reader they are given and use
// the system's secure source (GODEBUG cryptocustomrand=0 is the default), so
// a reader in this API would only pretend to matter. Tests that need
// repeatable keys use testing/cryptotest.SetGlobalRandom.
//
// Certificates follow the profile of RFC 5280; keys made here are ECDSA P-256
// in PKCS #8. Authorities made elsewhere may have any key crypto/x509 signs
// with.
package pki

import (
	"errors"
	"time"
)

const (
	// CAValidity is how long a new certificate authority lasts: ten years.
	CAValidity = 10 * 365 * 24 * time.Hour
	// LeafValidity is how long a new leaf certificate lasts: one year.
	LeafValidity = 365 * 24 * time.Hour
	// RenewBefore is how long before its end a certificate is to be renewed.
	RenewBefore = 30 * 24 * time.Hour
)

// clockSkew is how far back a new certificate's validity begins, so that hosts
// whose clocks are behind accept it at once.
const clockSkew = time.Hour

// What ParseAuthority and Issue may find wrong with an authority; ask with
// errors.Is. Anything else is a malformed input.
var (
	// ErrNotAuthority means that the certificate may not sign certificates.
	ErrNotAuthority = errors.New("not a certificate authority")
	// ErrKeyMismatch means that the private key is not the certificate's.
	ErrKeyMismatch = errors.New("the private key does not belong to the certificate")
	// ErrExpired means that the authority's validity has ended.
	ErrExpired = errors.New("the certificate authority has expired")
	// ErrNotYetValid means that the authority's validity has not begun: most
	// often a wrong clock.
	ErrNotYetValid = errors.New("the certificate authority is not valid yet")
)
