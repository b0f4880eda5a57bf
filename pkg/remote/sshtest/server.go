// Package sshtest is an SSH server inside the test process, for tests of what uses package remote. It runs commands with
// /bin/sh on this machine or gives them to a function, serves SFTP and tunnels, and can be told to misbehave. It needs
// neither root nor a network other than 127.0.0.1, and leaves nothing behind.
package sshtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"provision/pkg/remote"
)

// Server is a running SSH server.
type Server struct {
	config   config
	dir      string
	listener net.Listener
	hostKey  ssh.Signer
	work     sync.WaitGroup

	mu         sync.Mutex
	authorized []string // public keys in wire format
	conns      []*faultyConn
	accepted   int64
	logins     int
	tunnels    int
	passwords  int
	execs      []string
	stopped    bool
}

// Start starts a server on a port of 127.0.0.1. It ends with the test.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	s := &Server{config: config{handler: Shell}, dir: t.TempDir()}
	for _, option := range options {
		option(&s.config)
	}
	var err error
	if s.listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatalf("sshtest: %v", err)
	}
	s.hostKey = newKey(t)
	clientKey := newKey(t)
	s.Authorize(clientKey.PublicKey())
	known := s.hostKey.PublicKey()
	if s.config.wrongHostKey {
		known = newKey(t).PublicKey()
	}
	write(t, s.knownHosts(), knownhosts.Line([]string{s.listener.Addr().String()}, known)+"\n")
	write(t, s.identity(), clientKey.pem)
	s.work.Go(s.accept)
	t.Cleanup(s.Stop)
	return s
}

// Target returns how to reach the server, as root.
func (s *Server) Target() remote.Target {
	return remote.Target{
		Name:           "testhost",
		Host:           "127.0.0.1",
		Port:           uint16(s.listener.Addr().(*net.TCPAddr).Port), //nolint:gosec // a port
		User:           "root",
		IdentityFile:   s.identity(),
		KnownHosts:     s.knownHosts(),
		ConnectTimeout: 10 * time.Second,
	}
}

// Authorize lets key log in too.
func (s *Server) Authorize(key ssh.PublicKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.authorized = append(s.authorized, string(key.Marshal()))
}

func (s *Server) isAuthorized(key ssh.PublicKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.config.refuseAuth && slices.Contains(s.authorized, string(key.Marshal()))
}

// HostKey returns the public key of the server.
func (s *Server) HostKey() ssh.PublicKey { return s.hostKey.PublicKey() }

// Connections returns how many clients have logged in.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins
}

// Accepted returns how many TCP connections there were.
func (s *Server) Accepted() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Tunnels returns how many connections were asked for through the server.
func (s *Server) Tunnels() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tunnels
}

// Passwords returns how many passwords and answers were offered.
func (s *Server) Passwords() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passwords
}

// Execs returns the command lines that arrived, in their order.
func (s *Server) Execs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.execs)
}

// Freeze makes the server go silent on the connections it has, as a host that hangs: nothing more is read or written.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.freeze()
	}
}

// Drop resets the connections that the server has, as a host that reboots.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		_ = conn.Close()
	}
}

// Stop ends the server and the commands it runs.
func (s *Server) Stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	_ = s.listener.Close()
	s.Drop()
	s.work.Wait()
}

func (s *Server) knownHosts() string { return filepath.Join(s.dir, "known_hosts") }
func (s *Server) identity() string   { return filepath.Join(s.dir, "id_ed25519") }

func (s *Server) accept() {
	for {
		tcp, err := s.listener.Accept()
		if err != nil {
			return
		}
		conn := newFaultyConn(tcp, s.config)
		s.mu.Lock()
		s.accepted++
		refuse := s.stopped || s.accepted <= s.config.refuseFirst
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		if refuse {
			_ = conn.Close()
			continue
		}
		s.work.Go(func() {
			defer conn.Close() //nolint:errcheck // the client may have closed it
			s.serve(conn)
		})
	}
}

func (s *Server) serve(conn *faultyConn) {
	switch {
	case s.config.stallAfterAccept:
		<-conn.closed
		return
	case s.config.banner != "":
		_, _ = conn.Write([]byte(s.config.banner))
		return
	}
	sshConn, channels, requests, err := ssh.NewServerConn(conn, s.serverConfig(conn))
	if err != nil {
		return
	}
	s.mu.Lock()
	s.logins++
	s.mu.Unlock()
	s.work.Go(func() { ssh.DiscardRequests(requests) })
	for channel := range channels {
		s.work.Go(func() { s.channel(sshConn.User(), channel) })
	}
}

func (s *Server) serverConfig(conn net.Conn) *ssh.ServerConfig {
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if s.config.dropInAuth {
				_ = conn.Close()
			}
			if cert, ok := key.(*ssh.Certificate); ok {
				return s.checkCertificate(meta, cert)
			}
			if !s.isAuthorized(key) {
				return nil, errRefused
			}
			return &ssh.Permissions{}, nil
		},
	}
	if s.config.password != "" {
		config.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			return s.checkSecret(string(password), s.config.password)
		}
	}
	if s.config.question != "" {
		config.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{s.config.question}, []bool{false})
			if err != nil || len(answers) != 1 {
				return nil, errRefused
			}
			return s.checkSecret(answers[0], s.config.answer)
		}
	}
	config.AddHostKey(s.hostKey)
	return config
}

var errRefused = errors.New("you may not log in with this")

func (s *Server) checkSecret(got, want string) (*ssh.Permissions, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passwords++
	if got != want {
		return nil, errRefused
	}
	return &ssh.Permissions{}, nil
}

func (s *Server) checkCertificate(meta ssh.ConnMetadata, cert *ssh.Certificate) (*ssh.Permissions, error) {
	checker := ssh.CertChecker{IsUserAuthority: func(authority ssh.PublicKey) bool {
		return s.config.authority != nil && string(authority.Marshal()) == string(s.config.authority.Marshal())
	}}
	return checker.Authenticate(meta, cert)
}

// key is a private key and its file.
type key struct {
	ssh.Signer
	pem string
}

func newKey(t testing.TB) key {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatalf("sshtest: %v", err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatalf("sshtest: %v", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatalf("sshtest: %v", err)
	}
	return key{signer, string(pem.EncodeToMemory(block))}
}

func write(t testing.TB, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatalf("sshtest: %v", err)
	}
}
