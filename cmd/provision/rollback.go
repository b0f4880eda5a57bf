package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"provision/pkg/converge"
	"provision/pkg/report"
	"provision/pkg/resource"
)

func newRollback(f *flags) *cobra.Command {
	var run string
	var limit []string
	var rollout rollout
	command := &cobra.Command{
		Use:   "rollback",
		Short: "Bring back what a run changed",
		Long: `rollback brings back the files, programs, directories, settings of the kernel
and units that a run changed, from the journals of its hosts, and starts the
services again, which must come to health as in apply. It is a run of its own:
history shows it, and it can be rolled back too. Packages, kernel modules, images
and what commands did stay, and so do certificate authorities.

It touches nothing where a later run has changed one of the same files, or a
journal is gone. What the inventory says is not changed: the next apply makes
the change again.

Exit codes: 0 done; 1 nothing was done; 3 some hosts failed.`,
		Example: `  provision history                          which run it was
  provision rollback --run ID                on all hosts
  provision rollback --run ID --limit node1  on one of them`,
		Args: usageArgs(cobra.NoArgs),
	}
	command.Flags().StringVar(&run, "run", "", "`id` of the run, as history shows it")
	command.Flags().StringSliceVar(&limit, "limit", nil, "only these `hosts`: names, addresses, roles; * is any text")
	rollout.addFlags(command)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := (selection{Limit: limit}).checkFlags(cmd.Flags()); err != nil {
			return err
		}
		if run == "" {
			return usageError(errors.New("which run? write --run ID; provision history lists them"))
		}
		if err := rollout.parse(); err != nil {
			return err
		}
		return f.onHosts(cmd.Context(), selection{Limit: limit}, func(declared *declared, fleet *fleet) error {
			return f.rollback(cmd.Context(), declared, fleet, run, rollout)
		})
	}
	return command
}

func (f *flags) rollback(ctx context.Context, declared *declared, fleet *fleet, run string, rollout rollout) error {
	observed := converge.Observe(ctx, declared.hosts, fleet.connections(), fleet.unreachable)
	chosen := slices.DeleteFunc(slices.Clone(declared.hosts), func(host resource.Host) bool {
		return !declared.selected[host.Name]
	})
	histories := converge.History(ctx, chosen, fleet.connections(), fleet.unreachable, run)
	plan, err := converge.NewRollback(declared.hosts, observed, histories, run)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	if err := f.printPlan(plan, formatText, true); err != nil {
		return err
	}
	if plan.Summary().Changes == 0 {
		return planStatus(plan)
	}
	account := &report.Account{Cluster: declared.inventory.Cluster, Run: newRun(declared.sum), Steps: &report.Steps{}, Plan: plan}
	account.Applied = f.converge(ctx, declared, fleet, account, applyOptions{rollout: rollout})
	if refused := account.Applied.Refused; refused != nil {
		return fmt.Errorf("nothing was changed: %w", refused)
	}
	f.printOutcome(account)
	return runStatus(plan, account.Applied, nil)
}
