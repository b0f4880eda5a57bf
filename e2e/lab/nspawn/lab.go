package nspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"provision/e2e/lab/internal/flock"
)

// Lab is a lab that is up. Its methods may be called at the same time.
type Lab struct {
	Name           string
	Dir            string // where its files are
	KeyFile        string // the private key that opens all hosts
	KnownHostsFile string // the hosts' keys, by name and address
	SSHConfigFile  string // for ssh -F
	Subnet         netip.Prefix
	Gateway        netip.Addr // the machine's address in the lab

	log   io.Writer
	mu    sync.Mutex
	state *state
}

func newLab(s *state, log io.Writer) *Lab {
	return &Lab{
		Name:           s.Name,
		Dir:            stateDir(s.Name),
		KeyFile:        keyFile(s.Name),
		KnownHostsFile: knownHostsFile(s.Name),
		SSHConfigFile:  sshConfigFile(s.Name),
		Subnet:         s.Subnet,
		Gateway:        gatewayOf(s.Subnet),
		log:            log,
		state:          s,
	}
}

// Open returns a lab that another process brought up, or an ErrNotUp. It does not become the lab's owner.
func Open(_ context.Context, name string) (*Lab, error) {
	if err := checkRoot(); err != nil {
		return nil, err
	}
	if err := checkName("lab", name); err != nil {
		return nil, err
	}
	s, err := loadState(name)
	if err != nil {
		return nil, err
	}
	return newLab(s, io.Discard), nil
}

// List returns the names of all labs on the machine, sorted.
func List() ([]string, error) { return labNames() }

// Hosts returns the lab's hosts in the order in which they were added.
func (l *Lab) Hosts() []*Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	var hosts []*Host
	for _, h := range l.state.Hosts {
		hosts = append(hosts, &Host{Name: h.Name, Addr: h.Addr, Flavour: h.Flavour, lab: l, self: h})
	}
	return hosts
}

// Host returns the host of a name. The error names those that there are.
func (l *Lab) Host(name string) (*Host, error) {
	hosts := l.Hosts()
	var names []string
	for _, host := range hosts {
		if host.Name == name {
			return host, nil
		}
		names = append(names, host.Name)
	}
	return nil, fmt.Errorf("lab %s has no host %q; it has %s", l.Name, name, strings.Join(names, ", "))
}

// Add boots one more host and returns when it answers by SSH. The other hosts know it by name at once.
func (l *Lab) Add(ctx context.Context, spec HostSpec) (*Host, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	prepared, err := prepareHosts(ctx, []HostSpec{spec}, l.log)
	if err != nil {
		return nil, err
	}
	if err := l.change(ctx, func(s *state, lock *flock.Lock) error { return s.add(ctx, prepared[0], lock) }); err != nil {
		return nil, fmt.Errorf("add host %s to lab %s: %w", spec.Name, l.Name, err)
	}
	host, err := l.Host(spec.Name)
	if err == nil {
		err = host.WaitSSH(ctx)
	}
	if err != nil {
		if host != nil {
			err = errors.Join(err, host.Destroy(context.WithoutCancel(ctx)))
		}
		return nil, fmt.Errorf("add host %s to lab %s: %w", spec.Name, l.Name, err)
	}
	return host, nil
}

// add gives a host an address and boots it. The state names the host before anything of it exists.
func (s *state) add(ctx context.Context, h hostState, lock *flock.Lock) error {
	if s.has(h.Name) {
		return errors.New("there is a host of that name")
	}
	addr, err := pickAddr(s.Subnet, s.addrs())
	if err != nil {
		return err
	}
	h.Addr = addr
	keys, err := h.makeKeys()
	if err != nil {
		return err
	}
	s.Hosts = append(s.Hosts, h)
	if err := s.save(); err != nil {
		return err
	}
	err = s.bootNew(ctx, h, keys, lock)
	if err == nil {
		err = errors.Join(s.writeClientFiles(), s.announce(h, false))
	}
	if err != nil {
		return errors.Join(err, s.remove(context.WithoutCancel(ctx), h))
	}
	return nil
}

// Down takes the lab down. Taking down what is down already is no error.
func (l *Lab) Down(ctx context.Context) error {
	lock, err := flock.Acquire(ctx, labLock(l.Name), nil)
	if err != nil {
		return err
	}
	defer lock.Release()
	s, err := loadState(l.Name)
	if errors.Is(err, ErrNotUp) {
		return nil
	}
	if err != nil {
		return err
	}
	return teardown(ctx, l.Name, s)
}

// change runs a function that changes what the lab consists of, one at a time on the machine, on the newest state.
func (l *Lab) change(ctx context.Context, edit func(*state, *flock.Lock) error) error {
	lock, err := flock.Acquire(ctx, labLock(l.Name), nil)
	if err != nil {
		return err
	}
	defer lock.Release()
	s, err := loadState(l.Name)
	if err != nil {
		return err
	}
	if err := edit(s, lock); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = s
	return nil
}

// remove ends a host and forgets it.
func (s *state) remove(ctx context.Context, h hostState) error {
	if err := s.kill(ctx, h); err != nil {
		return err
	}
	groups, err := s.hostGroups(h.Name)
	if err != nil {
		return err
	}
	if err := errors.Join(groups.Remove(ctx), removeDisks(hostDir(s.Name, h.Name)), removeFile(consoleFile(s.Name, h.Name))); err != nil {
		return err
	}
	s.Hosts = slices.DeleteFunc(s.Hosts, func(other hostState) bool { return other.Name == h.Name })
	return errors.Join(s.save(), s.writeClientFiles(), s.announce(h, true))
}
