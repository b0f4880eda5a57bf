// Package cluster is what is Kubernetes' own: it verifies a running cluster as
// its users see it, and gives operators access. All its traffic goes through
// the connections to the hosts, so that port 22 is all it needs.
package cluster

import (
	"cmp"
	"context"
	"net"
	"time"

	"provision/pkg/inventory"
	"provision/pkg/remote"
)

// Host is the part of a connection that is used here.
type Host interface {
	// Run runs a command on the host and waits for its end.
	Run(ctx context.Context, command remote.Command) (remote.Result, error)
	// DialContext connects to an address as the host reaches it.
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Target is the cluster to look at.
type Target struct {
	Inventory *inventory.Inventory
	// Hosts are the open connections by host name; a host that could not be
	// reached is missing.
	Hosts map[string]Host
	// Image is run by a short-lived workload; it must answer HTTP on the
	// inventory's verify.port.
	Image string
	// Patience bounds each wait for something that may still be starting; a
	// minute and a half when zero.
	Patience time.Duration
}

const defaultPatience = 90 * time.Second

func (t Target) patience() time.Duration { return cmp.Or(t.Patience, defaultPatience) }

// master is the connection to the first master, nil when there is none.
func (t Target) master() Host { return t.Hosts[t.Inventory.Master[0].Name] }
