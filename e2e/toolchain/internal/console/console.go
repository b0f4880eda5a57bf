// Package console tells a person how the work is going: a status line that
// moves on a terminal, plain lines elsewhere.
package console

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// refresh is how often the status line moves.
const refresh = time.Second

// A Console writes progress. Its methods may be called at the same time.
type Console struct {
	out      io.Writer
	terminal bool
	now      func() time.Time

	mu      sync.Mutex
	width   int // of the status line now on the terminal
	total   int
	done    int
	running []task

	stop    chan struct{}
	stopped sync.WaitGroup
}

type task struct {
	name    string
	started time.Time
}

// New returns a console on out; terminal says that out understands a carriage
// return. Close ends it.
func New(out io.Writer, terminal bool, now func() time.Time) *Console {
	c := &Console{out: out, terminal: terminal, now: now, stop: make(chan struct{})}
	if terminal {
		c.stopped.Go(c.tick)
	}
	return c
}

// Close clears the status line.
func (c *Console) Close() {
	close(c.stop)
	c.stopped.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
}

func (c *Console) tick() {
	ticker := time.NewTicker(refresh)
	defer ticker.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-ticker.C:
			c.mu.Lock()
			c.erase()
			c.draw()
			c.mu.Unlock()
		}
	}
}

// Expect says how many tasks there will be.
func (c *Console) Expect(total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total = total
}

// Say writes a line that stays.
func (c *Console) Say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say(format, args...)
}

// Start says that a task has begun.
func (c *Console) Start(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = append(c.running, task{name, c.now()})
	if !c.terminal {
		c.say("building %s", name)
	}
}

// Finish says that a task has ended well.
func (c *Console) Finish(name string, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	took := c.drop(name)
	c.done++
	c.say("built %-24s %7.1fs %6.1f MB  [%d/%d]", name, took.Seconds(), float64(size)/1e6, c.done, c.total)
}

// Abandon says that a task has ended without a result; the error is told by
// who gets it.
func (c *Console) Abandon(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(name)
}

func (c *Console) drop(name string) time.Duration {
	i := slices.IndexFunc(c.running, func(t task) bool { return t.name == name })
	if i < 0 {
		return 0
	}
	took := c.now().Sub(c.running[i].started)
	c.running = slices.Delete(c.running, i, i+1)
	return took
}

func (c *Console) say(format string, args ...any) {
	c.erase()
	fmt.Fprintf(c.out, format+"\n", args...)
	c.draw()
}

func (c *Console) erase() {
	if c.width > 0 {
		fmt.Fprintf(c.out, "\r%s\r", strings.Repeat(" ", c.width))
		c.width = 0
	}
}

func (c *Console) draw() {
	if !c.terminal || len(c.running) == 0 {
		return
	}
	var parts []string
	for _, t := range c.running {
		parts = append(parts, fmt.Sprintf("%s %s", t.name, c.now().Sub(t.started).Round(time.Second)))
	}
	line := fmt.Sprintf("building [%d/%d] %s", c.done, c.total, strings.Join(parts, ", "))
	c.width = len(line)
	fmt.Fprint(c.out, line)
}
