package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"provision/pkg/converge"
	"provision/pkg/report"
)

func newPlan(f *flags) *cobra.Command {
	var output string
	var verbose bool
	var part selection
	command := &cobra.Command{
		Use:   "plan",
		Short: "Say what apply would change, and touch nothing",
		Long: `plan looks at every host once and says what differs from the inventory, and
why: new; drift (the host was changed); change (the inventory, a template or a
version was); both; follows (a service whose files change); renewal (a
certificate no longer serves); orphan (no longer declared, and made by
provision: it is removed).

With -o FILE.plan the plan is saved too, and "provision apply FILE.plan" does
exactly that, or refuses when a host or the inventory has changed since.

Exit codes: 0 nothing to do; 2 there is; 3 some hosts could not be looked at.`,
		Args: usageArgs(cobra.NoArgs),
	}
	command.Flags().StringVarP(&output, "output", "o", formatText, "output `format`: text or json, or FILE.plan to save the plan too")
	part.addFlags(command.Flags())
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "list every change of a first install")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := part.checkFlags(cmd.Flags()); err != nil {
			return err
		}
		file := ""
		if strings.HasSuffix(output, planSuffix) {
			file, output = output, formatText
		}
		if err := checkFormat(output); err != nil {
			return err
		}
		return f.onHosts(cmd.Context(), part, func(declared *declared, fleet *fleet) error {
			plan, err := declared.plan(cmd.Context(), fleet)
			if err != nil {
				return err
			}
			if err := f.printPlan(plan, output, verbose); err != nil {
				return err
			}
			if file != "" {
				if err := writePlanFile(file, plan, declared); err != nil {
					return err
				}
				fmt.Fprintf(f.stdout, "Saved: `provision apply %s` does exactly this.\n", file)
			}
			return planStatus(plan)
		})
	}
	return command
}

// plan looks at the hosts and compares. A look that was cut short says nothing of
// the hosts.
func (d *declared) plan(ctx context.Context, fleet *fleet) (*converge.Plan, error) {
	return d.compared(ctx, converge.Observe(ctx, d.hosts, fleet.connections(), fleet.unreachable))
}

// compared is the plan for what was observed.
func (d *declared) compared(ctx context.Context, observed map[string]converge.Observation) (*converge.Plan, error) {
	if ctx.Err() != nil {
		return nil, &exitStatus{code: exitInterrupted}
	}
	return d.selection.narrow(converge.NewPlan(time.Now(), d.hosts, observed), d.selected), nil
}

func (f *flags) printPlan(plan *converge.Plan, output string, verbose bool) error {
	if output == formatText {
		report.WritePlan(f.stdout, plan, report.DetectStyle(f.stdout), report.PlanOptions{Verbose: verbose})
		return nil
	}
	text, err := report.PlanJSON(plan)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f.stdout, "%s\n", text)
	return err
}

// planStatus is how a command that only looks ends.
func planStatus(plan *converge.Plan) error {
	summary := plan.Summary()
	switch {
	case summary.Unreachable > 0:
		return &exitStatus{code: exitSomeFailed}
	case summary.Changes > 0:
		return &exitStatus{code: exitDifferences}
	}
	return nil
}

// The output formats.
const (
	formatText = "text"
	formatJSON = "json"
)

func checkFormat(format string) error {
	if format != formatText && format != formatJSON {
		return usageError(fmt.Errorf("output format %q: want %s or %s", format, formatText, formatJSON))
	}
	return nil
}
