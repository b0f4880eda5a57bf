package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"provision/pkg/remote"
)

func noTerminal() (*os.File, error) { return nil, os.ErrNotExist }

func TestAsker_TakesSecretsFromTheEnvironment(t *testing.T) {
	for kind, variable := range map[remote.SecretKind]string{
		remote.Passphrase: "PROVISION_SSH_PASSPHRASE", remote.Password: "PROVISION_SSH_PASSWORD", remote.SudoPassword: "PROVISION_SUDO_PASSWORD",
	} {
		a := &asker{tty: noTerminal, getenv: func(name string) string { return map[string]string{variable: "hunter2"}[name] }}
		if got, err := a.ask(t.Context(), remote.Secret{Kind: kind}, 0); err != nil || got != "hunter2" {
			t.Errorf("%s: got %q, %v", kind, got, err)
		}
		if got, err := a.ask(t.Context(), remote.Secret{Kind: kind}, 1); err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("%s, after it was refused: got %q, %v", kind, got, err)
		}
	}
}

func TestAsker_WithoutTerminalSaysWhatToSet(t *testing.T) {
	a := &asker{tty: noTerminal, getenv: func(string) string { return "" }}
	_, err := a.ask(t.Context(), remote.Secret{Kind: remote.SudoPassword}, 0)
	if !errors.Is(err, remote.ErrNoSecret) || !strings.Contains(err.Error(), "PROVISION_SUDO_PASSWORD is not set") {
		t.Errorf("got %v", err)
	}
	if _, err := a.ask(t.Context(), remote.Secret{Kind: remote.Answer}, 0); !errors.Is(err, remote.ErrNoSecret) {
		t.Errorf("got %v", err)
	}
}

func TestAsker_AsksOnTheTerminalAndShowsNothing(t *testing.T) {
	person, tty := terminal(t)
	a := &asker{tty: tty, getenv: func(string) string { return "" }}
	read := make(chan string, 1)
	go func() {
		got, err := a.ask(t.Context(), remote.Secret{Kind: remote.Password, Subject: "ops"}, 1)
		read <- fmt.Sprint(got, err)
	}()
	const question = "that was not it; password of ops: "
	if got := readN(t, person, len(question)); got != question {
		t.Fatalf("asked %q", got)
	}
	if _, err := io.WriteString(person, "hunter2\n"); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != "hunter2<nil>" {
		t.Errorf("got %s", got)
	}
	if shown := readN(t, person, 2); shown != "\r\n" {
		t.Errorf("the terminal shows %q", shown)
	}
}

func TestAsker_CancelGivesUp(t *testing.T) {
	person, tty := terminal(t)
	a := &asker{tty: tty, getenv: func(string) string { return "" }}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := a.ask(ctx, remote.Secret{Kind: remote.Password, Subject: "ops"}, 0)
		done <- err
	}()
	readN(t, person, len("password of ops: "))
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// terminal returns the person's end of a new pseudo-terminal, pty(7), and what
// opens the other.
func terminal(t *testing.T) (person *os.File, open func() (*os.File, error)) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return person, func() (*os.File, error) {
		return os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
}

func readN(t *testing.T, from io.Reader, n int) string {
	t.Helper()
	text := make([]byte, n)
	if _, err := io.ReadFull(from, text); err != nil {
		t.Fatal(err)
	}
	return string(text)
}
