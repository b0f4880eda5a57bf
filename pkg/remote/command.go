package remote

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
)

// Command is a program to run on a host. sshd hands it to the login shell of the user as one line (RFC 4254 section 6.5),
// in which every argument is quoted: no byte of an argument is evaluated on the way.
type Command struct {
	// Name is shown to people in place of Args: of a script there is too much to show.
	Name string

	Args []string // the program, looked up in PATH, and its arguments; no secrets, they show in the host's process list

	// Stdin is what the program reads; nil is empty. It is read until its end or until the program has ended; a Read
	// that blocks then is left behind. Its content is never logged.
	Stdin io.Reader

	// Stdout gets what the program writes; nil collects it in Result.Stdout, up to 64 MiB.
	Stdout io.Writer

	Privileged bool // run as root: with sudo or doas, unless the login is root
	Secret     bool // what the program writes to Stdout is never part of an error

	// Timeout ends a command that takes longer; 0 is the target's CommandTimeout, [Unlimited] none.
	Timeout time.Duration
}

// Unlimited is the Timeout of a command that runs as long as it is wanted.
const Unlimited time.Duration = -1

// Result is what a command wrote.
type Result struct {
	Stdout []byte // all of it if Command.Stdout was nil, else nil
	Stderr []byte // the last 8 KiB
}

const (
	maxStdout = 64 << 20 // bytes of output collected in memory: more means that something is wrong with the host
	// maxLine is the longest command line, in bytes: execve(2) on Linux takes 128 KiB per argument (MAX_ARG_STRLEN), and
	// the line is one argument of the login shell.
	maxLine  = 128<<10 - 1
	maxShown = 160 // characters of a command shown to people
)

// String returns the command as shown to people: quoted for a shell, on one line and shortened.
func (c Command) String() string {
	if c.Name != "" {
		return c.Name
	}
	words := make([]string, len(c.Args))
	for i, arg := range c.Args {
		words[i] = shorten(quoteForPeople(strings.Join(strings.Fields(printable([]byte(arg))), " ")), maxShown/2)
	}
	return shorten(strings.Join(words, " "), maxShown)
}

func shorten(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// line returns the command line for a login as user.
func (c Command) line(user string, withPassword bool) (string, error) {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return "", errors.New("the command has no program")
	}
	args := c.wrapped(user, withPassword)
	words := make([]string, len(args))
	for i, arg := range args {
		word, err := Quote(arg)
		if err != nil {
			return "", fmt.Errorf("argument %q: %w", shorten(arg, maxShown/2), err)
		}
		words[i] = word
	}
	line := strings.Join(words, " ")
	if len(line) > maxLine {
		return "", fmt.Errorf("the command line has %d bytes but Linux takes %d: send the data on stdin", len(line), maxLine)
	}
	return line, nil
}

// Run runs a command and waits for its end. Unless it ends with status 0 the error is a [*CommandError]. The result is
// filled in either way, as far as the command got.
//
// When ctx or the command's time ends, Run returns at once, with the cause in the error; Stdin and Stdout are not used any
// more then. The command is ended on the host, with all that it started: SIGTERM, and SIGKILL after two seconds, to all
// these processes. Close waits for that.
//
// A command that needs sudo's password asks the operator for it, once per run and login.
func (c *Client) Run(ctx context.Context, cmd Command) (Result, error) {
	timeout := cmp.Or(cmd.Timeout, c.login.CommandTimeout)
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it did not end within %v: %w", timeout, context.DeadlineExceeded))
		defer cancel()
	}
	result, p, err := c.tryAsRoot(ctx, cmd)
	if err != nil {
		return result, c.commandError(cmd, p, err)
	}
	return result, nil
}

// tryAsRoot runs a command, and once more with a password where sudo refused to begin it without: nothing of its input
// was sent by then.
func (c *Client) tryAsRoot(ctx context.Context, cmd Command) (Result, *process, error) {
	if !cmd.needsRoot(c.login.User) {
		return c.try(ctx, cmd, "")
	}
	password, _, known := c.secrets.look(c.sudoSecret())
	result, p, err := c.try(ctx, cmd, password)
	if err == nil || known || p.start.hasBegun() || !wantsPassword(string(result.Stderr)) {
		return result, p, err
	}
	if password, noPassword := c.secrets.get(ctx, c.sudoSecret(), nil); noPassword == nil {
		return c.try(ctx, cmd, password)
	}
	return result, p, err
}

// sudoSecret is what sudo asks this login for.
func (c *Client) sudoSecret() Secret {
	return Secret{Kind: SudoPassword, Subject: c.login.User, For: c.login.Name}
}

// try runs a command once. Without a password for sudo, one that needs it has not begun when it fails.
func (c *Client) try(ctx context.Context, cmd Command, password string) (Result, *process, error) {
	var collected *bytes.Buffer
	p := newProcess(cmd, c.login.User, password)
	if cmd.Stdout == nil {
		collected = &bytes.Buffer{}
		p.stdout.w = &limitedWriter{collected, maxStdout}
	}
	line, err := cmd.line(c.login.User, password != "")
	if err != nil {
		return Result{}, p, err
	}
	start := time.Now()
	err = c.await(ctx, func() error { return c.run(ctx, cmd, line, p) })
	p.stop()
	var result Result
	if collected != nil {
		result.Stdout = collected.Bytes()
	}
	result.Stderr = p.stderr.tail
	c.log.DebugContext(ctx, "ssh exec", "command", cmd.String(), "duration", time.Since(start), "error", err)
	return result, p, err
}

// run runs a command line when its turn has come, and sees to its end when it is not wanted any more.
func (c *Client) run(ctx context.Context, cmd Command, line string, p *process) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.done:
		return c.lost()
	}
	return c.exec(ctx, line, p, func() bool { return c.terminate(cmd, p.start) }) //nolint:contextcheck // it is what is done when ctx has ended
}

// exec runs a command line from the opening of its session to its end. When ctx ends first, terminate is called before the
// session is closed; where it can't do anything, sshd is asked to pass a signal on.
func (c *Client) exec(ctx context.Context, line string, p *process, terminate func() bool) error {
	session, err := c.session(ctx)
	if err != nil {
		return err
	}
	defer session.Close() //nolint:errcheck // it is closed already, unless the start failed
	p.kill = sync.OnceFunc(func() {
		if !terminate() {
			_ = session.Signal(ssh.SIGTERM)
		}
		_ = session.Close()
	})
	c.active.Store(p, true)
	defer c.active.Delete(p)
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		p.kill()
	})
	defer func() {
		if !stop() {
			<-killed
		}
	}()
	stdin, err := session.StdinPipe()
	if err != nil {
		return fmt.Errorf("open stdin: %w", err)
	}
	p.stdout.broken, p.stderr.broken = p.kill, p.kill
	session.Stdout, session.Stderr = &p.stdout, p.start
	c.counters.execs.Add(1)
	if err := session.Start(line); err != nil {
		return startError(err)
	}
	go p.feed(stdin)
	err = session.Wait()
	p.start.finish()
	switch local := p.localError(); {
	case local != nil:
		return local
	case err != nil && p.abandoned.Load():
		return errClosed // which ended it
	}
	return err
}

// startError leaves out what x/crypto says to a refusal, which is the whole command line again.
func startError(err error) error {
	if isDropped(err) {
		return fmt.Errorf("start: %w", err)
	}
	return errors.New("sshd refused to start it, the account may be restricted (ForceCommand, no login shell)")
}

// commandError completes err, which is how the command ended.
func (c *Client) commandError(cmd Command, p *process, err error) *CommandError {
	failure := &CommandError{
		Host: c.login.Name, Command: cmd.String(), Status: -1,
		Stdout: lastLines(p.stdout.tail), Stderr: lastLines(p.stderr.tail),
	}
	if cmd.Secret {
		failure.Stdout = ""
	}
	if exit := (*ssh.ExitError)(nil); errors.As(err, &exit) {
		failure.Signal = printable([]byte(exit.Signal()))
		if failure.Signal == "" {
			failure.Status = exit.ExitStatus()
		}
	} else {
		failure.Err = err
	}
	if cmd.needsRoot(c.login.User) && !p.start.hasBegun() {
		failure.Hint = sudoHint(c.login.User, failure.Status, failure.Stderr)
	}
	return failure
}
