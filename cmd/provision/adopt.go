package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"provision/pkg/converge"
	"provision/pkg/report"
)

func newAdopt(f *flags) *cobra.Command {
	var part selection
	command := &cobra.Command{
		Use:   "adopt",
		Short: "Have hosts remember what stands on them as applied",
		Long: `adopt has each host remember what stands on it now, as if a run had applied it,
and changes nothing else: no file, no service. What then still differs from the
inventory is planned as a change, not as drift, and a service that runs with the
files that are declared is not restarted for being unknown.

Use it on hosts that somebody else has set up the same way, on hosts that have
lost /var/lib/provision, and to accept what was changed by hand before the
inventory follows.

Exit codes: 0 done, or nothing to remember; 1 nothing was done; 3 some hosts
failed.`,
		Args: usageArgs(cobra.NoArgs),
	}
	part.addHostFlag(command.Flags())
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := part.checkFlags(cmd.Flags()); err != nil {
			return err
		}
		return f.onHosts(cmd.Context(), part, func(declared *declared, fleet *fleet) error {
			return f.adopt(cmd.Context(), declared, fleet)
		})
	}
	return command
}

func (f *flags) adopt(ctx context.Context, declared *declared, fleet *fleet) error {
	now, err := declared.plan(ctx, fleet)
	if err != nil {
		return err
	}
	plan := declared.selection.narrow(converge.NewAdoption(now), declared.selected)
	if err := f.printPlan(plan, formatText, false); err != nil {
		return err
	}
	if plan.Summary().Changes == 0 {
		return planStatus(plan)
	}
	account := &report.Account{Cluster: declared.inventory.Cluster, Run: newRun(declared.sum), Steps: &report.Steps{}, Plan: plan}
	account.Applied = f.converge(ctx, declared, fleet, account, applyOptions{})
	if refused := account.Applied.Refused; refused != nil {
		return fmt.Errorf("nothing was remembered: %w", refused)
	}
	f.printOutcome(account)
	return runStatus(plan, account.Applied, nil)
}
