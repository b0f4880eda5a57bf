package main

import (
	"context"
	"fmt"
	"sync"

	"provision/pkg/cluster"
	"provision/pkg/converge"
	"provision/pkg/inventory"
)

// drain has the pods of a slave moved elsewhere before what runs on it is
// restarted, and lets pods in again when it works. A slave that does not stays
// cordoned: pods would find nothing there.
func drain(declared *declared, fleet *fleet) (disturb converge.Disturb, closeAll func()) {
	var once sync.Once
	var drainer *cluster.Drainer
	var failed error
	open := func(ctx context.Context) (*cluster.Drainer, error) {
		once.Do(func() { drainer, failed = cluster.OpenDrainer(ctx, declared.target(fleet)) })
		return drainer, failed
	}
	slaves := map[string]bool{}
	for _, host := range declared.inventory.Hosts() {
		slaves[host.Name] = host.HasRole(inventory.RoleSlave)
	}
	disturb = func(ctx context.Context, host string) (func(context.Context, error) error, error) {
		if !slaves[host] {
			return func(context.Context, error) error { return nil }, nil
		}
		drainer, err := open(ctx)
		if err != nil {
			return nil, err
		}
		if err := drainer.Drain(ctx, host); err != nil {
			return nil, fmt.Errorf("%w; nothing was changed here", err)
		}
		return func(ctx context.Context, err error) error {
			if !converge.RunsOn(err) {
				return fmt.Errorf("node %s stays cordoned until a run succeeds with --drain, or kubectl uncordon %s", host, host)
			}
			return drainer.Uncordon(ctx, host)
		}, nil
	}
	return disturb, func() {
		if drainer != nil {
			drainer.Close()
		}
	}
}
