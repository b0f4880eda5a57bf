package nspawn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// keyPair is an SSH key in the forms in which files want it.
type keyPair struct {
	kind       string // as in the names of files: ed25519, ecdsa
	private    []byte
	authorized string // one line without a newline: type, key
}

func newKeyPair(kind, comment string) (keyPair, error) {
	var private crypto.Signer
	var err error
	if kind == "ecdsa" {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		return keyPair{}, fmt.Errorf("generate %s key: %w", kind, err)
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return keyPair{}, fmt.Errorf("encode %s key: %w", kind, err)
	}
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		return keyPair{}, fmt.Errorf("encode %s key: %w", kind, err)
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
	return keyPair{kind: kind, private: pem.EncodeToMemory(block), authorized: line}, nil
}

// makeKeys generates the keys by which a host proves that it is itself, and notes their public halves.
func (h *hostState) makeKeys() ([]keyPair, error) {
	var keys []keyPair
	for _, kind := range []string{"ed25519", "ecdsa"} {
		key, err := newKeyPair(kind, "root@"+h.Name)
		if err != nil {
			return nil, fmt.Errorf("make host keys of %s: %w", h.Name, err)
		}
		keys = append(keys, key)
		h.Keys = append(h.Keys, key.authorized)
	}
	return keys, nil
}

// keyFile, knownHostsFile and sshConfigFile are where a client of the lab finds them.
func keyFile(lab string) string        { return filepath.Join(stateDir(lab), "id_ed25519") }
func knownHostsFile(lab string) string { return filepath.Join(stateDir(lab), "known_hosts") }
func sshConfigFile(lab string) string  { return filepath.Join(stateDir(lab), "ssh_config") }

// makeKey generates the key that opens all hosts of the lab.
func (s *state) makeKey() error {
	key, err := newKeyPair("ed25519", "lab-"+s.Name)
	if err != nil {
		return err
	}
	if err := os.WriteFile(keyFile(s.Name), key.private, 0o600); err != nil {
		return fmt.Errorf("write key of lab %s: %w", s.Name, err)
	}
	if err := os.WriteFile(keyFile(s.Name)+".pub", []byte(key.authorized+" lab-"+s.Name+"\n"), 0o644); err != nil {
		return fmt.Errorf("write key of lab %s: %w", s.Name, err)
	}
	return nil
}

// writeClientFiles writes known_hosts and ssh_config for the hosts that the lab now has.
func (s *state) writeClientFiles() error {
	var known, config strings.Builder
	fmt.Fprintf(&config, "# Of lab %s. Use: ssh -F %s HOST\n", s.Name, sshConfigFile(s.Name))
	for _, host := range s.Hosts {
		for _, key := range host.Keys {
			fmt.Fprintf(&known, "%s,%s %s\n", host.Name, host.Addr, key)
		}
		fmt.Fprintf(&config, "Host %s\n\tHostName %s\n\tUser root\n\tHostKeyAlias %s\n", host.Name, host.Addr, host.Name)
	}
	fmt.Fprintf(&config, "Host *\n\tIdentityFile %s\n\tIdentitiesOnly yes\n\tUserKnownHostsFile %s\n\tStrictHostKeyChecking yes\n",
		keyFile(s.Name), knownHostsFile(s.Name))
	if err := replaceFile(knownHostsFile(s.Name), known.String(), 0o644); err != nil {
		return err
	}
	return replaceFile(sshConfigFile(s.Name), config.String(), 0o644)
}
