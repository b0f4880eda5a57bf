package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"provision/pkg/remote"
	"provision/pkg/remote/sshtest"
)

func sh(script string) remote.Command { return remote.Command{Args: []string{"sh", "-c", script}} }

func commandError(t *testing.T, err error) *remote.CommandError {
	t.Helper()
	var failure *remote.CommandError
	if !errors.As(err, &failure) {
		t.Fatalf("got %v, want a CommandError", err)
	}
	return failure
}

func TestRun_ReturnsOutput(t *testing.T) {
	client, _ := connect(t)
	result, err := client.Run(t.Context(), sh("echo out; echo err >&2"))
	if err != nil {
		t.Fatal(err)
	}
	if string(result.Stdout) != "out\n" || string(result.Stderr) != "err\n" {
		t.Errorf("got %q and %q", result.Stdout, result.Stderr)
	}
}

func TestRun_FailureTellsStatusAndLastLines(t *testing.T) {
	client, _ := connect(t)
	result, err := client.Run(t.Context(), sh(`echo out; i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo "line $i" >&2; done; printf 'evil \033[2J\a\n' >&2; exit 7`))
	failure := commandError(t, err)
	if failure.Status != 7 || failure.Signal != "" || failure.Err != nil {
		t.Errorf("got %+v", failure)
	}
	if string(result.Stdout) != "out\n" {
		t.Errorf("stdout %q", result.Stdout)
	}
	if lines := strings.Split(failure.Stderr, "\n"); len(lines) != 15 || lines[13] != "line 100" || lines[14] != "evil  [2J" {
		t.Errorf("stderr %q", failure.Stderr)
	}
	mention(t, err, "testhost", "sh -c", "exit status 7", "line 100")
}

func TestRun_SecretOutputIsInNoError(t *testing.T) {
	client, _ := connect(t)
	command := sh("echo c2VjcmV0; exit 1")
	if _, err := client.Run(t.Context(), command); !strings.Contains(fmt.Sprint(err), "c2VjcmV0\n") && !strings.Contains(commandError(t, err).Stdout, "c2VjcmV0") {
		t.Fatalf("output that is no secret is not shown, so this test proves nothing: %v", err)
	}
	command.Secret = true
	result, err := client.Run(t.Context(), command)
	if string(result.Stdout) != "c2VjcmV0\n" {
		t.Errorf("the caller got %q", result.Stdout)
	}
	if commandError(t, err).Stdout != "" {
		t.Errorf("the error holds %q", commandError(t, err).Stdout)
	}
}

func TestRun_NameIsShownInPlaceOfAScript(t *testing.T) {
	client, _ := connect(t)
	command := sh("exit 3")
	command.Name = "the script"
	_, err := client.Run(t.Context(), command)
	mention(t, err, "the script", "exit status 3")
}

func TestRun_SignalIsTold(t *testing.T) {
	client, _ := connect(t, sshtest.WithHandler(func(context.Context, sshtest.Exec) int { return sshtest.Killed(syscall.SIGKILL) }))
	_, err := client.Run(t.Context(), sh("true"))
	if failure := commandError(t, err); failure.Signal != "KILL" || failure.Status != -1 {
		t.Errorf("got %+v", failure)
	}
}

func TestRun_StdinArrivesWhole(t *testing.T) {
	client, _ := connect(t)
	data := randomBytes(5 << 20)
	result, err := client.Run(t.Context(), remote.Command{Args: []string{"cat"}, Stdin: bytes.NewReader(data)})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(result.Stdout, data) {
		t.Errorf("got %d bytes back, want the %d sent", len(result.Stdout), len(data))
	}
}

func TestRun_UnreadStdinIsNoError(t *testing.T) {
	client, _ := connect(t)
	for status, script := range []string{"exit 0", "exit 1", "exec <&-; exit 2"} {
		_, err := client.Run(t.Context(), remote.Command{Args: []string{"sh", "-c", script}, Stdin: bytes.NewReader(make([]byte, 10<<20))})
		if status == 0 && err != nil {
			t.Errorf("%s: %v", script, err)
		}
		if status > 0 && commandError(t, err).Status != status {
			t.Errorf("%s: %v", script, err)
		}
	}
}

func TestRun_EndsThoughStdinBlocks(t *testing.T) {
	client, _ := connect(t)
	blocked, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	soon(t, func() {
		if _, err := client.Run(t.Context(), remote.Command{Args: []string{"true"}, Stdin: blocked}); err != nil {
			t.Error(err)
		}
	})
}

func TestRun_BrokenStdinKillsTheCommand(t *testing.T) {
	ended := make(chan struct{})
	client, _ := connect(t, watched(ended))
	broken := io.MultiReader(strings.NewReader("half"), errReader{errors.New("disk broke")})
	_, err := client.Run(t.Context(), remote.Command{Args: []string{"sh", "-c", "cat; exec sleep 1000"}, Stdin: broken})
	mention(t, err, "read stdin: disk broke")
	<-ended
}

func TestRun_BrokenStdoutKillsTheCommand(t *testing.T) {
	ended := make(chan struct{})
	client, _ := connect(t, watched(ended))
	_, err := client.Run(t.Context(), remote.Command{Args: []string{"sh", "-c", "echo x; exec sleep 1000"}, Stdout: errWriter{errors.New("disk full")}})
	mention(t, err, "take stdout: disk full")
	<-ended
}

func TestRun_EndlessOutputIsRefused(t *testing.T) {
	client, _ := connect(t)
	_, err := client.Run(t.Context(), remote.Command{Args: []string{"cat", "/dev/zero"}})
	mention(t, err, "more than 64 MiB")
}

func TestRun_HostileArgumentsAreData(t *testing.T) {
	client, _ := connect(t)
	trap := filepath.Join(t.TempDir(), "trap")
	args := []string{
		"", " ", "-rf", "--", "a b", "'", `"`, `\`, `\'`, "!", "$(touch " + trap + ")", "`touch " + trap + "`", "; touch " + trap, "| touch " + trap,
		"&& touch " + trap, "$HOME", "${HOME}", "*", "~", "~root", "#", "a\nb", "\n", "\r\n", "\ttab", "'; touch " + trap + "; '", "é ☃ 🎉", "\xff\xfe", "=ls",
		strings.Repeat("x'", 16<<10),
	}
	result, err := client.Run(t.Context(), remote.Command{Args: append([]string{"printf", "%s\\0"}, args...)})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(result.Stdout), "\x00"), "\x00")
	if !slices.Equal(got, args) {
		t.Errorf("arguments changed on the way:\n got %q\nwant %q", got, args)
	}
	if _, err := os.Stat(trap); err == nil {
		t.Error("an argument was executed")
	}
}

func TestRun_ImpossibleCommands(t *testing.T) {
	client, server := connect(t)
	for want, args := range map[string][]string{
		"has no program":         nil,
		"NUL byte":               {"echo", "a\x00b"},
		"send the data on stdin": {"echo", strings.Repeat("x", 200<<10)},
	} {
		_, err := client.Run(t.Context(), remote.Command{Args: args})
		mention(t, err, want)
	}
	if len(server.Execs()) != 0 {
		t.Errorf("the server was asked for %q", server.Execs())
	}
}

func TestRun_CancelEndsTheRemoteCommand(t *testing.T) {
	ended := make(chan struct{})
	client, _ := connect(t, watched(ended))
	started := &signalWriter{done: make(chan struct{})}
	soon(t, func() {
		_, err := client.Run(cancelOn(t, started.done), remote.Command{
			Args: []string{"sh", "-c", "echo started; sleep 1000 & wait"}, Stdout: started,
		})
		if !errors.Is(err, context.Canceled) || commandError(t, err).Status != -1 {
			t.Errorf("got %v", err)
		}
		<-ended
	})
	if _, err := client.Run(t.Context(), sh("true")); err != nil {
		t.Errorf("the connection is of no use after a cancelled command: %v", err)
	}
}

func TestRun_CancelEndsItWhenTheServerStalls(t *testing.T) {
	client, _ := connect(t, sshtest.StallExec())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	soon(t, func() {
		if _, err := client.Run(ctx, sh("true")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestRun_CancelEndsItThoughStdinBlocks(t *testing.T) {
	client, _ := connect(t)
	blocked, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	soon(t, func() {
		if _, err := client.Run(ctx, remote.Command{Args: []string{"cat"}, Stdin: blocked}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestRun_FrozenHostEndsInTime(t *testing.T) {
	client, server := connectAlert(t)
	started := &signalWriter{done: make(chan struct{})}
	go func() {
		<-started.done
		server.Freeze()
	}()
	soon(t, func() {
		_, err := client.Run(t.Context(), remote.Command{Args: []string{"sh", "-c", "echo started; exec sleep 1000"}, Stdout: started})
		mention(t, err, "testhost", "has not answered for 750ms", "frozen")
	})
}

func TestRun_QuietHostIsNotTakenForFrozen(t *testing.T) {
	client, _ := connectAlert(t)
	if _, err := client.Run(t.Context(), sh("sleep 1.5")); err != nil { // longer than a frozen host is waited for
		t.Error(err)
	}
}

func TestRun_LostConnectionIsTold(t *testing.T) {
	client, server := connect(t)
	started := &signalWriter{done: make(chan struct{})}
	go func() {
		<-started.done
		server.Drop()
	}()
	_, err := client.Run(t.Context(), remote.Command{Args: []string{"sh", "-c", "echo started; exec sleep 1000"}, Stdout: started})
	if failure := commandError(t, err); failure.Status != -1 || failure.Stdout != "started" {
		t.Errorf("got %+v", failure)
	}
	mention(t, err, "ended the connection")
	_, err = client.Run(t.Context(), sh("true"))
	mention(t, err, "ended the connection")
}

func TestRun_MissingExitStatusIsAnError(t *testing.T) {
	client, _ := connect(t, sshtest.EOFMidExec())
	result, err := client.Run(t.Context(), sh("echo half"))
	if failure := commandError(t, err); failure.Status != -1 || failure.Err == nil {
		t.Errorf("got %+v", failure)
	}
	if string(result.Stdout) != "half\n" {
		t.Errorf("stdout %q", result.Stdout)
	}
}

func TestRun_AfterClose(t *testing.T) {
	client, _ := connect(t)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := client.Run(t.Context(), sh("true"))
	mention(t, err, "connection was closed")
}

func TestRun_StaysWithinMaxSessions(t *testing.T) {
	var running, most atomic.Int64
	release := make(chan struct{})
	client, _ := connect(t, sshtest.WithHandler(func(ctx context.Context, _ sshtest.Exec) int {
		now := running.Add(1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		if now == 4 {
			close(release)
		}
		select {
		case <-release:
		case <-ctx.Done():
		}
		running.Add(-1)
		return 0
	}))
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			if _, err := client.Run(t.Context(), sh("true")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() > 4 {
		t.Errorf("%d commands at once", most.Load())
	}
}

func TestRun_SudoFailuresAreExplained(t *testing.T) {
	for _, c := range []struct {
		says   string
		status int
		want   string
	}{
		{"sudo: a password is required", 1, "NOPASSWD"},
		{"sudo: no tty present and no askpass program specified", 1, "NOPASSWD"},
		{"bash: line 1: sudo: command not found", 127, "sudo is not installed"},
		{"sh: 1: sudo: not found", 127, "sudo is not installed"},
		{"sudo: sorry, you must have a tty to run sudo", 1, "requiretty"},
		{"admin is not in the sudoers file.", 1, "may not use sudo"},
	} {
		t.Run(c.says, func(t *testing.T) {
			server, dialer := start(t, sshtest.WithHandler(func(_ context.Context, e sshtest.Exec) int {
				_, _ = fmt.Fprintln(e.Stderr, c.says)
				return c.status
			}))
			target := server.Target()
			target.User = "admin"
			_, err := dial(t, dialer, target).Run(t.Context(), remote.Command{Args: []string{"id"}, Privileged: true})
			mention(t, err, c.says, c.want)
			if c.status == 1 {
				mention(t, err, "admin")
			}
		})
	}
}

func TestRun_LogsNoStdin(t *testing.T) {
	server, _ := start(t)
	var log bytes.Buffer
	dialer := newDialer(t, remote.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	client := dial(t, dialer, server.Target())
	if _, err := client.Run(t.Context(), remote.Command{Args: []string{"cat"}, Stdin: strings.NewReader("hunter2")}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "host=testhost") || !strings.Contains(log.String(), "command=cat") {
		t.Errorf("log:\n%s", &log)
	}
}

func TestCommand_StringIsShortAndOnOneLine(t *testing.T) {
	for want, args := range map[string][]string{
		"systemctl restart 'a b'":                                  {"systemctl", "restart", "a b"},
		"sh -c 'set -e echo x'":                                    {"sh", "-c", "set -e\n\techo x"},
		"sh -c '" + strings.Repeat("é", 78) + "…":                  {"sh", "-c", strings.Repeat("é", 1000)},
		strings.TrimSpace(strings.Repeat("word ", 32))[:159] + "…": slices.Repeat([]string{"word"}, 1000),
	} {
		if got := (remote.Command{Args: args}).String(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// watched runs commands with /bin/sh and closes ended when all processes of the first one have ended.
func watched(ended chan struct{}) sshtest.Option {
	var once sync.Once
	return sshtest.WithHandler(func(ctx context.Context, e sshtest.Exec) int {
		defer once.Do(func() { close(ended) })
		return sshtest.Shell(ctx, e)
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

type errWriter struct{ err error }

func (w errWriter) Write([]byte) (int, error) { return 0, w.err }

// signalWriter closes done at the first byte.
type signalWriter struct {
	once sync.Once
	done chan struct{}
}

func (w *signalWriter) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.done) })
	return len(p), nil
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	return data
}
