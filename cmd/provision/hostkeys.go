package main

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"provision/pkg/inventory"
	"provision/pkg/remote"
	"provision/pkg/report"
)

func newHostKeys(f *flags) *cobra.Command {
	group := &cobra.Command{
		Use:   "hostkeys",
		Short: "Show the keys of the hosts",
		Args:  usageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var output string
	scan := &cobra.Command{
		Use:   "scan",
		Short: "Ask every host for its SSH keys and show their fingerprints",
		Long: `scan asks every host for its SSH keys, through the jump hosts if there are any,
and tells which of them known_hosts or the inventory has. It logs in to no host.

What a host shows proves nothing by itself: compare it with what
"ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" says on the host. Then write it
into the inventory, under hostKeys in the host's ssh, or trust it with ssh-keyscan.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.scanHostKeys(cmd.Context(), output) },
	}
	scan.Flags().StringVarP(&output, "output", "o", formatText, "output `format`: text or json")
	group.AddCommand(scan)
	return group
}

// scanHostKeys ends with 2 when a key is not known, and with 3 when a host could
// not be asked.
func (f *flags) scanHostKeys(ctx context.Context, output string) error {
	if err := checkFormat(output); err != nil {
		return err
	}
	inv, err := inventory.Load(f.inventory)
	if err != nil {
		return usageError(err)
	}
	dialer := f.newDialer()
	defer dialer.Close() //nolint:contextcheck // it tidies up, also when ctx has ended
	scans := map[string]report.KeyScan{}
	var mutex sync.Mutex
	f.eachHost(inv.Hosts(), func(host inventory.RoleHost) {
		keys, err := dialer.HostKeys(ctx, target(inv, host.Host))
		mutex.Lock()
		defer mutex.Unlock()
		scans[host.Name] = keyScan(host, keys, err)
	})
	var all []report.KeyScan
	for _, host := range inv.Hosts() {
		all = append(all, scans[host.Name])
	}
	if output == formatText {
		report.WriteKeys(f.stdout, all, report.DetectStyle(f.stdout))
	} else if err := report.KeysJSON(f.stdout, all); err != nil {
		return err
	}
	return keysStatus(all)
}

func keyScan(host inventory.RoleHost, keys []remote.HostKey, err error) report.KeyScan {
	scan := report.KeyScan{Host: host.Name, Address: host.Address.String()}
	if err != nil {
		scan.Error = err.Error()
	}
	for _, key := range keys {
		shown := report.ShownKey{Key: key.String(), State: keyState(key)}
		if key.Err != nil {
			shown.Problem = key.Err.Error()
		}
		scan.Keys = append(scan.Keys, shown)
	}
	return scan
}

// keyState tells a key of a type that nothing is known of from one that has
// changed.
func keyState(key remote.HostKey) string {
	var problem *remote.HostKeyError
	if !errors.As(key.Err, &problem) {
		return report.KeyKnown
	}
	sameType := slices.ContainsFunc(problem.Known, func(known remote.KnownKey) bool { return known.Type == key.Type }) ||
		slices.ContainsFunc(problem.Pinned, func(pin remote.Pin) bool { return pin.Type == key.Type })
	switch {
	case problem.Revoked != nil:
		return report.KeyRevoked
	case sameType:
		return report.KeyChanged
	}
	return report.KeyUnknown
}

func keysStatus(scans []report.KeyScan) error {
	code := exitConverged
	for _, scan := range scans {
		switch {
		case scan.Error != "":
			return &exitStatus{code: exitSomeFailed}
		case !scan.IsKnown():
			code = exitDifferences
		}
	}
	if code == exitConverged {
		return nil
	}
	return &exitStatus{code: code}
}
