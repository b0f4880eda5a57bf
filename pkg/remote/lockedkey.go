package remote

import (
	"context"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"
)

// lockedKey signs with an encrypted key file. Its passphrase is asked for when a host has accepted the public key, not
// before: most of the keys that are offered are of no use.
type lockedKey struct {
	keyFile
	ctx     context.Context //nolint:containedctx // the dialer's: ssh.Signer takes none
	secrets *secrets

	mu     sync.Mutex // held while the operator is asked
	opened ssh.AlgorithmSigner
	err    error // why it could not be opened
}

var _ ssh.MultiAlgorithmSigner = (*lockedKey)(nil)

// locked returns the one lockedKey of a file.
func (d *Dialer) locked(key keyFile) *lockedKey {
	locked, _ := d.lockedKeys.LoadOrStore(key.path, &lockedKey{keyFile: key, ctx: d.ctx, secrets: d.secrets})
	return locked.(*lockedKey)
}

// PublicKey returns the public half.
func (k *lockedKey) PublicKey() ssh.PublicKey { return k.public }

// Algorithms are the signature algorithms, without SHA-1.
func (k *lockedKey) Algorithms() []string {
	if k.public.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512}
	}
	return []string{k.public.Type()}
}

// Sign signs with the default algorithm.
func (k *lockedKey) Sign(random io.Reader, data []byte) (*ssh.Signature, error) {
	return k.SignWithAlgorithm(random, data, k.Algorithms()[0])
}

// SignWithAlgorithm asks for the passphrase, unless the key is open, and signs.
func (k *lockedKey) SignWithAlgorithm(random io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := k.unlock()
	if err != nil {
		return nil, err
	}
	return signer.SignWithAlgorithm(random, data, algorithm)
}

func (k *lockedKey) unlock() (ssh.AlgorithmSigner, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.opened != nil || k.err != nil {
		return k.opened, k.err
	}
	_, err := k.secrets.get(k.ctx, Secret{Kind: Passphrase, Subject: k.path}, k.open)
	if err != nil {
		k.err = fmt.Errorf("it is protected by a passphrase: %w; or load it into an agent with `ssh-add %s`", err, quoteForPeople(k.path))
	}
	return k.opened, k.err
}

func (k *lockedKey) open(passphrase string) error {
	signer, err := ssh.ParsePrivateKeyWithPassphrase(k.content, []byte(passphrase))
	if err != nil {
		return fmt.Errorf("the passphrase does not open it: %w", err)
	}
	k.opened, _ = signer.(ssh.AlgorithmSigner)
	return nil
}

func (k *lockedKey) problem() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// pausing stops the clock of a login while its key is unlocked: a person may take longer than a host.
type pausing struct {
	ssh.MultiAlgorithmSigner
	patience *patience
}

// Sign signs with the default algorithm.
func (p pausing) Sign(random io.Reader, data []byte) (*ssh.Signature, error) {
	defer p.patience.pause()()
	return p.MultiAlgorithmSigner.Sign(random, data)
}

// SignWithAlgorithm signs.
func (p pausing) SignWithAlgorithm(random io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	defer p.patience.pause()()
	return p.MultiAlgorithmSigner.SignWithAlgorithm(random, data, algorithm)
}
