package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/ssh"
)

// identity is a key, or a certificate for one, that can be offered to a host.
type identity struct {
	signer ssh.Signer
	origin string     // "agent" with the key's comment, or the file
	locked *lockedKey // what the signer needs a passphrase for, or nil
}

func (i identity) String() string {
	key := i.signer.PublicKey()
	text := fmt.Sprintf("%s %s (%s)", key.Type(), ssh.FingerprintSHA256(key), i.origin)
	if i.locked != nil {
		if err := i.locked.problem(); err != nil {
			text += ": " + err.Error()
		}
	}
	return text
}

// identities is what there is to log in with: the keys in the order in which they are offered, and for the error message
// what was looked for in vain.
type identities struct {
	keys    []identity
	skipped []string
}

// add appends a key that is not there yet.
func (ids *identities) add(id identity) {
	for _, has := range ids.keys {
		if bytes.Equal(has.signer.PublicKey().Marshal(), id.signer.PublicKey().Marshal()) {
			return
		}
	}
	ids.keys = append(ids.keys, id)
}

func (ids *identities) offered() []string {
	names := make([]string, len(ids.keys))
	for i, id := range ids.keys {
		names[i] = id.String()
	}
	return names
}

// defaultIdentityFiles returns the files that OpenSSH looks for in ~/.ssh, in its order (ssh_config(5), IdentityFile).
func defaultIdentityFiles() []string { return []string{"id_rsa", "id_ecdsa", "id_ed25519"} }

// identities returns the keys to offer: certificates, the agent's keys that are named, its others, files. That is OpenSSH's
// order, but for the keys that need a passphrase, which come last: x/crypto tries no other key after one that can't sign.
// An identity file of the inventory is offered alone, so that a login takes a single offer.
func (d *Dialer) identities(ctx context.Context, l login) (*identities, error) {
	ids := &identities{}
	keys, err := d.keyFiles(l, ids)
	if err != nil {
		return nil, err
	}
	fromAgent, err := d.fromAgent(ctx, l, keys, ids)
	if err != nil {
		return nil, err
	}
	var signers []identity
	for _, key := range keys {
		id := d.signer(key, fromAgent)
		if id.locked != nil && key.content == nil {
			ids.skipped = append(ids.skipped, key.path+" (only its public half is here, and the agent does not have the key)")
			continue
		}
		signers = append(signers, id)
	}
	all := d.certificates(ids, l, keys, signers)
	if len(l.identityFiles) > 0 {
		for _, id := range signers {
			if isFrom(fromAgent, id) {
				all = append(all, id)
			}
		}
	}
	if !l.identitiesOnly {
		all = append(all, fromAgent...)
	}
	all = append(all, signers...)
	for _, withPassphrase := range []bool{false, true} {
		for _, id := range all {
			if (id.locked != nil) == withPassphrase {
				ids.add(id)
			}
		}
	}
	return ids, nil
}

// keyFiles reads the key files of a login, or the default ones.
func (d *Dialer) keyFiles(l login, ids *identities) ([]keyFile, error) {
	files := l.identityFiles
	if len(files) == 0 {
		for _, name := range defaultIdentityFiles() {
			files = append(files, filepath.Join(d.options.Home, ".ssh", name))
		}
	}
	var keys []keyFile
	for _, file := range files {
		key, err := d.keyFile(file)
		switch {
		case err == nil:
			keys = append(keys, key)
		case file == l.IdentityFile:
			return nil, err
		case errors.Is(err, fs.ErrNotExist):
			ids.skipped = append(ids.skipped, file+" (does not exist)")
		default:
			ids.skipped = append(ids.skipped, err.Error())
		}
	}
	return keys, nil
}

// fromAgent asks the agent for its keys, unless a plain key file is the only thing to offer.
func (d *Dialer) fromAgent(ctx context.Context, l login, keys []keyFile, ids *identities) ([]identity, error) {
	locked := slices.ContainsFunc(keys, func(key keyFile) bool { return key.signer == nil })
	if l.identitiesOnly && !locked {
		return nil, nil
	}
	keysOfAgent, err := background(ctx, &d.work, d.agentKeys, nil)
	if ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		ids.skipped = append(ids.skipped, err.Error())
	}
	return keysOfAgent, nil
}

func isFrom(all []identity, id identity) bool {
	return slices.ContainsFunc(all, func(other identity) bool {
		return bytes.Equal(other.signer.PublicKey().Marshal(), id.signer.PublicKey().Marshal())
	})
}

// signer returns what signs with a key file: the agent where that has the key, the file itself, or the file once its
// passphrase is known.
func (d *Dialer) signer(key keyFile, fromAgent []identity) identity {
	for _, id := range fromAgent {
		if key.public != nil && bytes.Equal(id.signer.PublicKey().Marshal(), key.public.Marshal()) {
			return id
		}
	}
	if key.signer != nil {
		return identity{signer: key.signer, origin: key.path}
	}
	locked := d.locked(key)
	return identity{locked, key.path, locked}
}

// certificates returns those of key files: CertificateFile, and FILE-cert.pub beside the key.
func (d *Dialer) certificates(ids *identities, l login, keys []keyFile, signers []identity) (certificates []identity) {
	files := slices.Clone(l.certificates)
	for _, key := range keys {
		files = append(files, key.path+"-cert.pub")
	}
	for _, file := range files {
		cert, err := readCertificate(file)
		if errors.Is(err, fs.ErrNotExist) && !slices.Contains(l.certificates, file) {
			continue
		}
		if err != nil {
			ids.skipped = append(ids.skipped, err.Error())
			continue
		}
		for _, id := range signers {
			if !bytes.Equal(id.signer.PublicKey().Marshal(), cert.Key.Marshal()) {
				continue
			}
			if signer, err := ssh.NewCertSigner(cert, id.signer); err == nil {
				certificates = append(certificates, identity{withSHA2(signer), file, id.locked})
			}
		}
	}
	return certificates
}

func readCertificate(file string) (*ssh.Certificate, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(content)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", file, err)
	}
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return nil, fmt.Errorf("certificate %s: it is a plain key", file)
	}
	return cert, nil
}

// keyFile is a private key file, or the public half of a key that only the agent has. An encrypted one has no signer.
type keyFile struct {
	path    string
	content []byte // of an encrypted one; nil where there is only the public half
	signer  ssh.Signer
	public  ssh.PublicKey
}

func readKeyFile(path string) (keyFile, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		if public, noPublic := readPublicKey(path + ".pub"); noPublic == nil {
			return keyFile{path: path, public: public}, nil
		}
		return keyFile{}, fmt.Errorf("read identity file: %w", err)
	}
	if public, _, _, _, err := ssh.ParseAuthorizedKey(content); err == nil {
		return keyFile{path: path, public: public}, nil
	}
	signer, err := ssh.ParsePrivateKey(content)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		key := keyFile{path: path, content: content, public: missing.PublicKey}
		if key.public == nil { // an old PEM file does not tell
			key.public, err = readPublicKey(path + ".pub")
			if err != nil {
				return keyFile{}, fmt.Errorf("identity file %s is protected by a passphrase and does not tell its public key: %w; convert it with `ssh-keygen -p -f %s`", path, err, quoteForPeople(path))
			}
		}
		return key, nil
	}
	if err != nil {
		return keyFile{}, fmt.Errorf("identity file %s is not a private key: %w", path, err)
	}
	return keyFile{path: path, signer: withSHA2(signer), public: signer.PublicKey()}, nil
}

func readPublicKey(path string) (ssh.PublicKey, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(content)
	return key, err
}

// withSHA2 keeps an RSA key from signing with SHA-1 (RFC 8332), which x/crypto does towards a server that announces no
// signature algorithms.
func withSHA2(signer ssh.Signer) ssh.Signer {
	keyType := signer.PublicKey().Type()
	able, ok := signer.(ssh.AlgorithmSigner)
	if !ok || (keyType != ssh.KeyAlgoRSA && keyType != ssh.CertAlgoRSAv01) {
		return signer
	}
	modern, err := ssh.NewSignerWithAlgorithms(able, []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512})
	if err != nil {
		return signer
	}
	return modern
}
