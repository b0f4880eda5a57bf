package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// identity is a key that can be offered to a host.
type identity struct {
	signer ssh.Signer
	origin string // "agent" with the key's comment, or the file
}

func (i identity) String() string {
	key := i.signer.PublicKey()
	return fmt.Sprintf("%s %s (%s)", key.Type(), ssh.FingerprintSHA256(key), i.origin)
}

// identities is what there is to log in with: the keys in the order in which they are offered, and for the error message
// what was looked for in vain.
type identities struct {
	keys    []identity
	skipped []string
}

func (ids *identities) signers() ([]ssh.Signer, error) {
	signers := make([]ssh.Signer, len(ids.keys))
	for i, id := range ids.keys {
		signers[i] = id.signer
	}
	return signers, nil
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

// identities returns the keys to offer for an identity file: that one alone, so that a login takes a single offer; or
// when file is "" the agent's keys and then the default files.
func (d *Dialer) identities(file string) (*identities, error) {
	if file == "" {
		return d.defaults()
	}
	key, err := d.keyFile(file)
	if err != nil {
		return nil, err
	}
	if key.signer == nil {
		if key, err = d.decrypted(key); err != nil {
			return nil, err
		}
	}
	return &identities{keys: []identity{{key.signer, file}}}, nil
}

// decrypted returns the agent's signer for an encrypted key file.
func (d *Dialer) decrypted(key keyFile) (keyFile, error) {
	fromAgent, err := d.agentKeys()
	for _, id := range fromAgent {
		if key.public != nil && bytes.Equal(id.signer.PublicKey().Marshal(), key.public.Marshal()) {
			key.signer = id.signer
			return key, nil
		}
	}
	why := "it is not loaded there yet"
	if err != nil {
		why = err.Error()
	}
	return keyFile{}, fmt.Errorf("the key in %s is protected by a passphrase: load it into an agent with `ssh-add %s` (%s)",
		key.path, quoteForPeople(key.path), why)
}

func (d *Dialer) readDefaults() (*identities, error) {
	ids := &identities{}
	fromAgent, err := d.agentKeys()
	if err != nil {
		ids.skipped = append(ids.skipped, err.Error())
	}
	ids.keys = append(ids.keys, fromAgent...)
	for _, name := range defaultIdentityFiles() {
		path := filepath.Join(d.options.Home, ".ssh", name)
		key, err := d.keyFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			ids.skipped = append(ids.skipped, path+" (does not exist)")
		case err != nil:
			ids.skipped = append(ids.skipped, err.Error())
		case ids.has(key.public):
		case key.signer == nil:
			ids.skipped = append(ids.skipped, path+" (protected by a passphrase: load it with ssh-add)")
		default:
			ids.keys = append(ids.keys, identity{key.signer, path})
		}
	}
	if len(ids.keys) == 0 {
		return nil, fmt.Errorf("there is no key to log in with: %s\n  name an identity file or load a key into an agent (ssh-add)",
			strings.Join(ids.skipped, "; "))
	}
	return ids, nil
}

func (ids *identities) has(key ssh.PublicKey) bool {
	return key != nil && slices.ContainsFunc(ids.keys, func(id identity) bool {
		return bytes.Equal(id.signer.PublicKey().Marshal(), key.Marshal())
	})
}

// keyFile is a private key file. Of an encrypted one there is no signer, and no public half either in old PEM files.
type keyFile struct {
	path   string
	signer ssh.Signer
	public ssh.PublicKey
}

func readKeyFile(path string) (keyFile, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return keyFile{}, fmt.Errorf("read identity file: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(content)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return keyFile{path: path, public: missing.PublicKey}, nil
	}
	if err != nil {
		return keyFile{}, fmt.Errorf("identity file %s is not a private key: %w", path, err)
	}
	return keyFile{path: path, signer: withSHA2(signer), public: signer.PublicKey()}, nil
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

// agentConn is the connection to ssh-agent, kept open because the agent signs once per host.
type agentConn struct {
	mu   sync.Mutex
	conn net.Conn
}

// agentTimeout bounds listing the agent's keys: one that hangs must not hold up the run.
const agentTimeout = 5 * time.Second

// readAgent asks the agent for its keys.
func (d *Dialer) readAgent() ([]identity, error) {
	if d.options.Agent == "" {
		return nil, errors.New("no agent runs (SSH_AUTH_SOCK is not set)")
	}
	ctx, cancel := context.WithTimeout(context.Background(), agentTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", d.options.Agent)
	if err != nil {
		return nil, fmt.Errorf("the agent does not answer: %w", err)
	}
	d.agent.mu.Lock()
	d.agent.conn = conn
	d.agent.mu.Unlock()
	if err := conn.SetDeadline(time.Now().Add(agentTimeout)); err != nil {
		return nil, fmt.Errorf("reach the agent: %w", err)
	}
	client := agent.NewClient(conn)
	listed, err := client.List()
	if err != nil {
		return nil, fmt.Errorf("list the agent's keys: %w", err)
	}
	signers, err := client.Signers()
	if err != nil {
		return nil, fmt.Errorf("list the agent's keys: %w", err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil { // signing may wait for its user
		return nil, fmt.Errorf("reach the agent: %w", err)
	}
	ids := make([]identity, len(signers))
	for i, signer := range signers {
		origin := "agent"
		for _, key := range listed {
			if bytes.Equal(key.Blob, signer.PublicKey().Marshal()) && key.Comment != "" {
				origin = "agent: " + key.Comment
			}
		}
		ids[i] = identity{withSHA2(signer), origin}
	}
	if len(ids) == 0 {
		return nil, errors.New("the agent has no keys")
	}
	return ids, nil
}

func (a *agentConn) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn == nil {
		return nil
	}
	return a.conn.Close()
}
