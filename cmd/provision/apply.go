package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"provision/pkg/converge"
	"provision/pkg/image"
	"provision/pkg/report"
	"provision/pkg/resource"
)

type applyOptions struct {
	output     string
	logFormat  string
	verbosity  int
	skipVerify bool
	reports    []string
}

func newApply(f *flags) *cobra.Command {
	var options applyOptions
	command := &cobra.Command{
		Use:   "apply",
		Short: "Plan, bring the hosts about, and verify the cluster",
		Long: `apply looks at every host once, shows what differs from the inventory, brings
only that about, on all hosts at the same time, and verifies the cluster. Where
nothing differs it does nothing more.`,
		Args: usageArgs(cobra.NoArgs),
	}
	command.Flags().StringVarP(&options.output, "output", "o", formatText, "output `format`: text or json")
	command.Flags().CountVarP(&options.verbosity, "verbose", "v", "list every change of a first install, and each resource as it is begun; -vv is --debug too")
	command.Flags().StringVar(&options.logFormat, "log-format", formatText, "progress `format` on standard error: text, or json for an event a line")
	command.Flags().BoolVar(&options.skipVerify, "skip-verify", false, "don't verify the cluster after changes")
	command.Flags().StringArrayVar(&options.reports, "report", nil, "also write what was done to a `file`, by its name as .html or .json; may be given again")
	command.RunE = func(cmd *cobra.Command, _ []string) error { return f.apply(cmd.Context(), options) }
	return command
}

func (f *flags) apply(ctx context.Context, options applyOptions) error {
	if err := checkFormat(options.output); err != nil {
		return err
	}
	if err := checkReports(options.reports); err != nil {
		return err
	}
	if err := f.checkLogFormat(options.logFormat); err != nil {
		return err
	}
	f.debug = f.debug || options.verbosity > 1
	return f.onHosts(ctx, func(declared *declared, fleet *fleet) error {
		return f.applyTo(ctx, declared, fleet, options)
	})
}

// applyTo plans, applies and verifies, and then tells of it.
func (f *flags) applyTo(ctx context.Context, declared *declared, fleet *fleet, options applyOptions) error {
	account := &report.Account{Cluster: declared.inventory.Cluster, Run: newRun(declared.sum), Steps: &report.Steps{}}
	f.events.RunStarted(account.Cluster, account.Run, len(declared.hosts))
	err := f.bringAbout(ctx, declared, fleet, options, account)
	return f.conclude(ctx, options, account, err)
}

// bringAbout plans, applies and verifies, shows each as it ends, and writes it
// down in the account.
func (f *flags) bringAbout(ctx context.Context, declared *declared, fleet *fleet, options applyOptions, account *report.Account) error {
	plan := f.watchedPlan(ctx, declared, fleet)
	account.Plan = plan
	text := options.output == formatText
	if text {
		if err := f.printPlan(plan, formatText, options.verbosity > 0); err != nil {
			return err
		}
	}
	if plan.Summary().Changes > 0 {
		account.Applied = f.converge(ctx, declared, fleet, account, options.verbosity)
		if refused := account.Applied.Refused; refused != nil {
			return fmt.Errorf("nothing was changed: %w", refused)
		}
		if text {
			f.printOutcome(account)
		}
	}
	if account.Applied != nil && account.Applied.Failed() == 0 && !options.skipVerify {
		account.Checks = f.verify(ctx, declared, fleet, text)
	}
	return runStatus(plan, account.Applied, account.Checks)
}

// converge applies the plan and shows how far it came.
func (f *flags) converge(ctx context.Context, declared *declared, fleet *fleet, account *report.Account, verbosity int) *converge.Outcome {
	tell, stop := f.watch(account.Plan, verbosity)
	defer stop()
	hosts := fleet.connections()
	if f.debug {
		hosts = logged(hosts, f.logger())
	}
	return converge.Apply(ctx, account.Plan, converge.Options{
		Run:       account.Run,
		Hosts:     hosts,
		Artifacts: declared.artifacts,
		PushImage: pushImage,
		Observer: func(event converge.Event) {
			account.Steps.Event(event)
			tell(event)
		},
	})
}

func pushImage(ctx context.Context, host converge.Connection, i resource.Image, artifacts converge.Artifacts, authorityPEM []byte) (string, error) {
	registry := image.Registry{Endpoint: i.Endpoint, AuthorityPEM: authorityPEM, Dial: host.DialContext}
	return image.Push(ctx, registry, i.Repository, i.Tag, func() (io.ReadCloser, error) {
		content, _, err := artifacts.Open(ctx, i.Source, i.Sum)
		return content, err
	})
}

// operator is who runs provision, as user@machine.
func operator() string {
	by := "unknown"
	if account, err := user.Current(); err == nil {
		by = account.Username
	}
	if machine, err := os.Hostname(); err == nil {
		by += "@" + machine
	}
	return by
}

// newRun identifies this run in the records of the hosts.
func newRun(inventorySum string) converge.Run {
	now := time.Now().UTC().Truncate(time.Second)
	id := now.Format("20060102T150405Z") + "-" + rand.Text()[:6]
	return converge.Run{ID: id, By: operator(), Time: now, Inventory: inventorySum}
}

func (f *flags) printOutcome(account *report.Account) {
	style := report.DetectStyle(f.stdout)
	report.WriteOutcome(f.stdout, account, style)
	report.WriteTimings(f.stdout, account.Settled(), style)
}

func (f *flags) printRun(account *report.Account) error {
	text, err := report.RunJSON(account)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f.stdout, "%s\n", text)
	return err
}

// runStatus is how apply ends. What failed has been reported.
func runStatus(plan *converge.Plan, outcome *converge.Outcome, checks []report.Check) error {
	failed := plan.Summary().Unreachable
	if outcome != nil {
		failed = outcome.Failed()
	}
	if failed > 0 {
		return &exitStatus{code: exitSomeFailed}
	}
	if !passes(checks) {
		return &exitStatus{code: exitError}
	}
	return nil
}
