package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh/agent"
)

// agentConn is the connection to ssh-agent, kept open because the agent signs once per host.
type agentConn struct {
	mu   sync.Mutex
	conn net.Conn
}

// agentTimeout bounds listing the agent's keys: one that hangs must not hold up the run.
const agentTimeout = 5 * time.Second

// readAgent asks the agent for its keys.
func (d *Dialer) readAgent() ([]identity, error) {
	if d.options.Agent == "" {
		return nil, errors.New("no agent runs (SSH_AUTH_SOCK is not set)")
	}
	ctx, cancel := context.WithTimeout(context.Background(), agentTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", d.options.Agent)
	if err != nil {
		return nil, fmt.Errorf("the agent does not answer: %w", err)
	}
	d.agent.mu.Lock()
	d.agent.conn = conn
	d.agent.mu.Unlock()
	if err := conn.SetDeadline(time.Now().Add(agentTimeout)); err != nil {
		return nil, fmt.Errorf("reach the agent: %w", err)
	}
	client := agent.NewClient(conn)
	listed, err := client.List()
	if err != nil {
		return nil, fmt.Errorf("list the agent's keys: %w", err)
	}
	signers, err := client.Signers()
	if err != nil {
		return nil, fmt.Errorf("list the agent's keys: %w", err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil { // signing may wait for its user
		return nil, fmt.Errorf("reach the agent: %w", err)
	}
	ids := make([]identity, len(signers))
	for i, signer := range signers {
		origin := "agent"
		for _, key := range listed {
			if bytes.Equal(key.Blob, signer.PublicKey().Marshal()) && key.Comment != "" {
				origin = "agent: " + key.Comment
			}
		}
		ids[i] = identity{signer: withSHA2(signer), origin: origin}
	}
	if len(ids) == 0 {
		return nil, errors.New("the agent has no keys")
	}
	return ids, nil
}

func (a *agentConn) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn == nil {
		return nil
	}
	return a.conn.Close()
}
