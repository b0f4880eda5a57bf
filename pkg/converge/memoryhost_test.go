package converge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"provision/pkg/remote"
	"provision/pkg/resource"
)

// memoryHost stands in for a host: it takes the operations of apply.sh and
// remembers them. The real script runs in the tests of the sandbox and in e2e.
type memoryHost struct {
	mutex sync.Mutex
	// execs are the commands that were run, ops the operations that were done.
	execs []string
	ops   []resource.Op
	args  []string
	// uploads are the names of uploaded files.
	uploads []string
	// uploadError fails each upload.
	uploadError error
	// failAt fails the operation with this verb and first argument.
	failAt string
	// sick is the unit that ran before, and does not where failAt says; reverts is
	// "back" or "down".
	sick, reverts string
	// hold blocks each apply until it is closed; begun tells that one began.
	hold  chan struct{}
	begun chan struct{}
	// files are what cat finds.
	files map[string][]byte
	// restarts is what systemctl says, lastWords what journalctl does.
	restarts  func() int
	lastWords string
	// guards are the arguments of the guards that were opened. A guard says
	// guardSays and ends, or holds the lock until it is closed or killed.
	guards    [][]string
	guardSays string
	kill      chan struct{}
	closed    bool
	// guarded are the runs that the scripts prove to have the lock.
	guarded []string
	// dial answers DialContext.
	dial func(ctx context.Context) (net.Conn, error)
}

func newMemoryHost() *memoryHost {
	return &memoryHost{restarts: func() int { return 7 }, begun: make(chan struct{}, 100), files: map[string][]byte{}}
}

// Run takes apply's operations, or answers cat.
func (h *memoryHost) Run(ctx context.Context, command remote.Command) (remote.Result, error) {
	if command.Name == "guard" {
		return remote.Result{}, h.guard(ctx, command)
	}
	h.mutex.Lock()
	h.execs = append(h.execs, command.String())
	h.args = append(h.args, command.Args...)
	h.mutex.Unlock()
	if command.Args[0] == "cat" {
		content, ok := h.files[command.Args[len(command.Args)-1]]
		if !ok {
			return remote.Result{}, errors.New("cat: no such file")
		}
		return remote.Result{Stdout: content}, nil
	}
	switch command.Args[0] {
	case "systemctl":
		return remote.Result{Stdout: []byte(strconv.Itoa(h.restarts()) + "\n")}, nil
	case "journalctl":
		return remote.Result{Stdout: []byte(h.lastWords)}, nil
	}
	select {
	case h.begun <- struct{}{}:
	default:
	}
	if h.hold != nil {
		select {
		case <-h.hold:
		case <-ctx.Done():
			return remote.Result{}, context.Cause(ctx)
		}
	}
	return remote.Result{}, h.apply(command.Stdin, command.Stdout)
}

// guard stands in for guard.sh.
func (h *memoryHost) guard(ctx context.Context, command remote.Command) error {
	h.mutex.Lock()
	h.guards = append(h.guards, command.Args[4:])
	h.mutex.Unlock()
	if h.guardSays != "" {
		fmt.Fprint(command.Stdout, h.guardSays)
		return nil
	}
	fmt.Fprintln(command.Stdout, "guard locked")
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, command.Stdin)
		close(ended)
	}()
	select {
	case <-h.kill:
		return errors.New("killed")
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-ended:
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.closed = true
	return nil
}

func (h *memoryHost) apply(stdin io.Reader, stdout io.Writer) error {
	lines := bufio.NewScanner(stdin)
	lines.Buffer(nil, 1<<20)
	next := func() string { lines.Scan(); return lines.Text() }
	for lines.Scan() {
		op := resource.Op{Verb: lines.Text()}
		count, err := strconv.Atoi(next())
		if err != nil {
			return fmt.Errorf("count of %s: %w", op.Verb, err)
		}
		for range count {
			op.Args = append(op.Args, next())
		}
		switch {
		case op.Verb == "guarded":
			h.mutex.Lock()
			h.guarded = append(h.guarded, op.Args[0])
			h.mutex.Unlock()
			continue
		case op.Verb == "journal" || op.Verb == "stage":
			continue
		case op.Verb == "begin":
			fmt.Fprintln(stdout, "begin "+op.Args[0])
		case op.Verb == "end":
			fmt.Fprintln(stdout, "end")
			return nil
		case h.failAt != "" && strings.HasPrefix(op.Verb+" "+strings.Join(op.Args, " "), h.failAt):
			if slices.Contains([]string{"unit-restart", "settle", "watch"}, op.Verb) && h.sick != "" {
				fmt.Fprintln(stdout, "sick "+h.sick)
			}
			return errors.New("it broke")
		case op.Verb == "revert" && h.sick != "":
			fmt.Fprintln(stdout, h.reverts+" "+h.sick)
		}
		h.mutex.Lock()
		h.ops = append(h.ops, op)
		h.mutex.Unlock()
	}
	return errors.New("the stream has no end")
}

// Upload takes the content.
func (h *memoryHost) Upload(_ context.Context, file remote.File) (string, error) {
	if h.uploadError != nil {
		return "", h.uploadError
	}
	n, err := io.Copy(io.Discard, file.Content)
	file.Progress(n)
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.uploads = append(h.uploads, file.Name)
	return "/staged/" + file.Name, err
}

// DialContext connects to what the test says.
func (h *memoryHost) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	if h.dial == nil {
		return nil, errors.New("connection refused")
	}
	return h.dial(ctx)
}

// done lists the operations with a verb, by their first argument.
func (h *memoryHost) done(verb string) []string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	args := []string{}
	for _, op := range h.ops {
		if op.Verb == verb {
			args = append(args, op.Args[0])
		}
	}
	return args
}

// verbs are the operations in order, without begin.
func (h *memoryHost) verbs() []string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var verbs []string
	for _, op := range h.ops {
		if op.Verb != "begin" {
			verbs = append(verbs, op.Verb)
		}
	}
	return verbs
}

// memoryArtifacts has every artifact, with its name as content.
type memoryArtifacts struct{}

func (memoryArtifacts) Open(_ context.Context, name, _ string) (io.ReadCloser, int64, error) {
	if strings.HasPrefix(name, "missing") {
		return nil, 0, errors.New("no such artifact")
	}
	return io.NopCloser(strings.NewReader(name)), int64(len(name)), nil
}

// events gathers what a run tells.
type events struct {
	mutex sync.Mutex
	all   []Event
}

func (e *events) observe(event Event) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.all = append(e.all, event)
}

// kinds are the kinds of one host's events, in order.
func (e *events) kinds(host string) []EventKind {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	var kinds []EventKind
	for _, event := range e.all {
		if event.Host == host && !slices.Contains([]EventKind{EventResourceBegun, EventUploadMoved}, event.Kind) {
			kinds = append(kinds, event.Kind)
		}
	}
	return kinds
}
