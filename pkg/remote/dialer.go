package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Target is how one host is reached. Everything but Address has a default.
type Target struct {
	Name           string         // for messages; default: the address
	Address        netip.AddrPort // port 0 means 22
	User           string         // default: root
	IdentityFile   string         // private key; default: the agent's keys, then ~/.ssh/id_rsa, id_ecdsa and id_ed25519
	KnownHosts     string         // default: ~/.ssh/known_hosts
	ConnectTimeout time.Duration  // for connecting and logging in, retries included; default: 10 s
}

// String names the host for error messages.
func (t Target) String() string {
	if t.Name == "" || t.Name == t.Address.Addr().String() {
		return fmt.Sprintf("%s@%s", t.User, t.Address)
	}
	return fmt.Sprintf("%s (%s@%s)", t.Name, t.User, t.Address)
}

// Options are what a Dialer needs from its surroundings. It reads no environment variables itself.
type Options struct {
	Agent     string        // path of the agent's socket, usually $SSH_AUTH_SOCK; "" is no agent
	Home      string        // home directory of the operator, for ~ in paths and for the default files
	Logger    *slog.Logger  // gets debug messages; nil discards them
	KeepAlive time.Duration // how long a connection may be silent before the host is asked; default: 5 s
}

// Dialer opens connections. It reads each key file, each known_hosts file and the agent's list of keys once, however
// many hosts there are, and is safe for concurrent use.
type Dialer struct {
	options    Options
	counters   counters
	keyFile    func(path string) (keyFile, error)
	knownHosts func(path string) (*knownHosts, error)
	agentKeys  func() ([]identity, error)
	defaults   func() (*identities, error)
	agent      agentConn
	work       sync.WaitGroup // handshakes that Dial no longer waits for
}

// Counts is how much a Dialer has done since it was made.
type Counts struct {
	Connections int64 // logged in
	Execs       int64 // commands sent
	Uploads     int64 // files begun
	Tunnels     int64 // TCP connections opened through hosts
}

type counters struct{ connections, execs, uploads, tunnels atomic.Int64 }

const (
	defaultUser           = "root"
	defaultPort           = 22
	defaultConnectTimeout = 10 * time.Second
	defaultKeepAlive      = 5 * time.Second
)

// NewDialer returns a Dialer; Close releases its connection to the agent.
func NewDialer(options Options) *Dialer {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.KeepAlive <= 0 {
		options.KeepAlive = defaultKeepAlive
	}
	d := &Dialer{
		options:    options,
		keyFile:    onceEach(readKeyFile),
		knownHosts: onceEach(readKnownHosts),
	}
	d.agentKeys = sync.OnceValues(d.readAgent)
	d.defaults = sync.OnceValues(d.readDefaults)
	return d
}

// onceEach makes read run once for each path; concurrent callers wait for that one run.
func onceEach[V any](read func(string) (V, error)) func(string) (V, error) {
	var runs sync.Map
	return func(path string) (V, error) {
		run, _ := runs.LoadOrStore(path, sync.OnceValues(func() (V, error) { return read(path) }))
		return run.(func() (V, error))()
	}
}

// Counts returns what has been done so far.
func (d *Dialer) Counts() Counts {
	return Counts{
		Connections: d.counters.connections.Load(),
		Execs:       d.counters.execs.Load(),
		Uploads:     d.counters.uploads.Load(),
		Tunnels:     d.counters.tunnels.Load(),
	}
}

// Close releases the connection to the agent. Clients that are open stay open.
func (d *Dialer) Close() error {
	err := d.agent.close()
	d.work.Wait()
	return err
}

// Dial connects to t and logs in. Errors worth a look of their own are [*HostKeyError] and [*AuthError]. When the host
// refuses or drops the connection before authentication, as sshd does beyond its MaxStartups, Dial tries again for as
// long as ConnectTimeout allows.
func (d *Dialer) Dial(ctx context.Context, t Target) (*Client, error) {
	t = d.withDefaults(t)
	log := d.options.Logger.With("host", t.Name)
	start := time.Now()
	client, err := d.dial(ctx, t)
	if err != nil {
		log.DebugContext(ctx, "ssh connect failed", "address", t.Address, "duration", time.Since(start), "error", err)
		return nil, fmt.Errorf("connect to %s: %w", t, err)
	}
	d.counters.connections.Add(1)
	log.DebugContext(ctx, "ssh connected", "address", t.Address, "user", t.User, "duration", time.Since(start))
	return client, nil
}

func (d *Dialer) withDefaults(t Target) Target {
	if t.Address.Port() == 0 {
		t.Address = netip.AddrPortFrom(t.Address.Addr(), defaultPort)
	}
	if t.Name == "" {
		t.Name = t.Address.Addr().String()
	}
	if t.User == "" {
		t.User = defaultUser
	}
	if t.KnownHosts == "" {
		t.KnownHosts = "~/.ssh/known_hosts"
	}
	if t.ConnectTimeout <= 0 {
		t.ConnectTimeout = defaultConnectTimeout
	}
	t.KnownHosts = d.expand(t.KnownHosts)
	t.IdentityFile = d.expand(t.IdentityFile)
	return t
}

// expand replaces a leading ~/ by the home directory, as ssh_config(5) does.
func (d *Dialer) expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(d.options.Home, rest)
	}
	return path
}

func (d *Dialer) dial(ctx context.Context, t Target) (*Client, error) {
	if !t.Address.IsValid() {
		return nil, errors.New("it has no address")
	}
	timeout := fmt.Errorf("no success within %v: %w", t.ConnectTimeout, context.DeadlineExceeded)
	ctx, cancel := context.WithTimeoutCause(ctx, t.ConnectTimeout, timeout)
	defer cancel()
	known, err := d.knownHosts(t.KnownHosts)
	if err != nil {
		return nil, err
	}
	ids, err := background(ctx, &d.work, func() (*identities, error) { return d.identities(t.IdentityFile) }, nil)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		h := &handshake{target: t, known: known, identities: ids}
		client, err := d.attempt(ctx, h)
		if err == nil {
			return client, nil
		}
		if !h.mayRetry(err, attempt) {
			return nil, attempts(err, attempt)
		}
		if ended := pause(ctx, attempt); ended != nil {
			return nil, fmt.Errorf("%w: %w", attempts(err, attempt), ended)
		}
		d.options.Logger.DebugContext(ctx, "ssh connect again", "host", t.Name, "attempt", attempt+1, "error", err)
	}
}

// attempt makes one connection.
func (d *Dialer) attempt(ctx context.Context, h *handshake) (*Client, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", h.target.Address.String())
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("no answer to the TCP connection, the host may be down or a firewall drops it: %w", context.Cause(ctx))
		}
		return nil, err
	}
	h.wire = &wire{Conn: conn}
	client, err := background(ctx, &d.work, func() (*Client, error) { return h.run(ctx, d) }, (*Client).abandon)
	if err != nil && ctx.Err() != nil {
		return nil, h.explain(ctx, err)
	}
	return client, err
}

// background runs f and returns what it returns, or the cause of ctx when that ends first: f may wait for the agent,
// which cannot be interrupted. A value that comes too late is given to discard, if that is not nil.
func background[V any](ctx context.Context, work *sync.WaitGroup, f func() (V, error), discard func(V)) (V, error) {
	type result struct {
		value V
		err   error
	}
	done := make(chan result, 1)
	work.Go(func() {
		value, err := f()
		done <- result{value, err}
	})
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
	}
	work.Go(func() {
		if r := <-done; r.err == nil && discard != nil {
			discard(r.value)
		}
	})
	var none V
	return none, context.Cause(ctx)
}

// Backoff between attempts: half to all of 50 ms, 100 ms, 200 ms … at most 1 s, so that hosts refused together do not
// come back together.
const (
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = time.Second
)

// pause waits before the next attempt; it returns the cause of ctx when that ends first.
func pause(ctx context.Context, attempt int) error {
	backoff := min(firstBackoff<<min(attempt-1, 10), maxBackoff)
	timer := time.NewTimer(backoff/2 + rand.N(backoff/2)) //nolint:gosec // jitter needs no secrecy
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func attempts(err error, count int) error {
	if count == 1 {
		return err
	}
	return fmt.Errorf("%w (%d attempts)", err, count)
}
