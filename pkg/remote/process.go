package remote

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// process is the three streams of a running command, between the caller's reader and writers and the channel.
type process struct {
	stdin          input
	stdout, stderr output
	start          *start
	kill           func() // ends the command on the host; set before the streams run

	abandoned atomic.Bool // Close ends it

	waits    bool   // nothing is sent before the command has begun
	password string // what sudo is told if it asks
}

// newProcess is a command of a login. What must become root first gets its input when it has: until then a retry with a
// password is possible, and whether sudo reads one is sudo's choice, while the command must never see it.
func newProcess(cmd Command, user, password string) *process {
	p := &process{stdin: input{r: cmd.Stdin}, waits: cmd.needsRoot(user), password: password}
	if cmd.Stdin == nil {
		p.stdin.r = strings.NewReader("")
	}
	p.stdout.w, p.stderr.w = cmd.Stdout, io.Discard
	if cmd.Stdout == nil {
		p.stdout.w = io.Discard
	}
	p.start = newStart(&p.stderr)
	return p
}

// feed sends stdin until its end. That the command does not want it, because it has ended or closed its stdin, is no
// error. When the caller's reader fails the command is killed: it must not take half of its input for all of it.
func (p *process) feed(w io.WriteCloser) {
	if p.waits && !p.start.answer(w, p.password) {
		_ = w.Close()
		return
	}
	if _, err := io.Copy(w, &p.stdin); err != nil && p.stdin.failed() != nil {
		p.kill()
		return
	}
	_ = w.Close()
}

// localError returns what went wrong on this side.
func (p *process) localError() error {
	if err := p.stdin.failed(); err != nil {
		return fmt.Errorf("read stdin: %w", err)
	}
	if err := p.stdout.failed(); err != nil {
		return fmt.Errorf("take stdout: %w", err)
	}
	return nil
}

// stop lets go of the caller's reader and writer.
func (p *process) stop() {
	p.stdin.stop()
	p.stdout.stop()
	p.stderr.stop()
}

// input reads from the caller's reader until it is stopped.
type input struct {
	r    io.Reader
	busy sync.Mutex // held while r is read

	mu      sync.Mutex
	stopped bool  // r is not to be used any more
	err     error // of r, other than io.EOF
}

// errStopped ends the copying of an input that nobody wants any more.
var errStopped = errors.New("stopped")

// Read implements io.Reader.
func (in *input) Read(p []byte) (int, error) {
	in.busy.Lock()
	defer in.busy.Unlock()
	if in.isStopped() {
		return 0, errStopped
	}
	n, err := in.r.Read(p)
	if err != nil && err != io.EOF {
		in.mu.Lock()
		in.err = err
		in.mu.Unlock()
	}
	return n, err
}

func (in *input) isStopped() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.stopped
}

func (in *input) failed() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.err
}

// stopWait bounds the waiting for a Read of the caller's reader, which might block on something that never comes.
const stopWait = 500 * time.Millisecond

// stop keeps the caller's reader from being used any more. It waits for a Read that is under way, but not for long.
func (in *input) stop() {
	in.mu.Lock()
	in.stopped = true
	in.mu.Unlock()
	if in.busy.TryLock() {
		in.busy.Unlock()
		return
	}
	idle := make(chan struct{})
	go func() { // ends with the Read
		in.busy.Lock()
		defer in.busy.Unlock()
		close(idle)
	}()
	timer := time.NewTimer(stopWait)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

// output passes what a command writes on to the caller's writer and keeps the end of it.
type output struct {
	mu      sync.Mutex
	w       io.Writer
	tail    []byte
	err     error  // of w
	stopped bool   // w is not to be used any more
	broken  func() // called once, when w fails
}

// Write implements io.Writer. It never fails: were the rest not read, the host would wait for ever to get rid of it.
func (out *output) Write(p []byte) (int, error) {
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.stopped {
		return len(p), nil
	}
	out.tail = keepTail(out.tail, p)
	if out.err == nil {
		if _, out.err = out.w.Write(p); out.err != nil {
			go out.broken()
		}
	}
	return len(p), nil
}

func (out *output) failed() error {
	out.mu.Lock()
	defer out.mu.Unlock()
	return out.err
}

func (out *output) stop() {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.stopped = true
}

const (
	tailSize  = 8 << 10 // bytes of output kept
	tailLines = 15      // lines of it shown in an error
)

// keepTail appends p to tail and drops what is too old.
func keepTail(tail, p []byte) []byte {
	if len(p) >= tailSize {
		return append(tail[:0], p[len(p)-tailSize:]...)
	}
	if excess := len(tail) + len(p) - tailSize; excess > 0 {
		tail = append(tail[:0], tail[excess:]...)
	}
	return append(tail, p...)
}

func lastLines(tail []byte) string {
	lines := strings.Split(printable(tail), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

// limitedWriter fails when more than n bytes are written.
type limitedWriter struct {
	w io.Writer
	n int
}

// Write implements io.Writer.
func (l *limitedWriter) Write(p []byte) (int, error) {
	if l.n -= len(p); l.n < 0 {
		return 0, fmt.Errorf("the command wrote more than %d MiB", maxStdout>>20)
	}
	return l.w.Write(p)
}
