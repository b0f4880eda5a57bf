package remote_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"provision/pkg/remote"
	"provision/pkg/remote/sshtest"
)

// operator answers questions as a person would, and notes them.
type operator struct {
	answers map[remote.SecretKind][]string // by attempt

	mu    sync.Mutex
	asked []remote.Secret
	asker string // the host that wanted the last password
}

func (o *operator) ask(_ context.Context, secret remote.Secret, attempt int) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if secret.Kind != remote.Passphrase && secret.Kind != remote.Answer {
		o.asker = secret.For
	}
	secret.For = ""
	o.asked = append(o.asked, secret)
	if answers := o.answers[secret.Kind]; attempt < len(answers) {
		return answers[attempt], nil
	}
	return "", remote.ErrNoSecret
}

func TestLogin_PassphraseIsAskedForOnceForAllHosts(t *testing.T) {
	server, _ := start(t)
	file := filepath.Join(t.TempDir(), "id")
	content, private := encryptedKey(t)
	writeFile(t, file, content)
	server.Authorize(publicKey(t, private))
	person := &operator{answers: map[remote.SecretKind][]string{remote.Passphrase: {"wrong", "secret"}}}
	dialer := newDialer(t, remote.Options{Ask: person.ask})
	target := server.Target()
	target.IdentityFile = file
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { dial(t, dialer, target) })
	}
	all.Wait()
	if want := slices.Repeat([]remote.Secret{{Kind: remote.Passphrase, Subject: file}}, 2); !slices.Equal(person.asked, want) {
		t.Errorf("asked %v, want %v", person.asked, want)
	}
}

func TestLogin_PassphraseOfAKeyThatTheHostRefusesIsNotAskedFor(t *testing.T) {
	server, _ := start(t)
	file := filepath.Join(t.TempDir(), "id")
	content, _ := encryptedKey(t)
	writeFile(t, file, content)
	person := &operator{}
	target := server.Target()
	target.IdentityFile = file
	_, err := newDialer(t, remote.Options{Ask: person.ask}).Dial(t.Context(), target)
	mention(t, err, "the host refused the login of root", file)
	if len(person.asked) != 0 {
		t.Errorf("asked %v", person.asked)
	}
}

func TestLogin_PasswordIsAskedForOnceForAllHosts(t *testing.T) {
	for name, option := range map[string]sshtest.Option{
		"password":             sshtest.WithPassword("hunter2"),
		"keyboard-interactive": sshtest.WithQuestion("Password: ", "hunter2"),
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := start(t, sshtest.RefuseAuth(), option)
			person := &operator{answers: map[remote.SecretKind][]string{remote.Password: {"hunter2"}}}
			dialer := newDialer(t, remote.Options{Ask: person.ask})
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() { dial(t, dialer, server.Target()) })
			}
			all.Wait()
			if want := []remote.Secret{{Kind: remote.Password, Subject: "root"}}; !slices.Equal(person.asked, want) || person.asker != "testhost" {
				t.Errorf("asked %v for %s, want %v", person.asked, person.asker, want)
			}
		})
	}
}

// Three wrong passwords may lock an account: one is sent once.
func TestLogin_WrongPasswordIsSentOnce(t *testing.T) {
	server, _ := start(t, sshtest.RefuseAuth(), sshtest.WithPassword("hunter2"), sshtest.WithQuestion("Password: ", "hunter2"))
	person := &operator{answers: map[remote.SecretKind][]string{remote.Password: {"letmein"}}}
	_, err := newDialer(t, remote.Options{Ask: person.ask}).Dial(t.Context(), server.Target())
	mention(t, err, "offered: keyboard-interactive of root", "the host accepts")
	if strings.Contains(err.Error(), "letmein") {
		t.Error("the error shows the password")
	}
	if server.Passwords() != 1 {
		t.Errorf("sent %d times", server.Passwords())
	}
}

func TestLogin_NobodyToAsk(t *testing.T) {
	server, dialer := start(t, sshtest.RefuseAuth(), sshtest.WithPassword("hunter2"))
	_, err := dialer.Dial(t.Context(), server.Target())
	mention(t, err, "not offered: password: there is nobody to ask", "the host accepts: password, publickey")
}

func TestLogin_OtherQuestionIsAskedEachTime(t *testing.T) {
	server, _ := start(t, sshtest.RefuseAuth(), sshtest.WithQuestion("Verification code:", "123"))
	person := &operator{answers: map[remote.SecretKind][]string{remote.Answer: {"123"}}}
	dialer := newDialer(t, remote.Options{Ask: person.ask})
	dial(t, dialer, server.Target())
	dial(t, dialer, server.Target())
	if want := slices.Repeat([]remote.Secret{{Kind: remote.Answer, Subject: "testhost: Verification code:"}}, 2); !slices.Equal(person.asked, want) {
		t.Errorf("asked %v, want %v", person.asked, want)
	}
}

// A person may take longer than a host.
func TestLogin_TimeOfTheOperatorDoesNotCount(t *testing.T) {
	server, _ := start(t, sshtest.RefuseAuth(), sshtest.WithPassword("hunter2"))
	target := server.Target()
	target.ConnectTimeout = 200 * time.Millisecond
	slow := func(ctx context.Context, _ remote.Secret, _ int) (string, error) {
		thinking, cancel := context.WithTimeout(ctx, 3*target.ConnectTimeout)
		defer cancel()
		<-thinking.Done()
		return "hunter2", nil
	}
	dial(t, newDialer(t, remote.Options{Ask: slow}), target)
}

func TestLogin_CancelWhileTheOperatorIsAsked(t *testing.T) {
	server, _ := start(t, sshtest.RefuseAuth(), sshtest.WithPassword("hunter2"))
	asked := make(chan struct{})
	person := func(ctx context.Context, _ remote.Secret, _ int) (string, error) {
		close(asked)
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	soon(t, func() {
		_, err := newDialer(t, remote.Options{Ask: person}).Dial(cancelOn(t, asked), server.Target())
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestLogin_CertificateBesideTheKey(t *testing.T) {
	_, authority := newAuthority(t)
	server, dialer := start(t, sshtest.WithAuthority(authority.PublicKey()))
	private := newPrivateKey(t)
	file := filepath.Join(t.TempDir(), "id")
	writeKey(t, file, private)
	target := server.Target()
	target.IdentityFile = file
	_, err := dialer.Dial(t.Context(), target)
	mention(t, err, "the host refused the login of root")
	cert := &ssh.Certificate{Key: publicKey(t, private), CertType: ssh.UserCert, ValidPrincipals: []string{"root"}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	writeFile(t, file+"-cert.pub", string(ssh.MarshalAuthorizedKey(cert)))
	dial(t, newDialer(t, remote.Options{}), target)
}

func newAuthority(t *testing.T) (string, ssh.Signer) {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(newPrivateKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(signer.PublicKey())), signer
}

func TestLogin_AcceptNewRemembersAHostAndRefusesAChange(t *testing.T) {
	first, dialer := start(t)
	second := sshtest.Start(t)
	target := first.Target()
	target.KnownHosts = filepath.Join(t.TempDir(), "new", "known_hosts")
	target.HostKeyPolicy = remote.HostKeysAcceptNew
	dial(t, dialer, target)
	dial(t, dialer, target)
	content, err := os.ReadFile(target.KnownHosts)
	if err != nil || strings.Count(string(content), "\n") != 1 || !strings.HasPrefix(string(content), fmt.Sprintf("[127.0.0.1]:%d ssh-ed25519 ", target.Port)) {
		t.Errorf("known_hosts: %q, %v", content, err)
	}
	strict := target
	strict.HostKeyPolicy = remote.HostKeysStrict
	dial(t, newDialer(t, remote.Options{}), strict)

	writeFile(t, target.KnownHosts, strings.Replace(string(content), fmt.Sprint(target.Port), fmt.Sprint(second.Target().Port), 1))
	changed := second.Target()
	changed.KnownHosts, changed.HostKeyPolicy = target.KnownHosts, remote.HostKeysAcceptNew
	_, err = newDialer(t, remote.Options{}).Dial(t.Context(), changed)
	mention(t, err, "known by another", target.KnownHosts+":1")
}

func TestLogin_PinnedKeys(t *testing.T) {
	server, dialer := start(t)
	target := server.Target()
	target.KnownHosts = filepath.Join(t.TempDir(), "none")
	target.HostKeys = []remote.Pin{{Type: "ssh-ed25519", Fingerprint: ssh.FingerprintSHA256(server.HostKey())}}
	dial(t, dialer, target)
	other := remote.Pin{Type: "ssh-ed25519", Fingerprint: ssh.FingerprintSHA256(publicKey(t, newPrivateKey(t)))}
	target.HostKeys = []remote.Pin{other}
	_, err := dialer.Dial(t.Context(), target)
	mention(t, err, "the inventory says", other.String(), ssh.FingerprintSHA256(server.HostKey()))
}

func TestHostKeys_ShowsWhatAHostHasAndLogsInNowhere(t *testing.T) {
	server, dialer := start(t, sshtest.RefuseAuth())
	keys, err := dialer.HostKeys(t.Context(), server.Target())
	if err != nil || len(keys) != 1 || keys[0].Fingerprint != ssh.FingerprintSHA256(server.HostKey()) || keys[0].Err != nil {
		t.Errorf("got %v, %v", keys, err)
	}
	if _, err := remote.ParsePin(keys[0].String()); err != nil {
		t.Errorf("what is shown can't be pinned: %v", err)
	}
	unknown := server.Target()
	unknown.KnownHosts, unknown.HostKeyPolicy = filepath.Join(t.TempDir(), "none"), remote.HostKeysAcceptNew
	keys, err = dialer.HostKeys(t.Context(), unknown)
	if err != nil || len(keys) != 1 || !errors.As(keys[0].Err, new(*remote.HostKeyError)) {
		t.Errorf("got %v, %v", keys, err)
	}
	if _, err := os.Stat(unknown.KnownHosts); !errors.Is(err, os.ErrNotExist) {
		t.Error("a look at the keys has trusted them")
	}
}

func TestJump_OneConnectionForAllHostsBehindIt(t *testing.T) {
	first, dialer := start(t)
	second, host := sshtest.Start(t), sshtest.Start(t)
	target := behind(t, host, first, second)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := dial(t, dialer, target).Run(t.Context(), sh("true")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if first.Connections() != 1 || second.Connections() != 1 || host.Connections() != 8 {
		t.Errorf("%d, %d and %d connections", first.Connections(), second.Connections(), host.Connections())
	}
	if first.Tunnels() != 1 || second.Tunnels() != 8 {
		t.Errorf("%d and %d tunnels", first.Tunnels(), second.Tunnels())
	}
}

func TestJump_LostConnectionIsMadeAgain(t *testing.T) {
	jump, dialer := start(t)
	host := sshtest.Start(t)
	target := behind(t, host, jump)
	client := dial(t, dialer, target)
	jump.Drop()
	for client.Run(t.Context(), sh("true")); jump.Connections() < 2; { //nolint:errcheck // until it is noticed
		if again, err := dialer.Dial(t.Context(), target); err == nil {
			_ = again.Close()
		}
	}
}

func TestJump_ItsFailureNamesIt(t *testing.T) {
	jump, dialer := start(t, sshtest.RefuseAuth())
	host := sshtest.Start(t)
	_, err := dialer.Dial(t.Context(), behind(t, host, jump))
	mention(t, err, "connect to testhost", "jump host root@127.0.0.1", "the host refused the login")
	if host.Accepted() != 0 {
		t.Error("it was passed by")
	}
}

func TestJump_HostBehindItIsDown(t *testing.T) {
	jump, dialer := start(t)
	host := sshtest.Start(t)
	target := behind(t, host, jump)
	host.Stop()
	soon(t, func() {
		_, err := dialer.Dial(t.Context(), target)
		mention(t, err, "connect to testhost", "connection refused", "through root@127.0.0.1")
	})
}

// Also where two hosts enter the circle at different ends, at the same time.
func TestJump_ChainWithoutEnd(t *testing.T) {
	host, _ := start(t)
	config := filepath.Join(t.TempDir(), "config")
	writeFile(t, config, "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
	dialer := newDialer(t, remote.Options{})
	var both sync.WaitGroup
	for _, jump := range []string{"a", "b"} {
		both.Go(func() {
			target := host.Target()
			target.Jump, target.Config = jump, config
			_, err := dialer.Dial(t.Context(), target)
			mention(t, err, "has no end")
		})
	}
	both.Wait()
}

// What ssh_config says of a host is not about the way there: a jump host is trusted by its own settings.
func TestJump_HostKeyPolicyIsItsOwn(t *testing.T) {
	jump, dialer := start(t)
	host := sshtest.Start(t)
	target := behind(t, host, jump)
	target.KnownHosts = filepath.Join(t.TempDir(), "known_hosts") // nobody is known
	target.Config = filepath.Join(t.TempDir(), "config")
	target.Name = "node"
	writeFile(t, target.Config, "Host node\n  StrictHostKeyChecking no\n")
	_, err := dialer.Dial(t.Context(), target)
	mention(t, err, "jump host", "does not exist")
	target.HostKeyPolicy = remote.HostKeysAcceptNew // the inventory's is about all
	dial(t, dialer, target)
}

// OpenSSH takes a public key as IdentityFile where only an agent has the key.
func TestLogin_PublicKeyFileNamesTheAgentsKey(t *testing.T) {
	server, _ := start(t)
	private := newPrivateKey(t)
	server.Authorize(publicKey(t, private))
	dir := t.TempDir()
	public := string(ssh.MarshalAuthorizedKey(publicKey(t, private)))
	writeFile(t, filepath.Join(dir, "yubi.pub"), public)
	for _, file := range []string{"yubi.pub", "yubi"} {
		target := server.Target()
		target.IdentityFile = filepath.Join(dir, file)
		dial(t, newDialer(t, remote.Options{Agent: startAgent(t, newPrivateKey(t), private)}), target)
		_, err := newDialer(t, remote.Options{}).Dial(t.Context(), target)
		mention(t, err, "only its public half is here")
	}
}

func TestHostKeys_OfAHostThatIsDown(t *testing.T) {
	server, dialer := start(t)
	server.Stop()
	_, err := dialer.HostKeys(t.Context(), server.Target())
	mention(t, err, "look at the keys of testhost", "connection refused")
}

// behind is how host is reached through jump hosts, whose keys are known and who let its key in.
func behind(t *testing.T, host *sshtest.Server, jumps ...*sshtest.Server) remote.Target {
	t.Helper()
	target := host.Target()
	known, err := os.ReadFile(target.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(target.IdentityFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(content)
	if err != nil {
		t.Fatal(err)
	}
	var chain []string
	for _, jump := range jumps {
		jump.Authorize(key.PublicKey())
		more, err := os.ReadFile(jump.Target().KnownHosts)
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, more...)
		chain = append(chain, "root@"+net.JoinHostPort("127.0.0.1", fmt.Sprint(jump.Target().Port)))
	}
	target.KnownHosts = filepath.Join(t.TempDir(), "known_hosts")
	writeFile(t, target.KnownHosts, string(known))
	target.Jump = strings.Join(chain, ",")
	return target
}
