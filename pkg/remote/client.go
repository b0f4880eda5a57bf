package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Client is a connection to one host, safe for concurrent use. Its methods return when their context ends; the work that
// is left over, such as telling the host to stop, has ended when Close returns.
type Client struct {
	login       login
	log         *slog.Logger
	counters    *counters
	secrets     *secrets
	conn        *ssh.Client
	wire        *wire
	slots       chan struct{} // one per command, see maxSessions
	active      sync.Map      // *process → true: commands that have a session
	staging     staging
	work        sync.WaitGroup // background goroutines, guarded by mu against a late Add
	terminating sync.WaitGroup // commands that are being ended on the host

	done chan struct{} // closed when the connection has ended, after cause is set

	mu      sync.Mutex
	closing bool  // Close was called
	cause   error // why the connection ended
}

// maxSessions is how many commands run at once over one connection. sshd's MaxSessions, 10 by default, counts commands,
// the SFTP session, and those that end others; more commands wait here rather than fail there.
const maxSessions = 4

// sessionPatience is how long a session is asked for that sshd refuses: commands of ours that end make room.
const sessionPatience = 30 * time.Second

// Close waits for what is still running, but not longer than idleGrace, and for the host altogether, which has uploaded
// files to remove, not longer than closeGrace.
const (
	idleGrace  = 2 * time.Second
	closeGrace = 5 * time.Second
)

// errClosed is the cause when Close ended the connection.
var errClosed = errors.New("the connection was closed")

func newClient(d *Dialer, l login, wire *wire, conn *ssh.Client) *Client {
	c := &Client{
		login:    l,
		log:      d.options.Logger.With("host", l.Name),
		counters: &d.counters,
		secrets:  d.secrets,
		conn:     conn,
		wire:     wire,
		slots:    make(chan struct{}, maxSessions),
		done:     make(chan struct{}),
	}
	go func() {
		c.end(fmt.Errorf("the host ended the connection: %w", conn.Wait()))
		close(c.done)
	}()
	go c.keepAlive(l.KeepAlive, l.keepAliveCount)
	return c
}

// session opens a session, a channel for a command or for SFTP (RFC 4254 section 6.1). sshd refuses one too many, and
// counts those that have just ended for a moment longer. Nothing has run by then, so it is safe to ask again.
func (c *Client) session(ctx context.Context) (*ssh.Session, error) {
	patience := time.NewTimer(sessionPatience)
	defer patience.Stop()
	for try := 1; ; try++ {
		session, err := c.conn.NewSession()
		if err == nil {
			return session, nil
		}
		if !errors.As(err, new(*ssh.OpenChannelError)) {
			return nil, fmt.Errorf("open a session: %w", err)
		}
		select {
		case <-patience.C:
			return nil, fmt.Errorf("open a session, does MaxSessions in sshd_config allow another? %w", err)
		default:
		}
		if ended := pause(ctx, try); ended != nil {
			return nil, fmt.Errorf("open a session: %w", ended)
		}
	}
}

// Target returns how the host is reached, with defaults filled in.
func (c *Client) Target() Target { return c.login.Target }

// begin runs f in the background until Close; it refuses when Close has been called.
func (c *Client) begin(f func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return errClosed
	}
	c.work.Go(f)
	return nil
}

// end ends the connection; the first cause is the one that is told.
func (c *Client) end(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
	}
	c.mu.Unlock()
	_ = c.wire.Close()
}

// why returns the reason for err, which an operation on the connection gave: when the connection is at its end, that.
func (c *Client) why(err error) error {
	if !isAnswer(err) {
		// The operation may learn of the end of the connection before conn.Wait does; a request settles it.
		if _, _, err := c.conn.SendRequest(keepAliveRequest, true, nil); err != nil {
			<-c.done
		}
	}
	select {
	case <-c.done:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.cause
	default:
		return err
	}
}

// isAnswer tells whether err came from the host, or from the end of a context, and so says nothing of the connection.
func isAnswer(err error) bool {
	return errors.As(err, new(*ssh.ExitError)) || errors.As(err, new(*ssh.OpenChannelError)) || errors.As(err, new(*sftp.StatusError)) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

const (
	keepAliveRequest = "keepalive@openssh.com"
	keepAliveMisses  = 3 // intervals without a byte from the host after which it counts as gone
)

// keepAlive ends the connection when the host falls silent: after an interval without a byte it is asked for a sign of
// life, and after two more without an answer it is given up. Anything it sends counts, as with ServerAliveInterval of
// ssh_config(5), so that a slow link full of data is not taken for a dead one.
func (c *Client) keepAlive(interval time.Duration, count int) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	answered := make(chan struct{}, 1)
	answered <- struct{}{}
	last, misses := c.wire.received.Load(), 0
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
		}
		if now := c.wire.received.Load(); now != last {
			last, misses = now, 0
			continue
		}
		if misses++; misses >= count {
			c.end(fmt.Errorf("the host has not answered for %v, it is down, frozen or cut off", time.Duration(count)*interval))
			return
		}
		select {
		case <-answered:
			go func() { // ends with its answer or with the connection
				_, _, _ = c.conn.SendRequest(keepAliveRequest, true, nil)
				answered <- struct{}{}
			}()
		default: // the last question is still open
		}
	}
}

// Close removes the uploaded files and ends the connection. It takes ten seconds at most, also when the host is gone.
// Commands that are still running are ended; they fail.
func (c *Client) Close() error {
	c.mu.Lock()
	again := c.closing
	c.closing = true
	c.mu.Unlock()
	if again {
		<-c.done
		return nil
	}
	c.active.Range(func(key, _ any) bool {
		p := key.(*process)
		p.abandoned.Store(true)
		c.terminating.Go(p.kill)
		return true
	})
	idle := make(chan struct{})
	go func() {
		c.work.Wait()
		close(idle)
	}()
	grace := time.AfterFunc(closeGrace+terminateTimeout, func() { c.end(errClosed) })
	select { // what was cancelled tidies up after itself; only then is the directory at rest
	case <-idle:
	case <-c.done:
	case <-time.After(idleGrace):
	}
	c.terminating.Wait()
	err := c.staging.remove(c)
	grace.Stop()
	lost := c.lost()
	c.end(errClosed)
	<-idle
	<-c.done
	if err != nil && (lost == nil || errors.Is(lost, errClosed)) {
		return fmt.Errorf("close the connection to %s: %w", c.login, err)
	}
	return nil
}

// runAlone runs a command while the connection is being closed, when nobody else can any more.
func (c *Client) runAlone(cmd Command) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	line, err := cmd.line(c.login.User, false)
	if err != nil {
		return err
	}
	p := newProcess(cmd, c.login.User, "")
	if err := c.exec(ctx, line, p, func() bool { return false }); err != nil {
		return c.commandError(cmd, p, err)
	}
	return nil
}

// abandon closes a connection that nobody waits for any more.
func (c *Client) abandon() { _ = c.Close() }

// lost returns why the connection ended, or nil while it stands.
func (c *Client) lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// await runs f in the background and returns its error, or the cause of ctx when that ends first; f then goes on alone
// and is waited for by Close. An error is completed with the reason why the connection ended.
func (c *Client) await(ctx context.Context, f func() error) error {
	result := make(chan error, 1)
	if err := c.begin(func() {
		err := f()
		if err != nil {
			err = c.why(err)
		}
		result <- err
	}); err != nil {
		return err
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
