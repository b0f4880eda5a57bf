package main

import (
	"context"
	"crypto/rand"
	"errors"
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
	yes        bool
	check      bool
	part       selection
	saved      *planFile
	rollout    rollout
}

func newApply(f *flags) *cobra.Command {
	var options applyOptions
	command := &cobra.Command{
		Use:   "apply [FILE.plan]",
		Short: "Plan, bring the hosts about, and verify the cluster",
		Long: `apply looks at every host once, shows what differs from the inventory, brings
only that about, on all hosts at the same time, and verifies the cluster. Where
nothing differs it does nothing more.

Before services that run are restarted or stopped it asks, or wants --yes. With
FILE.plan, from "provision plan -o FILE.plan", it does what was planned then, or
refuses when something else would be done now.`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
	}
	command.Flags().StringVarP(&options.output, "output", "o", formatText, "output `format`: text or json")
	command.Flags().CountVarP(&options.verbosity, "verbose", "v", "list every change of a first install, and each resource as it is begun; -vv is --debug too")
	command.Flags().StringVar(&options.logFormat, "log-format", formatText, "progress `format` on standard error: text, or json for an event a line")
	command.Flags().BoolVar(&options.skipVerify, "skip-verify", false, "don't verify the cluster after changes")
	command.Flags().StringArrayVar(&options.reports, "report", nil, "also write what was done to a `file`, by its name as .html or .json; may be given again")
	command.Flags().BoolVarP(&options.yes, "yes", "y", false, "restart and stop running services without asking")
	command.Flags().BoolVar(&options.check, "check", false, "only say what would change, as plan does")
	options.part.addFlags(command.Flags())
	options.rollout.addFlags(command)
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if err := options.part.checkFlags(cmd.Flags()); err != nil {
			return err
		}
		if len(args) > 0 {
			return f.applySaved(cmd.Context(), args[0], options)
		}
		return f.apply(cmd.Context(), options)
	}
	return command
}

func (f *flags) apply(ctx context.Context, options applyOptions) error {
	if err := checkFormat(options.output); err != nil {
		return err
	}
	if err := options.rollout.parse(); err != nil {
		return err
	}
	if err := checkReports(options.reports); err != nil {
		return err
	}
	if err := f.checkLogFormat(options.logFormat); err != nil {
		return err
	}
	f.debug = f.debug || options.verbosity > 1
	return f.onHosts(ctx, options.part, func(declared *declared, fleet *fleet) error {
		return f.applyTo(ctx, declared, fleet, options)
	})
}

// applySaved does what a saved plan says, of the part that it is about.
func (f *flags) applySaved(ctx context.Context, file string, options applyOptions) (err error) {
	if !options.part.isAll() {
		return usageError(errors.New("a saved plan knows its part: leave out --limit, --only and --no-restart"))
	}
	if options.saved, err = readPlanFile(file); err != nil {
		return err
	}
	options.part = options.saved.Selection
	return f.apply(ctx, options)
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
	plan, err := f.agreedPlan(ctx, declared, fleet, options)
	account.Plan = plan
	if err != nil {
		return err
	}
	if options.check {
		return planStatus(plan)
	}
	text := options.output == formatText
	if plan.Summary().Changes > 0 {
		account.Applied = f.converge(ctx, declared, fleet, account, options)
		if refused := account.Applied.Refused; refused != nil {
			return fmt.Errorf("nothing was changed: %w", refused)
		}
		if text {
			f.printOutcome(account)
		}
	}
	if account.Applied != nil && account.Applied.Failed() == 0 && !options.skipVerify && options.part.isAll() {
		account.Checks = f.verify(ctx, declared, fleet, text)
	}
	return runStatus(plan, account.Applied, account.Checks)
}

// agreedPlan is the plan that is to be applied: shown, the same as the saved one
// if there is one, and agreed to where it disturbs what runs.
func (f *flags) agreedPlan(ctx context.Context, declared *declared, fleet *fleet, options applyOptions) (*converge.Plan, error) {
	plan, err := f.watchedPlan(ctx, declared, fleet)
	if err != nil {
		return nil, err
	}
	if options.saved != nil {
		if err := options.saved.holds(plan, declared); err != nil {
			return plan, err
		}
	}
	if options.output == formatText || options.check {
		if err := f.printPlan(plan, options.output, options.verbosity > 0); err != nil {
			return plan, err
		}
	}
	if options.yes || options.check || options.saved != nil {
		return plan, nil
	}
	return plan, f.confirm(ctx, plan, openTerminal)
}

// converge applies the plan and shows how far it came.
func (f *flags) converge(ctx context.Context, declared *declared, fleet *fleet, account *report.Account, options applyOptions) *converge.Outcome {
	tell, stop := f.watch(account.Plan, options.verbosity)
	defer stop()
	hosts := fleet.connections()
	if f.debug {
		hosts = logged(hosts, f.logger())
	}
	engine := converge.Options{
		Run:       account.Run,
		Hosts:     hosts,
		Artifacts: declared.artifacts,
		PushImage: pushImage,
		Observer: func(event converge.Event) {
			account.Steps.Event(event)
			tell(event)
		},

		MaxUnavailable: options.rollout.limit,
		MaxFail:        options.rollout.maxFail,
	}
	if options.rollout.drain {
		disturb, closeDrain := drain(declared, fleet)
		defer closeDrain()
		engine.Disturb = disturb
	}
	return converge.Apply(ctx, account.Plan, engine)
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
