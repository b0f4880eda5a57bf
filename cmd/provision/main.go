// Command provision turns an inventory into a running Kubernetes cluster over
// SSH, and keeps it that way.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"provision/pkg/inventory"
	"provision/pkg/report"
)

// Exit codes; they are part of the interface.
const (
	exitConverged   = 0
	exitError       = 1
	exitDifferences = 2
	exitSomeFailed  = 3
	exitUsage       = 4
	exitInterrupted = 130
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// Writing to a closed pipe is an error like others: it must not kill a run
	// that is changing hosts. Notify, unlike Ignore, is not inherited.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// The first signal ends the run in order; after that they act as usual.
	context.AfterFunc(ctx, stop)
	results := &results{w: stdout}
	root := newRoot(results, stderr)
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		return results.exit(fail(ctx, err, stderr), stderr)
	}
	return results.exit(exitConverged, stderr)
}

// exitStatus is an error that chooses the exit code. A nil cause was reported
// already.
type exitStatus struct {
	code  int
	cause error
	// told tells that how it ended has been told too, where text would disturb.
	told bool
}

// Error is the cause's.
func (e *exitStatus) Error() string {
	if e.cause == nil {
		return ""
	}
	return e.cause.Error()
}

// Unwrap gives the cause.
func (e *exitStatus) Unwrap() error { return e.cause }

// exitCode is how a command that returned an error ends.
func exitCode(ctx context.Context, err error) int {
	var status *exitStatus
	switch {
	case err == nil:
		return exitConverged
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &status):
		return status.code
	case errors.As(err, new(inventory.Errors)):
		return exitUsage
	}
	return exitError
}

// fail prints an error and returns the exit code for it.
func fail(ctx context.Context, err error, stderr io.Writer) int {
	code := exitCode(ctx, err)
	var status *exitStatus
	if errors.As(err, &status) {
		err = status.cause
	}
	if err != nil && !errors.As(err, new(*resultsError)) { // which results.exit tells
		report.Errors(stderr, err, report.DetectStyle(stderr))
	}
	if code == exitInterrupted && (status == nil || !status.told) {
		fmt.Fprintln(stderr, "interrupted: every file is whole, old or new; run the same command again to go on")
	}
	return code
}
