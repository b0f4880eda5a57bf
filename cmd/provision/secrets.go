package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"provision/pkg/remote"
)

// secretVariable is where secrets of a kind are taken from in automation.
func secretVariable(kind remote.SecretKind) string {
	switch kind {
	case remote.Passphrase:
		return "PROVISION_SSH_PASSPHRASE"
	case remote.Password:
		return "PROVISION_SSH_PASSWORD"
	case remote.SudoPassword:
		return "PROVISION_SUDO_PASSWORD"
	}
	return ""
}

// asker gets secrets from the environment, else from the operator.
type asker struct {
	tty    func() (*os.File, error)
	getenv func(string) string
}

// openTerminal opens the terminal that the process was started from, also when
// its streams are pipes.
func openTerminal() (*os.File, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) }

// ask returns a secret. It gives up when ctx ends; what is being typed is then
// not read.
func (a *asker) ask(ctx context.Context, secret remote.Secret, attempt int) (string, error) {
	variable := secretVariable(secret.Kind)
	if variable != "" {
		if value := a.getenv(variable); value != "" && attempt == 0 {
			return value, nil
		} else if value != "" {
			return "", fmt.Errorf("%s is another", variable)
		}
	}
	tty, err := a.tty()
	if err != nil {
		if variable == "" {
			return "", fmt.Errorf("%w: there is no terminal", remote.ErrNoSecret)
		}
		return "", fmt.Errorf("%w: there is no terminal, and %s is not set", remote.ErrNoSecret, variable)
	}
	again := ""
	if attempt > 0 {
		again = "that was not it; "
	}
	return readHidden(ctx, tty, fmt.Sprintf("%s%s of %s: ", again, secret.Kind, secret.Subject))
}

// readHidden asks for a line on a terminal without showing it, and closes the
// terminal. It hides before it asks: some type ahead.
func readHidden(ctx context.Context, tty *os.File, question string) (string, error) {
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err == nil {
		err = hide(fd)
	}
	if err != nil {
		tty.Close()
		return "", fmt.Errorf("%w: %w", remote.ErrNoSecret, err)
	}
	fmt.Fprint(tty, question)
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() { // ends with the line, or with the process
		text, err := term.ReadPassword(fd)
		read <- line{text, err}
	}()
	select {
	case line := <-read:
		_ = term.Restore(fd, before)
		fmt.Fprintln(tty)
		tty.Close()
		if line.err != nil {
			return "", fmt.Errorf("read from the terminal: %w", line.err)
		}
		return string(line.text), nil
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		fmt.Fprintln(tty)
		return "", context.Cause(ctx)
	}
}

// hide keeps a terminal from showing what is typed, termios(3).
func hide(fd int) error {
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	settings.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(fd, unix.TCSETS, settings)
}
