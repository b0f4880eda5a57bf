// Package converge is the engine: it looks at hosts, compares them with what is
// wanted, and brings the difference about. It knows hosts and resources, and
// nothing of Kubernetes.
package converge

import (
	"context"
	"io"
	"net"

	"provision/pkg/remote"
)

// Connection is an open connection to one host.
type Connection interface {
	// Run runs a command on the host and waits for its end.
	Run(ctx context.Context, command remote.Command) (remote.Result, error)
	// Upload streams a file into the host's staging directory and returns its
	// path there.
	Upload(ctx context.Context, file remote.File) (string, error)
	// DialContext connects to an address as the host reaches it.
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Artifacts opens the files that are uploaded, by the name and sum that the
// resources carry.
type Artifacts interface {
	Open(ctx context.Context, name, sum string) (content io.ReadCloser, size int64, err error)
}
