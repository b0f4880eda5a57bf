package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"provision/pkg/cluster"
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

// newDialer is how this operator reaches hosts.
func (f *flags) newDialer() *remote.Dialer {
	home, _ := os.UserHomeDir() // "" leaves only files named in full
	asker := &asker{tty: openTerminal, getenv: os.Getenv}
	return remote.NewDialer(remote.Options{
		Agent:   os.Getenv("SSH_AUTH_SOCK"),
		Home:    home,
		Configs: []string{"~/.ssh/config", "/etc/ssh/ssh_config"},
		Logger:  f.logger(),
		Ask:     asker.ask,
	})
}

// connect opens a connection to every host, as many at the same time as --parallel
// says. A host that can't be reached does not hold up the others.
func (f *flags) connect(ctx context.Context, inv *inventory.Inventory, hosts []inventory.RoleHost) (*fleet, error) {
	if err := checkFiles(len(hosts)); err != nil {
		return nil, usageError(err)
	}
	fleet := &fleet{dialer: f.newDialer(), hosts: map[string]*remote.Client{}, unreachable: map[string]error{}}
	var mutex sync.Mutex
	f.eachHost(hosts, func(host inventory.RoleHost) {
		client, err := fleet.dialer.Dial(ctx, target(inv, host.Host))
		mutex.Lock()
		defer mutex.Unlock()
		if err != nil {
			fleet.unreachable[host.Name] = err
			return
		}
		fleet.hosts[host.Name] = client
	})
	return fleet, nil
}

// eachHost does work for every host, as many at the same time as --parallel says.
func (f *flags) eachHost(hosts []inventory.RoleHost, work func(inventory.RoleHost)) {
	var group errgroup.Group
	group.SetLimit(f.parallel)
	for _, host := range hosts {
		group.Go(func() error {
			work(host)
			return nil
		})
	}
	_ = group.Wait()
}

// spareFiles are the file descriptors that are needed besides the connections.
const spareFiles = 64

// checkFiles tells whether this process may have enough connections. Go has
// raised the soft limit to the hard one already.
func checkFiles(hosts int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil //nolint:nilerr // then the connections will tell
	}
	if need := uint64(hosts + spareFiles); need > limit.Cur { //nolint:gosec // not negative
		return fmt.Errorf("%d hosts need %d open files, and this process may have %d: raise the limit (ulimit -n)", hosts, need, limit.Cur)
	}
	return nil
}

// onHosts does work with what the inventory means and open connections to its
// hosts, or to those that a selection needs.
func (f *flags) onHosts(ctx context.Context, part selection, work func(*declared, *fleet) error) error {
	declared, err := f.declare(ctx)
	if err != nil {
		return err
	}
	defer declared.close()
	if err := declared.choose(part); err != nil {
		return err
	}
	fleet, err := f.connect(ctx, declared.inventory, declared.needed())
	if err != nil {
		return err
	}
	defer fleet.close() //nolint:contextcheck // it tidies up, also when ctx has ended
	return work(declared, fleet)
}

func target(inv *inventory.Inventory, host inventory.Host) remote.Target {
	ssh := inv.SSHOf(host)
	pins := make([]remote.Pin, 0, len(ssh.HostKeys))
	for _, text := range ssh.HostKeys {
		if pin, err := remote.ParsePin(text); err == nil { // the inventory has checked them
			pins = append(pins, pin)
		}
	}
	return remote.Target{
		Name:           host.Name,
		Host:           host.Address.String(),
		Port:           ssh.Port,
		User:           ssh.User,
		Config:         ssh.Config,
		IdentityFile:   ssh.IdentityFile,
		KnownHosts:     ssh.KnownHosts,
		HostKeys:       pins,
		HostKeyPolicy:  ssh.UnknownHosts,
		Jump:           ssh.Jump,
		ConnectTimeout: ssh.ConnectTimeout,
		CommandTimeout: ssh.CommandTimeout,
		KeepAlive:      ssh.KeepAlive,
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

// clusterHosts are the fleet's hosts as package cluster sees them.
func (f *fleet) clusterHosts() map[string]cluster.Host {
	hosts := make(map[string]cluster.Host, len(f.hosts))
	for name, client := range f.hosts {
		hosts[name] = client
	}
	return hosts
}

func (f *fleet) close() {
	var group sync.WaitGroup
	for _, client := range f.hosts {
		group.Go(func() { client.Close() })
	}
	group.Wait()
	f.dialer.Close()
}
