package nspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"provision/e2e/lab/internal/flock"
	"provision/e2e/lab/internal/image"
	"provision/e2e/lab/internal/proc"
)

// The flavours of a host.
const (
	// Debian is a server with sudo, curl, a user ops, and the tools that a kubelet calls.
	Debian = image.Debian
	// Lean has nothing beyond systemd, sshd and what those need: no sudo, no curl, no D-Bus, no ops.
	Lean = image.Lean
)

// ErrUp says that a lab of that name is up already.
var ErrUp = errors.New("lab is already up")

// Options say what lab to bring up.
type Options struct {
	// Name tells labs on one machine apart.
	Name string
	// Hosts get the addresses .11, .12 and so on, in this order.
	Hosts []HostSpec
	// Subnet is the /24 of 198.18.0.0/16 that the lab must have; if it is not set, the lab takes a free one.
	Subnet netip.Prefix
	// Persistent labs stay up until they are taken down. Others are abandoned when this process ends.
	Persistent bool
	// Log hears of what takes time. It may be nil.
	Log io.Writer
}

// HostSpec says what host to boot.
type HostSpec struct {
	Name string
	// Flavour is Debian if it is not set.
	Flavour string
}

// Up brings up a lab and returns when all hosts answer by SSH. Before, it takes down abandoned labs and, the first time in a
// week, builds the images. If it fails, it leaves nothing.
func Up(ctx context.Context, options Options) (*Lab, error) {
	log := orDiscard(options.Log)
	if err := options.check(); err != nil {
		return nil, err
	}
	if err := installTools(ctx, log); err != nil {
		return nil, err
	}
	if err := Collect(ctx, log); err != nil {
		fmt.Fprintf(log, "lab: %v\n", err)
	}
	lock, err := flock.Acquire(ctx, labLock(options.Name), func() {
		fmt.Fprintf(log, "lab: another process is busy with lab %s; waiting for it\n", options.Name)
	})
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	if exists(stateFile(options.Name)) {
		return nil, fmt.Errorf("%s: %w", options.Name, ErrUp)
	}
	hosts, err := prepareHosts(ctx, options.Hosts, log)
	if err != nil {
		return nil, err
	}
	s, err := claim(ctx, options, hosts)
	if err != nil {
		return nil, err
	}
	lab := newLab(s, log)
	if err := lab.raise(ctx, lock, options.Persistent); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("bring up lab %s: %w", s.Name, context.Cause(ctx))
		}
		return nil, errors.Join(err, teardown(context.WithoutCancel(ctx), s.Name, s))
	}
	return lab, nil
}

// check says what is wrong with the options.
func (o Options) check() error {
	if err := checkRoot(); err != nil {
		return err
	}
	if err := checkName("lab", o.Name); err != nil {
		return err
	}
	if len(o.Hosts) == 0 {
		return fmt.Errorf("lab %s: name at least one host", o.Name)
	}
	if o.Subnet.IsValid() {
		if err := checkSubnet(o.Subnet); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, spec := range o.Hosts {
		if err := spec.check(); err != nil {
			return err
		}
		if seen[spec.Name] {
			return fmt.Errorf("lab %s: two hosts are named %s", o.Name, spec.Name)
		}
		seen[spec.Name] = true
	}
	return nil
}

func (h HostSpec) check() error {
	if err := checkName("host", h.Name); err != nil {
		return err
	}
	if h.Name == "localhost" {
		return errors.New("host name localhost: every host is that to itself")
	}
	if h.Flavour != "" && !slices.Contains(image.Flavours(), h.Flavour) {
		return fmt.Errorf("host %s: unknown flavour %q; there are %q", h.Name, h.Flavour, image.Flavours())
	}
	return nil
}

// prepareHosts sees to it that the hosts' images are there.
func prepareHosts(ctx context.Context, specs []HostSpec, log io.Writer) ([]hostState, error) {
	cache, err := image.UserCache()
	if err != nil {
		return nil, err
	}
	roots := map[string]string{}
	var hosts []hostState
	for _, spec := range specs {
		flavour := spec.Flavour
		if flavour == "" {
			flavour = Debian
		}
		if roots[flavour] == "" {
			recipe, err := image.NewRecipe(ctx, flavour, time.Now())
			if err != nil {
				return nil, err
			}
			if roots[flavour], err = cache.Ensure(ctx, recipe, log); err != nil {
				return nil, err
			}
		}
		hosts = append(hosts, hostState{Name: spec.Name, Flavour: flavour, Image: roots[flavour]})
	}
	return hosts, nil
}

// claim takes a subnet for the lab, addresses its hosts, and writes its state. From then on the lab is to be taken down.
func claim(ctx context.Context, options Options, hosts []hostState) (*state, error) {
	owner, err := proc.Self()
	if err != nil {
		return nil, err
	}
	lock, err := flock.Acquire(ctx, claimLock, nil)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	subnet, err := claimSubnet(options.Subnet)
	if err != nil {
		return nil, fmt.Errorf("lab %s: %w", options.Name, err)
	}
	// Until it is up even a persistent lab has an owner, so that one that never came up is taken down.
	s := &state{Version: stateVersion, Name: options.Name, Subnet: subnet, Owner: &owner, Boot: owner.Boot}
	for _, h := range hosts {
		if h.Addr, err = pickAddr(subnet, s.addrs()); err != nil {
			return nil, err
		}
		s.Hosts = append(s.Hosts, h)
	}
	for _, dir := range []string{stateDir(s.Name), diskDir(s.Name)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make place for lab %s: %w", s.Name, err)
		}
	}
	if err := errors.Join(borrowSettings(), s.save()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(stateDir(s.Name)), os.RemoveAll(diskDir(s.Name)))
	}
	return s, nil
}

// claimSubnet returns the subnet that is wished for, if it is free, or else a free one. The claim lock is held.
func claimSubnet(wish netip.Prefix) (netip.Prefix, error) {
	used, err := usedNetworks()
	if err != nil {
		return netip.Prefix{}, err
	}
	names, err := labNames()
	if err != nil {
		return netip.Prefix{}, err
	}
	for _, name := range names {
		other, err := loadState(name)
		if err != nil {
			continue // a ruin that could not be collected; its network, if any, is among the machine's
		}
		if other.Subnet == wish {
			return netip.Prefix{}, fmt.Errorf("subnet %s is taken by lab %s", wish, name)
		}
		used = append(used, other.Subnet)
	}
	if !wish.IsValid() {
		return pickSubnet(used)
	}
	if i := slices.IndexFunc(used, wish.Overlaps); i >= 0 {
		return netip.Prefix{}, fmt.Errorf("subnet %s is taken: a link of this machine is in %s", wish, used[i])
	}
	return wish, nil
}

// raise makes the lab's network and boots its hosts. The lab's lock is held.
func (l *Lab) raise(ctx context.Context, lock *flock.Lock, persistent bool) error {
	s := l.state
	if err := errors.Join(s.makeKey(), replaceFile(launchFile(s.Name), launchScript, 0o644)); err != nil {
		return err
	}
	if err := s.makeNetwork(ctx); err != nil {
		return err
	}
	keys := make([][]keyPair, len(s.Hosts))
	for i := range s.Hosts {
		var err error
		if keys[i], err = s.Hosts[i].makeKeys(); err != nil {
			return err
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for i, h := range s.Hosts {
		group.Go(func() error { return s.bootNew(groupCtx, h, keys[i], lock) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if persistent {
		s.Owner = nil
	}
	if err := errors.Join(s.writeClientFiles(), s.save()); err != nil {
		return err
	}
	group, groupCtx = errgroup.WithContext(ctx)
	for _, host := range l.Hosts() {
		group.Go(func() error { return host.WaitSSH(groupCtx) })
	}
	return group.Wait()
}

// bootNew gives a new host its disk and boots it.
func (s *state) bootNew(ctx context.Context, h hostState, keys []keyPair, lock *flock.Lock) error {
	if err := s.mountDisk(h); err != nil {
		return err
	}
	if err := s.personalise(h, keys); err != nil {
		return err
	}
	return s.launch(ctx, h, lock)
}
