package remote_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"provision/pkg/remote"
	"provision/pkg/remote/sshtest"
)

func TestDial_CountsWhatItDoes(t *testing.T) {
	server, dialer := start(t)
	client := dial(t, dialer, server.Target())
	for range 2 {
		if _, err := client.Run(t.Context(), remote.Command{Args: []string{"true"}}); err != nil {
			t.Fatal(err)
		}
	}
	want := remote.Counts{Connections: 1, Execs: 2}
	if got := dialer.Counts(); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	if server.Connections() != 1 || len(server.Execs()) != 2 {
		t.Errorf("the server saw %d connections and %q", server.Connections(), server.Execs())
	}
}

func TestDial_ReadsKeyAndKnownHostsOnce(t *testing.T) {
	server, dialer := start(t)
	target := server.Target()
	dial(t, dialer, target)
	for _, file := range []string{target.IdentityFile, target.KnownHosts} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	dial(t, dialer, target)
}

func TestDial_RefusedKeyIsNamed(t *testing.T) {
	server, dialer := start(t, sshtest.RefuseAuth())
	target := server.Target()
	_, err := dialer.Dial(t.Context(), target)
	var refused *remote.AuthError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want an AuthError", err)
	}
	if len(refused.Offered) != 1 || !strings.Contains(refused.Offered[0], target.IdentityFile) || !strings.Contains(refused.Offered[0], "SHA256:") {
		t.Errorf("offered %q", refused.Offered)
	}
	if len(refused.Accepts) != 1 || refused.Accepts[0] != "publickey" {
		t.Errorf("accepts %q", refused.Accepts)
	}
	mention(t, err, "testhost", "root@127.0.0.1", "authorized_keys")
}

func TestDial_SilentServerEndsInTime(t *testing.T) {
	server, dialer := start(t, sshtest.StallAfterAccept())
	target := server.Target()
	target.ConnectTimeout = 50 * time.Millisecond
	soon(t, func() {
		_, err := dialer.Dial(t.Context(), target)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a timeout", err)
		}
		mention(t, err, "says nothing", "50ms")
	})
}

func TestDial_CancelEndsIt(t *testing.T) {
	server, dialer := start(t, sshtest.StallAfterAccept())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	soon(t, func() {
		_, err := dialer.Dial(ctx, server.Target())
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
	})
}

func TestDial_OtherProtocolIsShown(t *testing.T) {
	server, dialer := start(t, sshtest.GarbageBanner("HTTP/1.1 400 Bad Request\r\n\r\n"))
	_, err := dialer.Dial(t.Context(), server.Target())
	mention(t, err, "no SSH server", "HTTP/1.1 400 Bad Request")
	if server.Accepted() != 1 {
		t.Errorf("tried %d times, want once", server.Accepted())
	}
}

func TestDial_MaxStartupsIsRetried(t *testing.T) {
	server, dialer := start(t, sshtest.RefuseFirst(3))
	dial(t, dialer, server.Target())
	if server.Accepted() != 4 || dialer.Counts().Connections != 1 {
		t.Errorf("%d attempts, %d connections", server.Accepted(), dialer.Counts().Connections)
	}
}

func TestDial_MaxStartupsEndsInTime(t *testing.T) {
	for name, fault := range map[string]sshtest.Option{
		"silent":  sshtest.RefuseFirst(1 << 30),
		"talking": sshtest.GarbageBanner("Exceeded MaxStartups\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			server, dialer := start(t, fault)
			target := server.Target()
			target.ConnectTimeout = 300 * time.Millisecond
			soon(t, func() {
				_, err := dialer.Dial(t.Context(), target)
				mention(t, err, "attempts")
			})
			if server.Accepted() < 2 {
				t.Errorf("tried %d times", server.Accepted())
			}
		})
	}
}

func TestDial_RefusedPortIsToldSoon(t *testing.T) {
	server, dialer := start(t)
	server.Stop()
	soon(t, func() {
		_, err := dialer.Dial(t.Context(), server.Target())
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v", err)
		}
		mention(t, err, "testhost", "4 attempts")
	})
}

func TestDial_DropInAuthenticationIsNotRetried(t *testing.T) {
	server, dialer := start(t, sshtest.DropInAuth())
	_, err := dialer.Dial(t.Context(), server.Target())
	if err == nil {
		t.Fatal("dial succeeded")
	}
	mention(t, err, "closed the connection while we were logging in")
	if server.Accepted() != 1 {
		t.Errorf("tried %d times, want once", server.Accepted())
	}
}

func TestDial_KeyFileProblems(t *testing.T) {
	server, dialer := start(t)
	dir := t.TempDir()
	missing, garbage := filepath.Join(dir, "missing"), filepath.Join(dir, "garbage")
	writeFile(t, garbage, "not a key")
	for file, want := range map[string]string{
		missing: "no such file",
		garbage: "is not a private key",
	} {
		target := server.Target()
		target.IdentityFile = file
		_, err := dialer.Dial(t.Context(), target)
		mention(t, err, file, want)
	}
	if server.Accepted() != 0 {
		t.Errorf("connected %d times without a key", server.Accepted())
	}
}

func TestDial_EncryptedKeyFileIsTakenFromTheAgent(t *testing.T) {
	server, without := start(t)
	file := filepath.Join(t.TempDir(), "id")
	content, private := encryptedKey(t)
	writeFile(t, file, content)
	server.Authorize(publicKey(t, private))
	target := server.Target()
	target.IdentityFile = file
	_, err := without.Dial(t.Context(), target)
	mention(t, err, "protected by a passphrase", "ssh-add "+file)
	dial(t, newDialer(t, remote.Options{Agent: startAgent(t, newPrivateKey(t), private)}), target)
}

func TestDial_DefaultsAreAgentThenFiles(t *testing.T) {
	server, _ := start(t, sshtest.RefuseAuth())
	home := t.TempDir()
	inBoth := newPrivateKey(t)
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeKey(t, filepath.Join(home, ".ssh", "id_rsa"), inBoth)
	writeKey(t, filepath.Join(home, ".ssh", "id_ed25519"), newPrivateKey(t))
	dialer := newDialer(t, remote.Options{Home: home, Agent: startAgent(t, newPrivateKey(t), inBoth)})
	target := server.Target()
	target.IdentityFile = ""
	_, err := dialer.Dial(t.Context(), target)
	var refused *remote.AuthError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want an AuthError", err)
	}
	var origins []string
	for _, offered := range refused.Offered {
		origins = append(origins, offered[strings.Index(offered, "(")+1:len(offered)-1])
	}
	want := []string{"agent: key 0", "agent: key 1", filepath.Join(home, ".ssh", "id_ed25519")}
	if strings.Join(origins, ",") != strings.Join(want, ",") {
		t.Errorf("offered %q, want %q", origins, want)
	}
	mention(t, err, "not offered: "+filepath.Join(home, ".ssh", "id_ecdsa")+" (does not exist)")
}

func TestDial_NoKeyAtAll(t *testing.T) {
	server, dialer := start(t)
	target := server.Target()
	target.IdentityFile = ""
	_, err := dialer.Dial(t.Context(), target)
	mention(t, err, "nothing to log in with as root", "SSH_AUTH_SOCK", "id_ed25519", "ssh-add")
}

func TestDial_HangingAgentEndsInTime(t *testing.T) {
	server, _ := start(t)
	dialer := newDialer(t, remote.Options{Home: t.TempDir(), Agent: hangingSocket(t)})
	target := server.Target()
	target.IdentityFile, target.ConnectTimeout = "", 50*time.Millisecond
	soon(t, func() {
		if _, err := dialer.Dial(t.Context(), target); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a timeout", err)
		}
	})
}

func TestDial_ManyHostsAtOnce(t *testing.T) {
	server, dialer := start(t, sshtest.RefuseFirst(5))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			client, err := dialer.Dial(t.Context(), server.Target())
			if err != nil {
				t.Errorf("dial: %v", err)
				return
			}
			if err := client.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	all.Wait()
	if got := dialer.Counts().Connections; got != 16 {
		t.Errorf("%d connections, want 16", got)
	}
}

func TestDial_WithoutAddress(t *testing.T) {
	_, err := newDialer(t, remote.Options{}).Dial(t.Context(), remote.Target{Name: "n"})
	mention(t, err, "has no address")
}

func mention(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error does not mention %q:\n%v", text, err)
		}
	}
}

func newPrivateKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

func publicKey(t *testing.T, private ed25519.PrivateKey) ssh.PublicKey {
	t.Helper()
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func writeKey(t *testing.T, file string, private ed25519.PrivateKey) {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, string(pem.EncodeToMemory(block)))
}

// encryptedKey returns a key and its file, protected by a passphrase.
func encryptedKey(t *testing.T) (string, ed25519.PrivateKey) {
	t.Helper()
	private := newPrivateKey(t)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), private
}

func writeFile(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startAgent serves an ssh-agent with keys on a socket, whose path it returns.
func startAgent(t *testing.T, keys ...ed25519.PrivateKey) string {
	t.Helper()
	keyring := agent.NewKeyring()
	for i, private := range keys {
		if err := keyring.Add(agent.AddedKey{PrivateKey: private, Comment: "key " + string(rune('0'+i))}); err != nil {
			t.Fatal(err)
		}
	}
	return serveSocket(t, func(conn net.Conn) { _ = agent.ServeAgent(keyring, conn) })
}

// hangingSocket accepts connections and says nothing.
func hangingSocket(t *testing.T) string {
	t.Helper()
	return serveSocket(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
}

func serveSocket(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent") // t.TempDir is too long for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				serve(conn)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		work.Wait()
		_ = os.RemoveAll(dir)
	})
	return path
}

func TestDial_WrongHostKey(t *testing.T) {
	server, dialer := start(t, sshtest.WrongHostKey())
	target := server.Target()
	_, err := dialer.Dial(t.Context(), target)
	var problem *remote.HostKeyError
	if !errors.As(err, &problem) {
		t.Fatalf("got %v, want a HostKeyError", err)
	}
	if problem.Fingerprint != ssh.FingerprintSHA256(server.HostKey()) || len(problem.Known) != 1 || problem.Known[0].Line != 1 {
		t.Errorf("got %+v", problem)
	}
	mention(t, err, "testhost", problem.Fingerprint, problem.Known[0].Fingerprint, target.KnownHosts+":1")
	if server.Connections() != 0 || server.Accepted() != 1 {
		t.Errorf("%d logins in %d attempts", server.Connections(), server.Accepted())
	}
}

func TestDial_UnknownHostKey(t *testing.T) {
	server, dialer := start(t)
	target := server.Target()
	target.KnownHosts = ""
	_, err := dialer.Dial(t.Context(), target)
	mention(t, err, "known_hosts does not exist", ssh.FingerprintSHA256(server.HostKey()), "ssh-keyscan -t ed25519")
	if server.Connections() != 0 {
		t.Error("logged in all the same")
	}
}
