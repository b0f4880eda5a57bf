package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"provision/pkg/blueprint"
	"provision/pkg/doctor"
	"provision/pkg/inventory"
	"provision/pkg/report"
)

func newDoctor(f *flags) *cobra.Command {
	var output string
	var verbose bool
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with the hosts themselves, and what to do",
		Long: `doctor looks at every host once, changes nothing, and says what stands in the
way of a run: that the host is reached, lets us in and lets us be root; its
shell and SFTP; room on its disks, its clock, system, control groups, kernel
and swap; who holds the ports that the cluster needs; and missing programs.

It needs no artifacts, so it can be run before anything was built, and at any
time later: a port that the right service holds is fine.

Exit codes: 0 nothing is wrong, or there are only warnings; 2 there are
problems; 3 some hosts could not be looked at.`,
		Example: `  provision doctor -i inventory.yaml        hosts and checks, and what to do
  provision doctor -i inventory.yaml -v     also what was found where all is well
  provision doctor -o json | jq '.hosts[].findings[] | select(.level == "failure")'`,
		Args: usageArgs(cobra.NoArgs),
	}
	command.Flags().StringVarP(&output, "output", "o", formatText, "output `format`: text or json")
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "also say what was found where all is well")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkFormat(output); err != nil {
			return err
		}
		inv, required, err := f.required()
		if err != nil {
			return err
		}
		examination, err := f.examine(cmd.Context(), inv, required)
		if err != nil {
			return err
		}
		if cmd.Context().Err() != nil {
			return &exitStatus{code: exitInterrupted} // what was cut short says nothing of the hosts
		}
		if err := f.printExamination(examination, output, verbose); err != nil {
			return err
		}
		return examinationStatus(examination)
	}
	return command
}

// required reads the inventory and what the template set asks of its hosts.
func (f *flags) required() (*inventory.Inventory, []blueprint.Requirements, error) {
	text, err := os.ReadFile(f.inventory)
	if err != nil {
		return nil, nil, usageError(fmt.Errorf("read inventory: %w; name it with -i", err))
	}
	inv, err := inventory.Parse(f.inventory, text)
	if err != nil {
		return nil, nil, err
	}
	sets, err := f.sets()
	if err != nil {
		return nil, nil, usageError(err)
	}
	set, err := blueprint.Select(sets, inv.Kubernetes.Version)
	if err != nil {
		return nil, nil, usageError(err)
	}
	required, err := set.Requirements(inv)
	if err != nil {
		return nil, nil, usageError(err)
	}
	return inv, required, nil
}

// examine looks at all hosts.
func (f *flags) examine(ctx context.Context, inv *inventory.Inventory, required []blueprint.Requirements) (doctor.Examination, error) {
	fleet, err := f.connect(ctx, inv, inv.Hosts())
	if err != nil {
		return doctor.Examination{}, err
	}
	defer fleet.close() //nolint:contextcheck // it tidies up, also when ctx has ended
	connections := make(map[string]doctor.Connection, len(fleet.hosts))
	for name, client := range fleet.hosts {
		connections[name] = client
	}
	return doctor.Examine(ctx, required, connections, fleet.unreachable), nil
}

func (f *flags) printExamination(examination doctor.Examination, output string, verbose bool) error {
	if output == formatText {
		report.WriteDoctor(f.stdout, examination, report.DetectStyle(f.stdout), report.DoctorOptions{Verbose: verbose})
		return nil
	}
	text, err := report.DoctorJSON(examination)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f.stdout, "%s\n", text)
	return err
}

// examinationStatus is how doctor ends.
func examinationStatus(examination doctor.Examination) error {
	switch {
	case examination.Unreachable() > 0:
		return &exitStatus{code: exitSomeFailed}
	case examination.Count(doctor.Failure) > 0:
		return &exitStatus{code: exitDifferences}
	}
	return nil
}
