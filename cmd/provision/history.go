package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"provision/pkg/converge"
	"provision/pkg/report"
)

func newHistory(f *flags) *cobra.Command {
	var output string
	var verbose bool
	command := &cobra.Command{
		Use:   "history",
		Short: "Say what the last runs changed on each host",
		Long: `history reads the journals that each host keeps of the last five runs that
changed it: who ran them, when, and what they did. provision rollback --run ID
brings back what one of them changed.

Exit codes: 0 all hosts were read; 3 some could not be.`,
		Args: usageArgs(cobra.NoArgs),
	}
	command.Flags().StringVarP(&output, "output", "o", formatText, "output `format`: text or json")
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "list every change")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkFormat(output); err != nil {
			return err
		}
		return f.onHosts(cmd.Context(), selection{}, func(declared *declared, fleet *fleet) error {
			histories := converge.History(cmd.Context(), declared.hosts, fleet.connections(), fleet.unreachable, "")
			if err := f.printHistory(histories, output, verbose); err != nil {
				return err
			}
			for _, history := range histories {
				if history.Err != nil {
					return &exitStatus{code: exitSomeFailed}
				}
			}
			return nil
		})
	}
	return command
}

func (f *flags) printHistory(histories []converge.HostHistory, output string, verbose bool) error {
	if output == formatText {
		report.WriteHistory(f.stdout, histories, report.DetectStyle(f.stdout), verbose)
		return nil
	}
	text, err := report.HistoryJSON(histories)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f.stdout, "%s\n", text)
	return err
}
