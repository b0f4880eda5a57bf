//go:build lab

package remote_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"provision/pkg/remote"
)

const sshdPath = "/usr/sbin/sshd"

// startOpenSSH starts OpenSSH's sshd on a port of 127.0.0.1 with a configuration of its own. It has host keys of three
// types, of which known_hosts has the one named by knownType.
func startOpenSSH(t testing.TB, knownType string, settings ...string) remote.Target {
	t.Helper()
	if _, err := os.Stat(sshdPath); err != nil {
		t.Skipf("%s is not installed: apt-get install openssh-server", sshdPath)
	}
	dir := t.TempDir()
	address := freeAddress(t)
	config := []string{
		"ListenAddress " + address.String(), "PidFile none", "UsePAM no", "StrictModes no", "PasswordAuthentication no", "PermitRootLogin yes",
		"AuthorizedKeysFile " + filepath.Join(dir, "id.pub"), "Subsystem sftp /usr/lib/openssh/sftp-server",
	}
	for _, keyType := range []string{"ed25519", "ecdsa", "rsa"} {
		file := filepath.Join(dir, "host_"+keyType)
		keygen(t, keyType, file)
		config = append(config, "HostKey "+file)
	}
	keygen(t, "ed25519", filepath.Join(dir, "id"))
	public, err := os.ReadFile(filepath.Join(dir, "host_"+knownType+".pub"))
	if err != nil {
		t.Fatal(err)
	}
	known := fmt.Sprintf("[%s]:%d %s", address.Addr(), address.Port(), public)
	for file, content := range map[string]string{"known_hosts": known, "sshd_config": strings.Join(append(settings, config...), "\n") + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil && os.Getuid() == 0 {
		t.Fatal(err)
	}
	run(t, exec.Command(sshdPath, "-D", "-e", "-f", filepath.Join(dir, "sshd_config")), address)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return remote.Target{
		Name: "openssh", Host: address.Addr().String(), Port: address.Port(), User: me.Username,
		IdentityFile: filepath.Join(dir, "id"), KnownHosts: filepath.Join(dir, "known_hosts"),
	}
}

func keygen(t testing.TB, keyType, file string) {
	t.Helper()
	if out, err := exec.Command("ssh-keygen", "-q", "-t", keyType, "-N", "", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
}

func freeAddress(t testing.TB) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // the port is known
	return netip.MustParseAddrPort(listener.Addr().String())
}

// run starts sshd and waits until it listens.
func run(t testing.TB, sshd *exec.Cmd, address netip.AddrPort) {
	t.Helper()
	var log bytes.Buffer
	sshd.Stderr = &log
	sshd.WaitDelay = time.Second // a child with a connection may outlive it
	if err := sshd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = sshd.Process.Signal(syscall.SIGTERM)
		_ = sshd.Wait()
		if t.Failed() {
			t.Logf("sshd:\n%s", &log)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", address.String())
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("sshd does not listen: %v\n%s", err, &log)
		}
	}
}

func TestOpenSSH_CommandUploadTunnel(t *testing.T) {
	for _, known := range []string{"ed25519", "ecdsa", "rsa"} {
		t.Run(known, func(t *testing.T) {
			target := startOpenSSH(t, known)
			client := dial(t, newDialer(t, remote.Options{}), target)
			args := []string{"", "a b", "'", `\`, "$(id)", "`id`", "\n", "!", "\xff"}
			result, err := client.Run(t.Context(), remote.Command{Args: append([]string{"printf", `%s\0`}, args...)})
			if want := strings.Join(args, "\x00") + "\x00"; err != nil || string(result.Stdout) != want {
				t.Errorf("got %q, %v", result.Stdout, err)
			}
			if _, err = client.Run(t.Context(), remote.Command{Args: []string{"true"}, Stdin: bytes.NewReader(make([]byte, 20<<20))}); err != nil {
				t.Errorf("unread stdin: %v", err)
			}
			_, err = client.Run(t.Context(), sh("echo sorry >&2; exit 3"))
			if failure := commandError(t, err); failure.Status != 3 || failure.Stderr != "sorry" {
				t.Errorf("got %+v", failure)
			}
			_, err = client.Run(t.Context(), remote.Command{Args: []string{"sh", "-c", "kill -KILL $$"}})
			if failure := commandError(t, err); failure.Signal != "KILL" && failure.Status != 137 { // 137: by the login shell
				t.Errorf("got %v", err)
			}
			data := randomBytes(10 << 20)
			file, err := client.Upload(t.Context(), remote.File{Name: "binary", Size: int64(len(data)), Content: bytes.NewReader(data)})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, data) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			tunnel, err := client.DialContext(t.Context(), "tcp", net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port))))
			if err != nil {
				t.Fatal(err)
			}
			greeting := make([]byte, 8)
			if _, err := tunnel.Read(greeting); err != nil || string(greeting) != "SSH-2.0-" {
				t.Errorf("got %q, %v", greeting, err)
			}
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Dir(file)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("Close left %s: %v", filepath.Dir(file), err)
			}
		})
	}
}

func TestOpenSSH_RSAKeyLogsIn(t *testing.T) {
	target := startOpenSSH(t, "ed25519")
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, target.IdentityFile, string(pem.EncodeToMemory(block)))
	writeFile(t, target.IdentityFile+".pub", string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	dial(t, newDialer(t, remote.Options{}), target)
}

func TestOpenSSH_RefusesKey(t *testing.T) {
	target := startOpenSSH(t, "ed25519")
	writeFile(t, target.IdentityFile+".pub", "")
	_, err := newDialer(t, remote.Options{}).Dial(t.Context(), target)
	if !errors.As(err, new(*remote.AuthError)) {
		t.Errorf("got %v", err)
	}
}

func TestOpenSSH_MaxStartups(t *testing.T) {
	target := startOpenSSH(t, "ed25519", "MaxStartups 3:50:5")
	dialer := newDialer(t, remote.Options{})
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			client, err := dialer.Dial(t.Context(), target)
			if err != nil {
				t.Error(err)
				return
			}
			_ = client.Close()
		})
	}
	all.Wait()
}

func TestOpenSSH_MaxSessions(t *testing.T) {
	for _, settings := range []string{"", "MaxSessions 4"} {
		t.Run(settings, func(t *testing.T) { manyCommands(t, startOpenSSH(t, "ed25519", settings)) })
	}
}

func manyCommands(t *testing.T, target remote.Target) {
	t.Helper()
	client := dial(t, newDialer(t, remote.Options{}), target)
	if _, err := client.Upload(t.Context(), remote.File{Name: "f", Size: 1, Content: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			if _, err := client.Run(t.Context(), sh("sleep 0.1")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// sshd passes signals on only for logins other than root, and to one process: the whole group has to end, also what reads
// and writes nothing and what ignores SIGTERM.
func TestOpenSSH_CancelEndsTheRemoteCommandWithAllItStarted(t *testing.T) {
	for name, script := range map[string]string{
		"reads":           "echo $$; exec cat",
		"has a child":     "sleep 1000 & echo $!; wait",
		"ignores SIGTERM": "trap '' TERM; echo $$; while :; do sleep 0.1; done",
	} {
		t.Run(name, func(t *testing.T) {
			client := dial(t, newDialer(t, remote.Options{}), startOpenSSH(t, "ed25519"))
			blocked, w := io.Pipe()
			t.Cleanup(func() { _ = w.Close() })
			var pid bytes.Buffer
			started := &signalWriter{done: make(chan struct{})}
			_, err := client.Run(cancelOn(t, started.done), remote.Command{
				Args: []string{"sh", "-c", script}, Stdin: blocked, Stdout: multi(&pid, started),
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			number, err := strconv.Atoi(strings.TrimSpace(pid.String()))
			if err != nil {
				t.Fatal(err)
			}
			if runs(number) {
				_ = syscall.Kill(number, syscall.SIGKILL)
				t.Error("the command goes on after the connection was closed")
			}
		})
	}
}

// runs tells whether a process is there and no zombie that nobody has asked after.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

func TestOpenSSH_CommandThatTakesTooLong(t *testing.T) {
	client := dial(t, newDialer(t, remote.Options{}), startOpenSSH(t, "ed25519"))
	command := sh("sleep 1000")
	command.Timeout = 50 * time.Millisecond
	_, err := client.Run(t.Context(), command)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	mention(t, err, "did not end within 50ms")
}

func TestOpenSSH_SocketTunnel(t *testing.T) {
	client := dial(t, newDialer(t, remote.Options{}), startOpenSSH(t, "ed25519"))
	path := serveSocket(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "hello") })
	conn, err := client.DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func multi(buffer *bytes.Buffer, signal *signalWriter) writerFunc {
	return func(p []byte) (int, error) {
		buffer.Write(p)
		return signal.Write(p)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// BenchmarkOpenSSH_Look16Hosts is the cost of a run that changes nothing: 16 connections with a command each.
func BenchmarkOpenSSH_Look16Hosts(b *testing.B) {
	target := startOpenSSH(b, "ed25519", "MaxStartups 100")
	defer reportCPU(b)()
	for b.Loop() {
		dialer := remote.NewDialer(remote.Options{})
		atOnce(b, func() error {
			client, err := dialer.Dial(b.Context(), target)
			if err != nil {
				return err
			}
			_, err = client.Run(b.Context(), remote.Command{Args: []string{"true"}})
			return errors.Join(err, client.Close())
		})
		if err := dialer.Close(); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkOpenSSH_Floor16Hosts is the same with x/crypto/ssh alone, without checks.
func BenchmarkOpenSSH_Floor16Hosts(b *testing.B) {
	target := startOpenSSH(b, "ed25519", "MaxStartups 100")
	content, err := os.ReadFile(target.IdentityFile)
	if err != nil {
		b.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(content)
	if err != nil {
		b.Fatal(err)
	}
	config := &ssh.ClientConfig{
		User: target.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	}
	defer reportCPU(b)()
	for b.Loop() {
		atOnce(b, func() error {
			client, err := ssh.Dial("tcp", net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port))), config)
			if err != nil {
				return err
			}
			session, err := client.NewSession()
			if err == nil {
				err = session.Run("true")
			}
			return errors.Join(err, client.Close())
		})
	}
}

// atOnce runs f for 16 hosts.
func atOnce(b *testing.B, f func() error) {
	b.Helper()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if err := f(); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
}

// reportCPU starts to measure the CPU time of this process, which unlike the clock does not depend on what else the
// machine does; the function it returns ends that.
func reportCPU(b *testing.B) func() {
	b.Helper()
	used := func() time.Duration {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64((used()-before).Microseconds())/1000/float64(b.N), "cpu-ms/op") }
}

func BenchmarkOpenSSH_Upload(b *testing.B) {
	const size = 256 << 20
	client := dial(b, newDialer(b, remote.Options{}), startOpenSSH(b, "ed25519"))
	b.SetBytes(size)
	for b.Loop() {
		file, err := client.Upload(b.Context(), remote.File{Name: "f", Size: size, Content: io.LimitReader(zeros{}, size)})
		if err != nil {
			b.Fatal(err)
		}
		if err := os.Remove(file); err != nil {
			b.Fatal(err)
		}
	}
}
