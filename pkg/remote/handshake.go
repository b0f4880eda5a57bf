package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// handshake is one attempt to log in: key exchange, host key, authentication. Its fields tell afterwards how far it came.
type handshake struct {
	login login
	trust *trust
	auth  authentication
	wire  *wire // nil: TCP did not connect

	stage  atomic.Int32 // a stage: how far it came
	keyErr error        // what is wrong with the host key; set in stageKeyExchange
}

const (
	stageKeyExchange int32 = iota // identification and key exchange, RFC 4253
	stageHostKey                  // the host has shown its key
	stageAuth                     // the host wants authentication, RFC 4252
)

// clientVersion is how the client names itself to sshd, RFC 4253 section 4.2.
const clientVersion = "SSH-2.0-provision"

// algorithms returns what is offered in the key exchange, in the order of preference. Among the key exchanges the one that
// a recording cannot be decrypted from later, with a quantum computer, comes first, as in OpenSSH 10; it costs a fraction
// of a millisecond. Among the ciphers the fastest comes first. Those on SHA-1, CBC and small groups are left out; OpenSSH
// has had the others since 6.5.
func algorithms() ssh.Config {
	return ssh.Config{
		KeyExchanges: []string{
			ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519, ssh.KeyExchangeECDHP256, ssh.KeyExchangeECDHP384,
			ssh.KeyExchangeECDHP521, ssh.KeyExchangeDH14SHA256, ssh.KeyExchangeDH16SHA512,
		},
		Ciphers: []string{
			ssh.CipherAES128GCM, ssh.CipherChaCha20Poly1305, ssh.CipherAES256GCM, ssh.CipherAES128CTR, ssh.CipherAES256CTR,
		},
		MACs: []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM, ssh.HMACSHA256, ssh.HMACSHA512},
	}
}

// run makes a Client of the TCP connection; it closes the connection when it fails or ctx ends first.
func (h *handshake) run(ctx context.Context, d *Dialer) (*Client, error) {
	stop := context.AfterFunc(ctx, func() { _ = h.wire.Close() })
	conn, channels, requests, err := ssh.NewClientConn(h.wire, h.login.address(), h.config())
	if !stop() && err == nil {
		_ = conn.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, h.explain(ctx, err)
	}
	return newClient(d, h.login, h.wire, ssh.NewClient(conn, channels, requests)), nil
}

func (h *handshake) config() *ssh.ClientConfig {
	address := h.login.address()
	return &ssh.ClientConfig{
		Config:            algorithms(),
		User:              h.login.User,
		Auth:              h.auth.methods(),
		HostKeyAlgorithms: h.trust.offer(address),
		ClientVersion:     clientVersion,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if h.stage.Load() == stageKeyExchange { // later calls are from rekeying
				h.keyErr = h.trust.check(address, key, time.Now())
				h.stage.Store(stageHostKey)
				return h.keyErr
			}
			return h.trust.check(address, key, time.Now())
		},
		AuthCallback: func(auth *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
			h.stage.Store(stageAuth)
			return h.auth.next(auth)
		},
	}
}

// explain turns what x/crypto says into what happened.
func (h *handshake) explain(ctx context.Context, err error) error {
	stage := h.stage.Load()
	switch {
	case h.wire == nil: // TCP did not connect
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", h.waitingFor(stage), context.Cause(ctx))
	case h.keyErr != nil:
		return h.keyErr
	case stage == stageAuth && !isDropped(err):
		return h.auth.refused(err)
	case h.wire.received.Load() > 0 && !h.wire.speaksSSH():
		return fmt.Errorf("the server is no SSH server or turns us away, it says %q: %w", h.wire.greeting(), err)
	case isDropped(err):
		return fmt.Errorf("the host closed the connection while we were %s: %w", doing(stage), err)
	default:
		return err
	}
}

// waitingFor says what a handshake that ran out of time was waiting for.
func (h *handshake) waitingFor(stage int32) string {
	switch {
	case h.wire.received.Load() == 0:
		return "the TCP connection stands but the server says nothing, it may be frozen, overloaded or no sshd"
	case !h.wire.speaksSSH():
		return fmt.Sprintf("the server is no SSH server, it says %q", h.wire.greeting())
	default:
		return "the host stopped answering while we were " + doing(stage)
	}
}

func doing(stage int32) string {
	if stage == stageAuth {
		return "logging in"
	}
	return "agreeing on keys"
}

// Tries for a port that refuses connections: enough for an sshd that restarts, few enough to be told soon.
const maxRefusals = 4

// mayRetry tells whether the failed attempt may be repeated: nothing was asked of the host yet, and the reason is one
// that passes. sshd drops connections beyond MaxStartups before it sends its identification, newer ones with a line
// that says so; other text than that is from another kind of server.
func (h *handshake) mayRetry(err error, attempt int) bool {
	if h.wire == nil {
		refused := (*ssh.OpenChannelError)(nil)
		behindJump := errors.As(err, &refused) && refused.Reason == ssh.ConnectionFailed
		return attempt < maxRefusals && (errors.Is(err, syscall.ECONNREFUSED) || behindJump)
	}
	passes := h.wire.received.Load() == 0 || h.wire.speaksSSH() || strings.Contains(h.wire.greeting(), "MaxStartups")
	return passes && h.stage.Load() == stageKeyExchange && isDropped(err)
}

// isDropped tells whether the other side ended the connection.
func isDropped(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, sftp.ErrSSHFxConnectionLost)
}
