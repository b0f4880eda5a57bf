package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"provision/e2e/lab/nspawn"
)

// demo is the lab that e2e/inventory.yaml is written for. So that the file can name addresses, the lab always has
// demoSubnet.
const (
	demo       = "demo"
	demoSubnet = "198.18.100.0/24"
)

func newUp(name *string) *cobra.Command {
	var hosts []string
	var subnet string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up a lab and wait until its hosts answer by SSH",
		Example: "  lab up\n" +
			"  lab up --name small --hosts a,b:lean\n" +
			"  lab up --name fixed --subnet 198.18.7.0/24",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options := nspawn.Options{Name: *name, Persistent: true, Log: cmd.ErrOrStderr()}
			if subnet == "" && *name == demo {
				subnet = demoSubnet
			}
			if subnet != "" {
				prefix, err := netip.ParsePrefix(subnet)
				if err != nil {
					return fmt.Errorf("--subnet: %w", err)
				}
				options.Subnet = prefix
			}
			for _, host := range hosts {
				options.Hosts = append(options.Hosts, parseHost(host))
			}
			lab, err := nspawn.Up(cmd.Context(), options)
			if err != nil {
				return err
			}
			return describe(cmd.OutOrStdout(), lab)
		},
	}
	cmd.Flags().StringSliceVar(&hosts, "hosts", []string{"master", "slave1", "slave2", "registry"},
		"hosts as NAME or NAME:FLAVOUR (flavours: debian, lean); the first gets the address .11, the next .12 …")
	cmd.Flags().StringVar(&subnet, "subnet", "",
		"a /24 of 198.18.0.0/16 (default: "+demoSubnet+" for lab "+demo+", a free one for others)")
	return cmd
}

// parseHost reads NAME or NAME:FLAVOUR.
func parseHost(text string) nspawn.HostSpec {
	name, flavour, _ := strings.Cut(text, ":")
	return nspawn.HostSpec{Name: name, Flavour: flavour}
}

// describe says how to get at a lab's hosts.
func describe(out io.Writer, lab *nspawn.Lab) error {
	fmt.Fprintf(out, "lab %s is up: %s, gateway %s\n\n", lab.Name, lab.Subnet, lab.Gateway)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, host := range lab.Hosts() {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", host.Name, host.Addr, host.Flavour)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	first := lab.Hosts()[0].Name
	_, err := fmt.Fprintf(out, "\n  key          %s\n  known hosts  %s\n  log in       ssh -F %s %s\n",
		lab.KeyFile, lab.KnownHostsFile, lab.SSHConfigFile, first)
	return err
}

func newDown(name *string) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Take down a lab and leave nothing of it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, log := cmd.Context(), cmd.ErrOrStderr()
			if err := nspawn.Collect(ctx, log); err != nil {
				return err
			}
			names := []string{*name}
			if all {
				if cmd.Flags().Changed("name") {
					return errors.New("use either --all or --name")
				}
				var err error
				if names, err = nspawn.List(); err != nil {
					return err
				}
				if len(names) == 0 {
					fmt.Fprintln(log, "lab: no lab is up: nothing to take down")
				}
			}
			var failed []error
			for _, name := range names {
				failed = append(failed, down(ctx, log, name))
			}
			return errors.Join(failed...)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "take down all labs on this machine, also those that running tests own")
	return cmd
}

func down(ctx context.Context, log io.Writer, name string) error {
	lab, err := nspawn.Open(ctx, name)
	if errors.Is(err, nspawn.ErrNotUp) {
		fmt.Fprintf(log, "lab: lab %s is not up: nothing to take down\n", name)
		return nil
	}
	if err == nil {
		err = lab.Down(ctx)
	}
	if err == nil {
		fmt.Fprintf(log, "lab: lab %s is down\n", name)
	}
	return err
}

// errRemote marks the failure of what was run on a host, in contrast to that of reaching it.
var errRemote = errors.New("the command on the host failed")

func newSSH(name *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ssh HOST [-- COMMAND...]",
		Short:   "Log in to a host, or run a command there",
		Example: "  lab ssh master\n  lab ssh master -- systemctl --failed",
		Args: func(cmd *cobra.Command, args []string) error {
			return oneHost(cmd, args[:min(1, len(args))])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			lab, host, err := find(cmd.Context(), *name, args[0])
			if err != nil {
				return err
			}
			client := exec.CommandContext(cmd.Context(), "ssh", append([]string{"-F", lab.SSHConfigFile, host.Name}, args[1:]...)...)
			client.Stdin, client.Stdout, client.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := client.Run(); err != nil {
				return errors.Join(errRemote, err)
			}
			return nil
		},
	}
	return cmd
}

// find opens a lab and finds one of its hosts.
func find(ctx context.Context, labName, hostName string) (*nspawn.Lab, *nspawn.Host, error) {
	lab, err := nspawn.Open(ctx, labName)
	if err != nil {
		return nil, nil, err
	}
	host, err := lab.Host(hostName)
	return lab, host, err
}
