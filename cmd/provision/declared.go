package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"provision/pkg/artifact"
	"provision/pkg/blueprint"
	"provision/pkg/inventory"
	"provision/pkg/resource"
	"provision/templates"
)

// declared is what an inventory means: nothing in it comes from a host.
type declared struct {
	inventory *inventory.Inventory
	sum       string
	artifacts *artifact.Store
	hosts     []resource.Host
	image     string
	close     func()

	// selection is the part that a run is about, selected the names of its hosts.
	selection selection
	selected  map[string]bool
}

// choose narrows what is declared down to a part.
func (d *declared) choose(part selection) (err error) {
	if d.selected, err = part.hosts(d.inventory); err != nil {
		return err
	}
	if err := part.check(d.hosts); err != nil {
		return err
	}
	d.selection = part
	d.hosts = needed(d.hosts, d.selected)
	return nil
}

// needed are the hosts that a run looks at.
func (d *declared) needed() []inventory.RoleHost {
	return slices.DeleteFunc(d.inventory.Hosts(), func(host inventory.RoleHost) bool {
		return !slices.ContainsFunc(d.hosts, func(declared resource.Host) bool { return declared.Name == host.Name })
	})
}

// declare reads the inventory and renders the desired state of its hosts.
func (f *flags) declare(ctx context.Context) (*declared, error) {
	text, err := os.ReadFile(f.inventory)
	if err != nil {
		return nil, usageError(fmt.Errorf("read inventory: %w; name it with -i", err))
	}
	inv, err := inventory.Parse(f.inventory, text)
	if err != nil {
		return nil, err
	}
	sets, err := f.sets()
	if err != nil {
		return nil, usageError(err)
	}
	set, err := blueprint.Select(sets, inv.Kubernetes.Version)
	if err != nil {
		return nil, usageError(err)
	}
	downloads, err := os.MkdirTemp("", "provision-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for downloads: %w", err)
	}
	d := &declared{inventory: inv, sum: resource.Sum(text), close: func() { os.RemoveAll(downloads) }}
	if err := d.render(ctx, set, downloads); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *declared) render(ctx context.Context, set *blueprint.Set, downloads string) (err error) {
	if d.artifacts, err = artifact.New(ctx, d.inventory.Artifacts, downloads); err != nil {
		return err
	}
	if d.hosts, err = set.Desired(d.inventory, d.artifacts); err != nil {
		return usageError(err) // the inventory asks for what the set or the artifacts don't have
	}
	d.image, err = set.SampleImage(d.inventory, d.artifacts)
	return err
}

// sets are the template sets, with the operator's overlay.
func (f *flags) sets() (fs.FS, error) {
	if f.templates == "" {
		return templates.Sets, nil
	}
	info, err := os.Stat(f.templates)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", f.templates)
	}
	if err != nil {
		return nil, fmt.Errorf("template sets: %w", err)
	}
	return blueprint.Overlay{Over: os.DirFS(f.templates), Base: templates.Sets}, nil
}
