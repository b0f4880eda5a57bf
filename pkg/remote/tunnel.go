package remote

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"
)

// DialContext opens a connection from the host: to a TCP address, which the host resolves, so that 127.0.0.1 is the host
// itself, or with the network "unix" to the path of a socket there. It is the direct-tcpip channel of RFC 4254 section 7.2,
// or OpenSSH's direct-streamlocal (PROTOCOL section 2.4), and has the signature that http.Transport wants. The connection
// has no deadlines; it ends with the Client.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" && network != "unix" {
		return nil, fmt.Errorf("tunnel to %s through %s: network %q is neither tcp nor unix", address, c.login, network)
	}
	conn, err := c.conn.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("tunnel to %s through %s: %w", address, c.login, tunnelError(c.why(err)))
	}
	c.counters.tunnels.Add(1)
	c.log.DebugContext(ctx, "ssh tunnel", "address", address)
	return conn, nil
}

func tunnelError(err error) error {
	if refused := (*ssh.OpenChannelError)(nil); errors.As(err, &refused) && refused.Reason == ssh.Prohibited {
		return fmt.Errorf("sshd does not allow it, set AllowTcpForwarding, for sockets AllowStreamLocalForwarding, to yes or local in its sshd_config: %w", err)
	}
	return err
}
