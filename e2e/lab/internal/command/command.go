// Package command runs the machine's own programs for the lab and keeps a failed program's words with its error.
package command

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// interruptGrace is how long a program may clean up after its context ended before it is killed.
const interruptGrace = 5 * time.Second

// Error tells which program failed and what it said last on standard error.
type Error struct {
	Argv   []string
	Stderr string
	Err    error
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %v", strings.Join(e.Argv, " "), e.Err)
	if said := lastLines(e.Stderr, 5); said != "" {
		text += ": " + said
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Output runs a program to its end and returns its standard output.
func Output(ctx context.Context, name string, args ...string) ([]byte, error) {
	return Feed(ctx, "", name, args...)
}

// Run is Output for a program that is run for its effect.
func Run(ctx context.Context, name string, args ...string) error {
	_, err := Output(ctx, name, args...)
	return err
}

// Feed is Output for a program that reads input from standard input.
func Feed(ctx context.Context, input, name string, args ...string) ([]byte, error) {
	cmd := New(ctx, name, args...)
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	// What a killed process had begun must not come true after somebody cleaned up behind it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return stdout.Bytes(), &Error{Argv: cmd.Args, Stderr: stderr.String(), Err: err}
	}
	return stdout.Bytes(), nil
}

// New prepares a program that is interrupted, not killed, when ctx ends, so that it can undo its own mounts and
// temporary files; only one that does not obey is killed. Its messages are in English, for those who read them by program.
func New(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = interruptGrace
	return cmd
}

// lastLines returns the last n lines of text in one line.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}
