package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"provision/pkg/resource"
)

func newRender(f *flags) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "render",
		Short: "Write every file of every host to a local folder",
		Long: `render writes each file that the inventory gives to a host as
FOLDER/HOST/absolute/path, and contacts no host. Certificates, keys and other
secrets are made only on the way to a host: they are not written.`,
		Args: usageArgs(cobra.NoArgs),
	}
	command.Flags().StringVarP(&output, "output", "o", "", "`folder` to write to (required)")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if output == "" {
			return usageError(errors.New("name a folder with -o"))
		}
		declared, err := f.declare(cmd.Context())
		if err != nil {
			return err
		}
		defer declared.close()
		return f.render(declared.hosts, output)
	}
	return command
}

func (f *flags) render(hosts []resource.Host, folder string) error {
	if err := checkFolder(hosts, folder); err != nil {
		return usageError(err)
	}
	written, secret := 0, 0
	for _, host := range hosts {
		for _, r := range host.Resources() {
			switch r := r.(type) {
			case resource.Certificate, resource.Authority, resource.Trust:
				secret++
			case resource.File:
				if r.Once {
					secret++
					continue
				}
				path := filepath.Join(folder, host.Name, filepath.FromSlash(r.Path))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					return fmt.Errorf("render %s of %s: %w", r.Path, host.Name, err)
				}
				if err := os.WriteFile(path, r.Content, 0o600); err != nil { // an inventory may hold credentials
					return fmt.Errorf("render %s of %s: %w", r.Path, host.Name, err)
				}
				written++
			}
		}
	}
	fmt.Fprintf(f.stderr, "wrote %d files of %d hosts to %s; %d certificates and keys are made only when applied\n", written, len(hosts), folder, secret)
	return nil
}

// checkFolder refuses a folder that holds anything but an earlier rendering of
// these hosts, so that a slip of the hand scatters no files.
func checkFolder(hosts []resource.Host, folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("render to a folder: %w", err)
	}
	for _, entry := range entries {
		if !slices.ContainsFunc(hosts, func(host resource.Host) bool { return host.Name == entry.Name() }) {
			return fmt.Errorf("%s holds other things (%s); name a new folder with -o", folder, entry.Name())
		}
	}
	return nil
}
