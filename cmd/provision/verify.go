package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"provision/pkg/cluster"
	"provision/pkg/report"
)

func newVerify(f *flags) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "verify",
		Short: "Check the cluster as its users see it",
		Long: `verify checks that etcd and the API are healthy, that every slave is Ready under
its address with its pods inside its lease, that DNS answers, and that a
short-lived workload runs and is reachable across slaves and from outside.

Exit codes: 0 every check passes; 2 one does not.`,
		Args: usageArgs(cobra.NoArgs),
	}
	command.Flags().StringVarP(&output, "output", "o", formatText, "output `format`: text or json")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkFormat(output); err != nil {
			return err
		}
		return f.onHosts(cmd.Context(), selection{}, func(declared *declared, fleet *fleet) error {
			checks := f.verify(cmd.Context(), declared, fleet, output == formatText)
			if output == formatJSON {
				text, err := report.ChecksJSON(checks)
				if err != nil {
					return err
				}
				fmt.Fprintf(f.stdout, "%s\n", text)
			}
			if !passes(checks) {
				return &exitStatus{code: exitDifferences}
			}
			return nil
		})
	}
	return command
}

// passes tells whether every check does.
func passes(checks []report.Check) bool {
	return !slices.ContainsFunc(checks, func(check report.Check) bool { return !check.OK })
}

// verify runs the checks and, if asked, prints them.
func (f *flags) verify(ctx context.Context, declared *declared, fleet *fleet, text bool) []report.Check {
	verification := cluster.Verify(ctx, declared.target(fleet), func(check cluster.Check) { f.events.CheckDone(report.Check(check)) })
	checks := make([]report.Check, len(verification.Checks))
	for i, check := range verification.Checks {
		checks[i] = report.Check(check)
	}
	if text && ctx.Err() == nil { // what was cut short says nothing of the cluster
		report.WriteChecks(f.stdout, checks, report.DetectStyle(f.stdout))
	}
	return checks
}

func (d *declared) target(fleet *fleet) cluster.Target {
	return cluster.Target{Inventory: d.inventory, Hosts: fleet.clusterHosts(), Image: d.image}
}
