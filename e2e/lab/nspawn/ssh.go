package nspawn

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/crypto/ssh"

	"provision/e2e/lab/internal/wait"
)

const (
	// dialTimeout bounds one try to connect. A host that has no address yet does not refuse, it is silent.
	dialTimeout = 200 * time.Millisecond
	// handshakeTimeout bounds one try to log in.
	handshakeTimeout = 5 * time.Second
)

// WaitSSH returns when root can log in to the host.
func (h *Host) WaitSSH(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	config, err := h.clientConfig()
	if err != nil {
		return err
	}
	var last error
	err = wait.Until(ctx, 2*pollInterval, h.Name+" answers by SSH", func() (bool, error) {
		if last = h.logIn(ctx, config); last == nil {
			return true, nil
		}
		now, err := h.Status()
		if err == nil && now == Off {
			err = fmt.Errorf("host %s has powered off instead of answering by SSH", h.Name)
		}
		return false, err
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w; the last try: %w", err, last)
	default:
		return fmt.Errorf("%w%s", err, h.snapshot().consoleTail(h.Name))
	}
}

func (h *Host) clientConfig() (*ssh.ClientConfig, error) {
	text, err := os.ReadFile(h.lab.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read key of lab %s: %w", h.lab.Name, err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("read key of lab %s: %w", h.lab.Name, err)
	}
	if len(h.self.Keys) == 0 {
		return nil, fmt.Errorf("host %s has not been booted", h.Name)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(h.self.Keys[0]))
	if err != nil {
		return nil, fmt.Errorf("read host key of %s: %w", h.Name, err)
	}
	return &ssh.ClientConfig{
		User:              "root",
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   ssh.FixedHostKey(key),
		HostKeyAlgorithms: []string{key.Type()},
		Timeout:           handshakeTimeout,
	}, nil
}

// logIn logs in once and out again.
func (h *Host) logIn(ctx context.Context, config *ssh.ClientConfig) error {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(h.Addr.String(), "22"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	client, channels, requests, err := ssh.NewClientConn(conn, h.Addr.String(), config)
	if err != nil {
		return err
	}
	return ssh.NewClient(client, channels, requests).Close()
}

func (h *Host) snapshot() *state {
	h.lab.mu.Lock()
	defer h.lab.mu.Unlock()
	return h.lab.state
}
