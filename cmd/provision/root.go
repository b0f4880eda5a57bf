package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"provision/pkg/report"
)

// flags are those of all commands.
type flags struct {
	inventory string
	templates string
	debug     bool
	parallel  int
	stdout    *results
	stderr    io.Writer
	// events are nil where progress is text.
	events *report.Events
}

// defaultParallel is as many as pay: each handshake costs CPU, and more at once
// only makes all of them late.
const defaultParallel = 128

func newRoot(stdout *results, stderr io.Writer) *cobra.Command {
	f := &flags{stdout: stdout, stderr: stderr}
	apply := newApply(f)
	root := &cobra.Command{
		Use:   "provision",
		Short: "Turn an inventory into a running Kubernetes cluster over SSH",
		Long: `provision turns an inventory into a running Kubernetes cluster on plain Linux
hosts over SSH, and keeps it that way: it looks at every host once, shows what
differs from the inventory, brings only that about, and verifies the cluster.

Without a command it does what "provision apply" does.

Exit codes: 0 converged, or nothing to do; 1 error; 2 plan, verify or doctor
found differences or problems; 3 some hosts failed, the others are done; 4 wrong
usage or inventory; 130 interrupted.`,
		Example: `  provision -i inventory.yaml         plan, apply and verify
  provision plan -i inventory.yaml    only say what would change`,
		Args:          usageArgs(cobra.NoArgs),
		RunE:          apply.RunE,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.Flags().AddFlagSet(apply.LocalNonPersistentFlags())
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err) })
	persistent := root.PersistentFlags()
	persistent.StringVarP(&f.inventory, "inventory", "i", "inventory.yaml", "inventory `file`")
	persistent.StringVar(&f.templates, "templates", "", "`folder` whose template sets overlay the built-in ones")
	persistent.BoolVar(&f.debug, "debug", false, "log connections, commands and the operations of scripts to standard error")
	persistent.IntVar(&f.parallel, "parallel", defaultParallel, "`number` of hosts to connect to at the same time")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if f.parallel < 1 {
			return usageError(fmt.Errorf("--parallel %d: write 1 or more", f.parallel))
		}
		return nil
	}
	root.AddCommand(apply, newPlan(f), newRender(f), newVerify(f), newKubeconfig(f), newHistory(f), newRollback(f), newAdopt(f), newDoctor(f), newHostKeys(f), newInventory(f), newVersion(f))
	return root
}

// usageError is an error in how provision was called.
func usageError(err error) error {
	return &exitStatus{code: exitUsage, cause: err}
}

// usageArgs makes what a command says of its arguments a usage error, and names
// the command that was meant.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			return nil
		}
		cmd.SuggestionsMinimumDistance = 2
		if meant := cmd.SuggestionsFor(args[0]); len(meant) > 0 {
			err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(meant, " or "))
		}
		return usageError(err)
	}
}

func (f *flags) logger() *slog.Logger {
	if !f.debug {
		return slog.New(slog.DiscardHandler)
	}
	if f.events != nil {
		return slog.New(f.events.Handler(slog.LevelDebug))
	}
	return slog.New(slog.NewTextHandler(f.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
