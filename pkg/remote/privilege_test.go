package remote_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"provision/pkg/remote"
	"provision/pkg/remote/sshtest"
)

// standIn puts a shell script in the place of a program.
func standIn(t *testing.T, dir, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// sudoStandIn behaves as sudo does towards its caller: -n refuses where a password is wanted, -S reads one line.
const sudoStandIn = `
printf '%s\n' "$1" >>"$LOG"
case $1 in
-n) shift 2; [ -z "$PASSWORD" ] || { echo "sudo: a password is required" >&2; exit 1; } ;;
-S)
	prompt=$3
	shift 4
	if [ -n "$PASSWORD" ]; then
		for try in 1 2 3; do
			printf %s "$prompt" >&2
			IFS= read -r given || { echo "sudo: no password was provided" >&2; exit 1; }
			[ "$given" != "$PASSWORD" ] || exec "$@"
		done
		echo "sudo: 3 incorrect password attempts" >&2
		exit 1
	fi
	;;
esac
exec "$@"`

// admin returns a client of a login that is not root, on a host with a sudo that wants a password, if that is not "".
func admin(t *testing.T, password string, answers ...string) (client *remote.Client, person *operator, calls func() []string) {
	t.Helper()
	bin := t.TempDir()
	log := filepath.Join(bin, "log")
	standIn(t, bin, "sudo", "LOG="+log+" PASSWORD="+password+"\n"+sudoStandIn)
	server, _ := start(t, sshtest.WithPath(bin))
	person = &operator{answers: map[remote.SecretKind][]string{remote.SudoPassword: answers}}
	target := server.Target()
	target.User = "admin"
	client = dial(t, newDialer(t, remote.Options{Ask: person.ask}), target)
	return client, person, func() []string {
		content, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		var options []string
		for line := range strings.Lines(string(content)) {
			options = append(options, strings.TrimSpace(line))
		}
		return options
	}
}

func cat() remote.Command {
	return remote.Command{Args: []string{"cat"}, Stdin: strings.NewReader("input"), Privileged: true}
}

func TestPrivilege_WithoutPassword(t *testing.T) {
	client, person, calls := admin(t, "")
	result, err := client.Run(t.Context(), cat())
	if err != nil || string(result.Stdout) != "input" || len(result.Stderr) > 0 {
		t.Errorf("got %q, %q, %v", result.Stdout, result.Stderr, err)
	}
	if got := calls(); !slices.Equal(got, []string{"-n"}) || len(person.asked) > 0 {
		t.Errorf("called sudo with %q, asked %v", got, person.asked)
	}
}

func TestPrivilege_PasswordIsAskedForOnceAndNoCommandGetsIt(t *testing.T) {
	client, person, calls := admin(t, "hunter2", "hunter2")
	for range 2 {
		result, err := client.Run(t.Context(), cat())
		if err != nil || string(result.Stdout) != "input" || len(result.Stderr) > 0 {
			t.Errorf("got %q, %q, %v", result.Stdout, result.Stderr, err)
		}
	}
	if want := []remote.Secret{{Kind: remote.SudoPassword, Subject: "admin"}}; !slices.Equal(person.asked, want) {
		t.Errorf("asked %v", person.asked)
	}
	if got := calls(); !slices.Equal(got, []string{"-n", "-S", "-S"}) {
		t.Errorf("called sudo with %q", got)
	}
}

// A command that needs no root has nothing to do with sudo, also when its password is known.
func TestPrivilege_OtherCommandsDoNotWaitForSudo(t *testing.T) {
	client, _, calls := admin(t, "hunter2", "hunter2")
	if _, err := client.Run(t.Context(), cat()); err != nil {
		t.Fatal(err)
	}
	merged := remote.Command{Args: []string{"cat"}, Stdin: strings.NewReader("input")}
	if result, err := client.Run(t.Context(), merged); err != nil || string(result.Stdout) != "input" || len(calls()) != 2 {
		t.Errorf("got %q, %v, called sudo with %q", result.Stdout, err, calls())
	}
}

// Input that comes slowly arrives whole, also when sudo is asked twice.
func TestPrivilege_SlowInputIsNotCut(t *testing.T) {
	client, _, _ := admin(t, "hunter2", "hunter2")
	slow, w := io.Pipe()
	go func() {
		for _, word := range []string{"a ", "b ", "c ", "d"} {
			_, _ = io.WriteString(w, word)
		}
		_ = w.Close()
	}()
	result, err := client.Run(t.Context(), remote.Command{Args: []string{"cat"}, Stdin: slow, Privileged: true})
	if err != nil || string(result.Stdout) != "a b c d" {
		t.Errorf("got %q, %v", result.Stdout, err)
	}
}

func TestPrivilege_WrongPasswordIsToldAndNotShown(t *testing.T) {
	client, _, _ := admin(t, "hunter2", "letmein")
	_, err := client.Run(t.Context(), cat())
	mention(t, err, "sudo refused the password of admin")
	if strings.Contains(err.Error(), "letmein") {
		t.Error("the error shows the password")
	}
}

func TestPrivilege_NobodyToAskForThePassword(t *testing.T) {
	client, _, _ := admin(t, "hunter2")
	_, err := client.Run(t.Context(), cat())
	mention(t, err, "a password is required", "PROVISION_SUDO_PASSWORD", "NOPASSWD")
}

// A command that fails with sudo's own words is not taken for sudo and run again.
func TestPrivilege_CommandThatBeganIsNotRepeated(t *testing.T) {
	client, person, calls := admin(t, "", "hunter2")
	_, err := client.Run(t.Context(), remote.Command{Args: []string{"sh", "-c", "echo 'sudo: a password is required' >&2; exit 1"}, Privileged: true})
	if commandError(t, err).Hint != "" || len(calls()) != 1 || len(person.asked) > 0 {
		t.Errorf("got %v, called sudo with %q, asked %v", err, calls(), person.asked)
	}
}

func TestPrivilege_DoasWhereThereIsNoSudo(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"sh", "cat"} {
		path, err := filepath.EvalSymlinks("/bin/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	server, dialer := start(t, sshtest.OnlyPath(bin))
	target := server.Target()
	target.User = "admin"
	client := dial(t, dialer, target)
	_, err := client.Run(t.Context(), cat())
	mention(t, err, "neither sudo nor doas is installed", "install it or doas")
	standIn(t, bin, "doas", `[ "$1 $2" = "-n --" ] && shift 2 && exec "$@"`)
	result, err := client.Run(t.Context(), cat())
	if err != nil || string(result.Stdout) != "input" {
		t.Errorf("got %q, %v", result.Stdout, err)
	}
}
