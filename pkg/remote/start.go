package remote

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// start watches what arrives on standard error before a command has begun: questions of sudo, and the mark with the
// process. What comes after the mark is the command's.
type start struct {
	out      *output
	prompted chan struct{} // closed when sudo has asked
	begun    chan struct{} // closed when the command has begun
	ended    chan struct{} // closed when it never will

	mu      sync.Mutex
	before  []byte // what came before the mark; nil after it
	asked   int    // how often sudo has asked
	process int    // the process, 0 until it is known
	isBegun bool
	isEnded bool
}

func newStart(out *output) *start {
	return &start{out: out, prompted: make(chan struct{}), begun: make(chan struct{}), ended: make(chan struct{})}
}

// Write takes standard error in any pieces.
func (s *start) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isBegun {
		return s.out.Write(p)
	}
	s.before = append(s.before, p...)
	noise, rest, marked := bytes.Cut(s.before, []byte(beginMark+" "))
	noise = s.countPrompts(noise)
	number, after, complete := bytes.Cut(rest, []byte("\n"))
	if !complete {
		s.before = noise
		if marked {
			s.before = slices.Concat(noise, []byte(beginMark+" "), rest)
		}
		s.before = s.before[max(0, len(s.before)-mostBefore):]
		return len(p), nil
	}
	if id, err := strconv.Atoi(strings.TrimSpace(string(number))); err == nil && id > 1 {
		s.process = id
	}
	s.isBegun, s.before = true, nil
	close(s.begun)
	_, err := s.out.Write(after) // what came before is not the command's: a login shell's greeting, sudo's lecture
	return len(p), err
}

// mostBefore is how much is kept of what comes before the mark: a host that prints without end fills no memory.
const mostBefore = 64 << 10

// countPrompts takes sudo's questions out of what it said.
func (s *start) countPrompts(noise []byte) []byte {
	for {
		before, after, found := bytes.Cut(noise, []byte(sudoPrompt))
		if !found {
			return noise
		}
		if s.asked++; s.asked == 1 {
			close(s.prompted)
		} else {
			s.end() // it did not like the password
		}
		noise = slices.Concat(before, after)
	}
}

// finish hands on what came without a command having begun.
func (s *start) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isBegun {
		_, _ = s.out.Write(s.before)
		s.before = nil
		s.end()
	}
}

func (s *start) end() {
	if !s.isEnded {
		s.isEnded = true
		close(s.ended)
	}
}

// hasBegun tells whether the command itself may have run.
func (s *start) hasBegun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isBegun
}

// processID is the process of the command, 0 when it is not known.
func (s *start) processID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// answer gives sudo the password if it asks, and returns once the command has begun; false when it does not.
func (s *start) answer(w io.Writer, password string) bool {
	select {
	case <-s.prompted:
	case <-s.begun:
		return true
	case <-s.ended:
		return false
	}
	if password == "" {
		return false
	}
	if _, err := io.WriteString(w, password+"\n"); err != nil {
		return false
	}
	select {
	case <-s.begun:
		return true
	case <-s.ended:
		return false
	}
}
