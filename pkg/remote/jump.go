package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// errCircle is a chain of jump hosts that leads back to itself, as ssh_config may well have it.
var errCircle = errors.New("the chain of jump hosts has no end: ssh_config's ProxyJump leads back to a host of it")

// jumps are the connections to jump hosts, one each for all hosts behind it: sshd's MaxSessions does not count the
// connections that are passed on.
type jumps struct {
	mu      sync.Mutex
	clients map[string]*jump
}

// jump is a connection to a jump host, or the attempt to make it.
type jump struct {
	done   chan struct{} // closed when the attempt has ended
	client *Client
	err    error
}

// via returns a connection to the last jump host of a login, or nil when it has none.
func (d *Dialer) via(ctx context.Context, l login) (*Client, error) {
	chain, err := d.chain(l)
	if err != nil {
		return nil, err
	}
	var client *Client
	for _, hop := range chain {
		through := client
		client, err = d.jumps.get(ctx, hop.key(), func() (*Client, error) { return d.connectThrough(ctx, hop, through) })
		if err != nil {
			return nil, fmt.Errorf("jump host %s: %w", hop, err)
		}
	}
	return client, nil
}

// chain is the jump hosts of a login, the nearest first. All of it is known before the first is connected to.
func (d *Dialer) chain(l login) ([]login, error) {
	var chain []login
	for l.Jump != "" {
		next, err := d.jumpLogin(l)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(chain, func(hop login) bool { return hop.key() == next.key() }) {
			return nil, errCircle
		}
		chain = append(chain, next)
		l = next
	}
	slices.Reverse(chain)
	return chain, nil
}

// get returns the connection for key; the first to want it makes it, and again once it is lost.
func (j *jumps) get(ctx context.Context, key string, connect func() (*Client, error)) (*Client, error) {
	j.mu.Lock()
	if j.clients == nil {
		j.clients = map[string]*jump{}
	}
	has := j.clients[key]
	if has == nil || has.isOver() {
		has = &jump{done: make(chan struct{})}
		j.clients[key] = has
		j.mu.Unlock()
		has.client, has.err = connect()
		close(has.done)
		return has.client, has.err
	}
	j.mu.Unlock()
	select {
	case <-has.done:
		return has.client, has.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// isOver tells whether a connection was made and is lost, or was not made because nobody wanted it any more.
func (j *jump) isOver() bool {
	select {
	case <-j.done:
		return j.client != nil && j.client.lost() != nil || errors.Is(j.err, context.Canceled)
	default:
		return false
	}
}

// close closes all connections. Those behind them are closed by then.
func (j *jumps) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	for _, jump := range j.clients {
		<-jump.done
		if jump.client != nil {
			errs = append(errs, jump.client.Close())
		}
	}
	return errors.Join(errs...)
}

// jumpLogin is the last of a login's jump hosts, through those before it. Where ssh_config says nothing of it, it is reached
// as the host behind it: an inventory has one place for a key.
func (d *Dialer) jumpLogin(l login) (login, error) {
	before, last := "", l.Jump
	if i := strings.LastIndexByte(l.Jump, ','); i >= 0 {
		before, last = l.Jump[:i], l.Jump[i+1:]
	}
	target, err := ParseJump(last)
	if err != nil {
		return login{}, err
	}
	target.Jump, target.Config = before, l.Config
	given := l.given // what ssh_config says of the host is not about the way there
	next, err := d.login(target, Target{
		User: l.User, IdentityFile: given.IdentityFile, KnownHosts: given.KnownHosts, HostKeyPolicy: given.HostKeyPolicy,
		ConnectTimeout: given.ConnectTimeout, KeepAlive: given.KeepAlive,
	})
	if err != nil {
		return login{}, err
	}
	next.isJump, next.given = true, given
	config, err := d.config(target.Config)
	if err != nil {
		return login{}, err
	}
	if name := config.values([]string{next.Host}, "HostName"); len(name) > 0 {
		next.Host = strings.ReplaceAll(name[0], "%h", next.Host)
	}
	return next, nil
}

// key tells connections to jump hosts apart: how they are reached, as whom, and what they are trusted by.
func (l login) key() string {
	return fmt.Sprintf("%s@%s via %q with %q, trusted by %q, %s", l.User, l.address(), l.Jump, l.identityFiles, l.knownHosts, l.HostKeyPolicy)
}

// ParseJump reads one host of ProxyJump, ssh_config(5): [user@]host[:port] or ssh://[user@]host[:port].
func ParseJump(text string) (Target, error) {
	text = strings.TrimSpace(text)
	bad := fmt.Errorf("jump host %q is not [user@]host[:port]", text)
	uri, err := url.Parse("ssh://" + strings.TrimPrefix(text, "ssh://"))
	if err != nil || uri.Hostname() == "" || strings.HasPrefix(uri.Hostname(), "-") || strings.Trim(uri.Path, "/") != "" || uri.RawQuery != "" || uri.Fragment != "" {
		return Target{}, bad
	}
	target := Target{Host: uri.Hostname(), User: uri.User.Username()}
	if _, withPassword := uri.User.Password(); withPassword {
		return Target{}, fmt.Errorf("jump host of %s: a password has no place there", target.User)
	}
	if port := uri.Port(); port != "" {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return Target{}, bad
		}
		target.Port = uint16(number)
	}
	return target, nil
}

// dialTCP connects to a login's address, through its jump host if it has one.
func dialTCP(ctx context.Context, l login, via *Client) (net.Conn, error) {
	if via != nil {
		return via.DialContext(ctx, "tcp", l.address())
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", l.address())
}
