package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"provision/pkg/cluster"
	"provision/pkg/inventory"
)

func newKubeconfig(f *flags) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Give this operator access to the cluster",
		Long: `kubeconfig issues a client certificate for this operator and merges a context
named after the cluster into ~/.kube/config (or the file in KUBECONFIG). The
certificate is valid for a year; run it again for a new one.

It is the one command that writes a private key to this machine: the operator's
own, into a file that only the operator can read.`,
		Example: `  provision kubeconfig -i inventory.yaml && kubectl get nodes
  provision kubeconfig -i inventory.yaml -o - >cluster.kubeconfig`,
		Args: usageArgs(cobra.NoArgs),
	}
	command.Flags().StringVarP(&output, "output", "o", "", "`file` to merge into, - to print (default ~/.kube/config)")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		inv, err := inventory.Load(f.inventory)
		if err != nil {
			return usageError(err)
		}
		added, err := f.issueKubeconfig(cmd.Context(), inv)
		if err != nil {
			return err
		}
		if output == "-" {
			_, err = f.stdout.Write(added)
			return err
		}
		if err := f.mergeKubeconfig(output, added); err != nil {
			return err
		}
		fmt.Fprintf(f.stderr, "kubectl --context %s reaches the cluster\n", inv.Cluster)
		return nil
	}
	return command
}

// issueKubeconfig needs nothing but the master.
func (f *flags) issueKubeconfig(ctx context.Context, inv *inventory.Inventory) ([]byte, error) {
	master := inv.Hosts()[:1]
	fleet, err := f.connect(ctx, inv, master)
	if err != nil {
		return nil, err
	}
	defer fleet.close() //nolint:contextcheck // it tidies up, also when ctx has ended
	if err := fleet.unreachable[master[0].Name]; err != nil {
		return nil, err
	}
	target := cluster.Target{Inventory: inv, Hosts: fleet.clusterHosts()}
	return cluster.Kubeconfig(ctx, target, cluster.Operator{Name: operator()})
}

func (f *flags) mergeKubeconfig(path string, added []byte) error {
	if path == "" {
		var err error
		if path, err = defaultKubeconfig(); err != nil {
			return err
		}
	}
	existing, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	merged, err := cluster.MergeKubeconfig(existing, added)
	if err != nil {
		return fmt.Errorf("merge into %s: %w", path, err)
	}
	if err := replaceFile(path, merged); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	fmt.Fprintf(f.stderr, "wrote %s\n", path)
	return nil
}

func defaultKubeconfig() (string, error) {
	if list := filepath.SplitList(os.Getenv("KUBECONFIG")); len(list) > 0 && list[0] != "" {
		return list[0], nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find ~/.kube/config: %w; name a file with -o", err)
	}
	return filepath.Join(home, ".kube", "config"), nil
}

// replaceFile writes a file that only its owner can read, whole or not at all.
func replaceFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".provision-") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if _, err := temp.Write(content); err != nil {
		temp.Close()
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
