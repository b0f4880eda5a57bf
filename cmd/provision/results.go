package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

// results is standard output, remembering whether writing to it failed: what a
// command has done must not pass for told when it is not.
type results struct {
	w io.Writer

	mutex sync.Mutex
	err   error
	// quiet tells that a failure is told elsewhere.
	quiet bool
}

// Write writes, until a write has failed.
func (r *results) Write(text []byte) (int, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.w.Write(text)
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
	if err != nil {
		r.err = &resultsError{err}
	}
	return n, r.err
}

// failure is why a write failed, if one did.
func (r *results) failure() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.err
}

// hush leaves it to others to tell of a failure.
func (r *results) hush() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.quiet = true
}

// Fd lets the style see the terminal, if it is one.
func (r *results) Fd() uintptr {
	if file, ok := r.w.(*os.File); ok {
		return file.Fd()
	}
	return ^uintptr(0)
}

// resultsError is why results could not be written.
type resultsError struct{ cause error }

// Error says so.
func (e *resultsError) Error() string { return "write results to standard output: " + e.cause.Error() }

// Unwrap gives the cause.
func (e *resultsError) Unwrap() error { return e.cause }

// exit is how a command ends whose results were written or not. A reader that
// has gone away, as of a pipe into head, is told nothing.
func (r *results) exit(code int, stderr io.Writer) int {
	err := r.failure()
	if err == nil {
		return code
	}
	if !r.quiet && !errors.Is(err, syscall.EPIPE) {
		fmt.Fprintf(stderr, "error: %v\n", err)
	}
	if code == exitInterrupted {
		return code
	}
	return exitError
}
