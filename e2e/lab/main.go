// Command lab brings up real hosts on this machine to try provision on: see README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"provision/e2e/lab/nspawn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot() //nolint:contextcheck // cobra hands the context of ExecuteContext to the commands
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	// A command on a host that failed has said so itself.
	var remote *exec.ExitError
	if errors.As(err, &remote) && errors.Is(err, errRemote) {
		return remote.ExitCode()
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("interrupted, and what was begun is undone: %w", err)
	}
	fmt.Fprintln(stderr, "lab:", explain(err))
	return 1
}

// explain adds to an error what to do about it.
func explain(err error) string {
	switch {
	case errors.Is(err, nspawn.ErrUp):
		return err.Error() + "; see it with `status`, end it with `down`"
	case errors.Is(err, nspawn.ErrNotUp):
		return err.Error() + "; bring it up with `up`"
	default:
		return err.Error()
	}
}

func newRoot() *cobra.Command {
	var name string
	root := &cobra.Command{
		Use:   "lab",
		Short: "Boot real hosts on this machine to try provision on",
		Long: "lab boots Debian hosts on this machine, each with an init system, sshd, a disk and an address of its own,\n" +
			"and takes them down again without a trace. It needs root.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringVar(&name, "name", demo, "name of the lab")
	root.AddCommand(newUp(&name), newDown(&name), newStatus(&name), newSSH(&name), newExec(&name), newAdd(&name))
	root.AddCommand(newHostCommands(&name)...)
	return root
}

// oneHost is the argument rule of commands that need the name of a host.
func oneHost(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s: name one host, as `status` shows them", cmd.CommandPath())
	}
	return nil
}
