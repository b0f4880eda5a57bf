package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a Dialer needs from its surroundings. It reads no environment variables itself.
type Options struct {
	Agent   string       // path of the agent's socket, usually $SSH_AUTH_SOCK; "" is no agent
	Home    string       // home directory of the operator, for ~ in paths and for the default files
	Configs []string     // ssh_config files, the operator's before the system's; those that don't exist are passed over
	Logger  *slog.Logger // gets debug messages; nil discards them

	// Ask asks the operator for a secret, or gives it from where it was put. attempt is 0, and more when what came before
	// was wrong. It returns when ctx ends. [ErrNoSecret] says that there is nobody to ask; nil always says that.
	Ask func(ctx context.Context, secret Secret, attempt int) (string, error)
}

// Dialer opens connections. It reads each key file, each known_hosts file and the agent's list of keys once, however
// many hosts there are, asks for each secret once, and is safe for concurrent use.
type Dialer struct {
	options    Options
	counters   counters
	ctx        context.Context //nolint:containedctx // ends with Close, for what belongs to no single Dial
	cancel     context.CancelFunc
	keyFile    func(path string) (keyFile, error)
	knownHosts func(path string) (*knownHosts, error)
	configFile func(path string) (sshConfig, error)
	agentKeys  func() ([]identity, error)
	secrets    *secrets
	lockedKeys sync.Map // path → *lockedKey
	agent      agentConn
	jumps      jumps
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

// NewDialer returns a Dialer; Close releases what it holds.
func NewDialer(options Options) *Dialer {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Dialer{
		options:    options,
		keyFile:    onceEach(readKeyFile),
		knownHosts: onceEach(readKnownHosts),
		configFile: onceEach(func(file string) (sshConfig, error) { return readConfig(file, options.Home) }),
		secrets:    newSecrets(options.Ask),
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.agentKeys = sync.OnceValues(d.readAgent)
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

// Close ends the connections to jump hosts and to the agent. Clients should be closed before: those behind a jump host
// lose their connection.
func (d *Dialer) Close() error {
	d.cancel()
	err := errors.Join(d.jumps.close(), d.agent.close())
	d.work.Wait()
	return err
}

// Dial connects to t and logs in. Errors worth a look of their own are [*HostKeyError] and [*AuthError]. When the host
// refuses or drops the connection before authentication, as sshd does beyond its MaxStartups, Dial tries again for as
// long as ConnectTimeout allows.
func (d *Dialer) Dial(ctx context.Context, t Target) (*Client, error) {
	l, err := d.login(t, Target{})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", cmp.Or(t.Name, t.Host), err)
	}
	client, err := d.connect(ctx, l)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", l, err)
	}
	return client, nil
}

// connect makes a connection, through the login's jump hosts.
func (d *Dialer) connect(ctx context.Context, l login) (*Client, error) {
	via, err := d.via(ctx, l)
	if err != nil {
		return nil, err
	}
	return d.connectThrough(ctx, l, via)
}

func (d *Dialer) connectThrough(ctx context.Context, l login, via *Client) (*Client, error) {
	log := d.options.Logger.With("host", l.Name)
	start := time.Now()
	client, err := d.dial(ctx, l, via)
	if err != nil {
		log.DebugContext(ctx, "ssh connect failed", "address", l.address(), "duration", time.Since(start), "error", err)
		return nil, err
	}
	d.counters.connections.Add(1)
	log.DebugContext(ctx, "ssh connected", "address", l.address(), "user", l.User, "jump", l.Jump, "duration", time.Since(start))
	return client, nil
}

func (d *Dialer) dial(ctx context.Context, l login, via *Client) (*Client, error) {
	if l.Host == "" {
		return nil, errors.New("it has no address")
	}
	timeout := fmt.Errorf("no success within %v: %w", l.ConnectTimeout, context.DeadlineExceeded)
	ctx, patience := withPatience(ctx, l.ConnectTimeout, timeout)
	defer patience.stop()
	trust, err := d.trust(l)
	if err != nil {
		return nil, err
	}
	ids, err := d.identities(ctx, l)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		h := &handshake{login: l, trust: trust}
		h.auth = authentication{ctx: ctx, login: l, identities: ids, secrets: d.secrets, patience: patience}
		client, err := d.attempt(ctx, h, via)
		if err == nil {
			return client, nil
		}
		if !h.mayRetry(err, attempt) {
			return nil, attempts(err, attempt)
		}
		if ended := pause(ctx, attempt); ended != nil {
			return nil, fmt.Errorf("%w: %w", attempts(err, attempt), ended)
		}
		d.options.Logger.DebugContext(ctx, "ssh connect again", "host", l.Name, "attempt", attempt+1, "error", err)
	}
}

// trust reads the known_hosts files of a login.
func (d *Dialer) trust(l login) (*trust, error) {
	t := &trust{pins: l.HostKeys, policy: l.HostKeyPolicy, algorithms: l.algorithms}
	for _, path := range l.knownHosts {
		file, err := d.knownHosts(path)
		if err != nil {
			return nil, err
		}
		t.files = append(t.files, file)
	}
	return t, nil
}

// attempt makes one connection.
func (d *Dialer) attempt(ctx context.Context, h *handshake, via *Client) (*Client, error) {
	conn, err := dialTCP(ctx, h.login, via)
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
