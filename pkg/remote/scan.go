package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// HostKey is a key that a host has shown.
type HostKey struct {
	Pin
	// Err is nil for a key that the host is known by, else a [*HostKeyError].
	Err error
}

// errScanned ends a handshake when the key has been seen.
var errScanned = errors.New("the key has been seen")

// HostKeys asks a host for its keys, one of each type that it has, and logs in nowhere but at jump hosts. What an unknown
// host shows proves nothing: a person has to compare it.
func (d *Dialer) HostKeys(ctx context.Context, t Target) ([]HostKey, error) {
	l, err := d.login(t, Target{})
	if err != nil {
		return nil, fmt.Errorf("look at the keys of %s: %w", t.Name, err)
	}
	keys, err := d.scan(ctx, l)
	if err != nil {
		return nil, fmt.Errorf("look at the keys of %s: %w", l, err)
	}
	return keys, nil
}

func (d *Dialer) scan(ctx context.Context, l login) ([]HostKey, error) {
	l.HostKeyPolicy = HostKeysStrict
	trust, err := d.trust(l)
	if err != nil {
		return nil, err
	}
	via, err := d.via(ctx, l)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.ConnectTimeout, fmt.Errorf("no success within %v: %w", l.ConnectTimeout, context.DeadlineExceeded))
	defer cancel()
	var keys []HostKey
	for _, keyType := range keyTypes() {
		h := &handshake{login: l, trust: trust}
		key, err := h.show(ctx, via, algorithmsOf(keyType))
		for attempt := 1; err != nil && h.mayRetry(err, attempt) && pause(ctx, attempt) == nil; attempt++ {
			key, err = h.show(ctx, via, algorithmsOf(keyType))
		}
		switch {
		case errors.As(err, new(*ssh.AlgorithmNegotiationError)): // the host has none of this type
		case err != nil:
			return nil, h.explain(ctx, err)
		default:
			keys = append(keys, HostKey{pinOf(key), trust.check(l.address(), key, time.Now())})
		}
	}
	return keys, nil
}

// show connects until the host has shown its key for one of the algorithms.
func (h *handshake) show(ctx context.Context, via *Client, hostKeys []string) (ssh.PublicKey, error) {
	h.wire = nil
	conn, err := dialTCP(ctx, h.login, via)
	if err != nil {
		return nil, err
	}
	h.wire = &wire{Conn: conn}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var shown ssh.PublicKey
	_, _, _, err = ssh.NewClientConn(h.wire, h.login.address(), &ssh.ClientConfig{
		Config: algorithms(), User: h.login.User, ClientVersion: clientVersion, HostKeyAlgorithms: hostKeys,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			shown = key
			return errScanned
		},
	})
	if shown != nil {
		return shown, nil
	}
	return nil, err
}
