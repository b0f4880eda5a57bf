package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"provision/pkg/inventory"
)

func newInventory(f *flags) *cobra.Command {
	group := &cobra.Command{
		Use:   "inventory",
		Short: "Check inventories",
		Args:  usageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	group.AddCommand(
		&cobra.Command{
			Use:   "validate",
			Short: "Report every mistake in the inventory with its place",
			Args:  usageArgs(cobra.NoArgs),
			RunE: func(*cobra.Command, []string) error {
				inv, err := inventory.Load(f.inventory)
				if err != nil {
					return usageError(err)
				}
				fmt.Fprintf(f.stdout, "%s: valid: %d hosts, Kubernetes %s\n", f.inventory, len(inv.Hosts()), inv.Kubernetes.Version)
				return nil
			},
		},
		&cobra.Command{
			Use:   "schema",
			Short: "Print the JSON Schema of inventories, for editors",
			Args:  usageArgs(cobra.NoArgs),
			RunE: func(*cobra.Command, []string) error {
				_, err := fmt.Fprintf(f.stdout, "%s\n", inventory.Schema())
				return err
			},
		},
	)
	return group
}
