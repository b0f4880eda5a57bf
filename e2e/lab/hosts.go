package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"provision/e2e/lab/nspawn"
)

// newHostCommands returns the commands that do one thing to one host.
func newHostCommands(name *string) []*cobra.Command {
	var commands []*cobra.Command
	for _, act := range []struct {
		verb, short, done string
		do                func(*nspawn.Host, context.Context) error
	}{
		{"reboot", "Reboot a host in good order and wait until it answers", "has rebooted", (*nspawn.Host).Reboot},
		{"freeze", "Stop all processes of a host where they are", "is frozen", (*nspawn.Host).Freeze},
		{"thaw", "Let a frozen host go on", "goes on", (*nspawn.Host).Thaw},
		{"cut", "Pull a host's network cable", "is cut off", (*nspawn.Host).Cut},
		{"heal", "Plug a host's network cable in again", "is connected", (*nspawn.Host).Heal},
		{"poweroff", "Cut a host's power; its disk stays", "is off", (*nspawn.Host).PowerOff},
		{"start", "Boot a host that is off and wait until it answers", "has booted", (*nspawn.Host).Start},
		{"destroy", "Remove a host from a lab", "is destroyed", (*nspawn.Host).Destroy},
	} {
		commands = append(commands, &cobra.Command{
			Use:   act.verb + " HOST",
			Short: act.short,
			Args:  oneHost,
			RunE: func(cmd *cobra.Command, args []string) error {
				_, host, err := find(cmd.Context(), *name, args[0])
				if err != nil {
					return err
				}
				if err := act.do(host, cmd.Context()); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "lab: %s %s\n", host.Name, act.done)
				return nil
			},
		})
	}
	return commands
}

func newAdd(name *string) *cobra.Command {
	return &cobra.Command{
		Use:   "add NAME[:FLAVOUR]",
		Short: "Boot one more host in a lab and wait until it answers",
		Args:  oneHost,
		RunE: func(cmd *cobra.Command, args []string) error {
			lab, err := nspawn.Open(cmd.Context(), *name)
			if err != nil {
				return err
			}
			host, err := lab.Add(cmd.Context(), parseHost(args[0]))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  %s\n", host.Name, host.Addr, host.Flavour)
			return err
		},
	}
}

func newExec(name *string) *cobra.Command {
	return &cobra.Command{
		Use:     "exec HOST [--] COMMAND...",
		Short:   "Run a command on a host that cannot be reached by SSH",
		Long:    "exec enters the host from the machine. That works also while the host is frozen or cut off.",
		Example: "  lab exec slave1 -- journalctl -b -u kubelet",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, host, err := find(cmd.Context(), *name, args[0])
			if err != nil {
				return err
			}
			out, err := host.Exec(cmd.Context(), args[1:]...)
			_, writeError := cmd.OutOrStdout().Write(out)
			return errors.Join(err, writeError)
		},
	}
}

// hostStatus is one line of status.
type hostStatus struct {
	Name    string        `json:"name"`
	Address netip.Addr    `json:"address"`
	Flavour string        `json:"flavour"`
	Status  nspawn.Status `json:"status"`
}

// labStatus is what status tells of one lab.
type labStatus struct {
	Name       string       `json:"name"`
	Subnet     netip.Prefix `json:"subnet"`
	Gateway    netip.Addr   `json:"gateway"`
	Key        string       `json:"key"`
	KnownHosts string       `json:"known_hosts"`
	SSHConfig  string       `json:"ssh_config"`
	Hosts      []hostStatus `json:"hosts"`
}

func newStatus(name *string) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the labs on this machine, or the one that is named",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("--output %q: there are table and json", output)
			}
			names, all := []string{*name}, !cmd.Flags().Changed("name")
			if all {
				var err error
				if names, err = nspawn.List(); err != nil {
					return err
				}
			}
			labs := []labStatus{}
			for _, name := range names {
				lab, err := look(cmd.Context(), name)
				if all && errors.Is(err, nspawn.ErrNotUp) {
					continue // it is coming up or going down this moment
				}
				if err != nil {
					return err
				}
				labs = append(labs, lab)
			}
			if output == "json" {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(labs)
			}
			if len(labs) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "lab: no lab is up")
			}
			return showTable(cmd.OutOrStdout(), labs)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func look(ctx context.Context, name string) (labStatus, error) {
	lab, err := nspawn.Open(ctx, name)
	if err != nil {
		return labStatus{}, err
	}
	status := labStatus{
		Name: lab.Name, Subnet: lab.Subnet, Gateway: lab.Gateway,
		Key: lab.KeyFile, KnownHosts: lab.KnownHostsFile, SSHConfig: lab.SSHConfigFile,
	}
	for _, host := range lab.Hosts() {
		now, err := host.Status()
		if err != nil {
			return labStatus{}, err
		}
		status.Hosts = append(status.Hosts, hostStatus{Name: host.Name, Address: host.Addr, Flavour: host.Flavour, Status: now})
	}
	return status, nil
}

func showTable(out io.Writer, labs []labStatus) error {
	if len(labs) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LAB\tHOST\tADDRESS\tFLAVOUR\tSTATUS")
	for _, lab := range labs {
		for _, host := range lab.Hosts {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", lab.Name, host.Name, host.Address, host.Flavour, host.Status)
		}
	}
	return table.Flush()
}
