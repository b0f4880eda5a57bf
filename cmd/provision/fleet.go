package main

import (
	"context"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"

	"provision/pkg/converge"
	"provision/pkg/inventory"
	"provision/pkg/remote"
)

// fleet is the open connections to the hosts of an inventory.
type fleet struct {
	dialer      *remote.Dialer
	hosts       map[string]*remote.Client
	unreachable map[string]error
}

// maxDialing bounds the connections that are being opened at one time: each
// costs CPU for its key exchange, and more at once only makes all of them late.
const maxDialing = 128

// connect opens a connection to every host, all at the same time. A host that
// can't be reached does not hold up the others.
func (f *flags) connect(ctx context.Context, inv *inventory.Inventory) *fleet {
	home, _ := os.UserHomeDir() // "" leaves only keys named in full
	fleet := &fleet{
		dialer:      remote.NewDialer(remote.Options{Agent: os.Getenv("SSH_AUTH_SOCK"), Home: home, Logger: f.logger()}),
		hosts:       map[string]*remote.Client{},
		unreachable: map[string]error{},
	}
	var mutex sync.Mutex
	var group errgroup.Group
	group.SetLimit(maxDialing)
	for _, host := range inv.Hosts() {
		group.Go(func() error {
			client, err := fleet.dialer.Dial(ctx, target(inv, host.Host))
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil {
				fleet.unreachable[host.Name] = err
				return nil
			}
			fleet.hosts[host.Name] = client
			return nil
		})
	}
	_ = group.Wait() // every error is kept under its host
	return fleet
}

// onHosts does work with what the inventory means and open connections to its
// hosts.
func (f *flags) onHosts(ctx context.Context, work func(*declared, *fleet) error) error {
	declared, err := f.declare(ctx)
	if err != nil {
		return err
	}
	defer declared.close()
	fleet := f.connect(ctx, declared.inventory)
	defer fleet.close()
	return work(declared, fleet)
}

func target(inv *inventory.Inventory, host inventory.Host) remote.Target {
	ssh := inv.SSHOf(host)
	return remote.Target{
		Name:           host.Name,
		Address:        netip.AddrPortFrom(host.Address, ssh.Port),
		User:           ssh.User,
		IdentityFile:   ssh.IdentityFile,
		KnownHosts:     ssh.KnownHosts,
		ConnectTimeout: ssh.ConnectTimeout,
	}
}

// connections are the fleet's hosts as the engine sees them.
func (f *fleet) connections() map[string]converge.Connection {
	connections := make(map[string]converge.Connection, len(f.hosts))
	for name, client := range f.hosts {
		connections[name] = client
	}
	return connections
}

func (f *fleet) close() {
	var group sync.WaitGroup
	for _, client := range f.hosts {
		group.Go(func() { client.Close() })
	}
	group.Wait()
	f.dialer.Close()
}
