package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"provision/pkg/inventory"
)

// Check is one thing that was looked at.
type Check struct {
	// Name is stable: programs read it.
	Name string `json:"name"`
	// Host is the host looked at, "" for what is the cluster's.
	Host string `json:"host,omitempty"`
	OK   bool   `json:"ok"`
	// Detail says what was seen.
	Detail string `json:"detail"`
	// Seconds is how long the check took, waiting included.
	Seconds float64 `json:"seconds"`
	// Hint says where to look when the check failed.
	Hint string `json:"hint,omitempty"`
}

// Verification is all checks, in a fixed order: etcd of each master, api-access,
// api-healthz, api-readyz, node-ready of each slave, workload, pod-addresses,
// pod-reachable, service, node-port, cleanup, dns, pod-network of each slave.
type Verification struct {
	Checks []Check `json:"checks"`
	OK     bool    `json:"ok"`
}

const (
	// requestTime bounds one request to a pod, a service or a name server.
	requestTime = 5 * time.Second
	cleanupTime = 15 * time.Second
	// interval is the time between two looks at what may still be starting.
	interval = 200 * time.Millisecond
)

// verifier runs the checks.
type verifier struct {
	Target
	api *api

	mutex   sync.Mutex // one check is observed at a time
	observe func(Check)
}

// Verify checks the cluster from the inside out: etcd, the API, the nodes, a
// workload that is reachable from everywhere, names, and the pod network of each
// slave. It leaves nothing behind. What is independent is checked at the same
// time; observe is called as each check ends, one call at a time, and may be nil.
//
// What may still be starting is waited for: the API and the nodes together for
// the target's patience, then the workload and the name server for as long, then
// the ways to the workload for a part of it.
func Verify(ctx context.Context, target Target, observe func(Check)) Verification {
	v := &verifier{Target: target, observe: observe}
	var etcd, cluster []Check
	var pods []pod
	var work sync.WaitGroup
	work.Go(func() { etcd = v.etcd(ctx) })
	work.Go(func() { cluster, pods = v.cluster(ctx) })
	work.Wait()
	// A slave has a pod bridge once it has run a pod.
	verification := Verification{Checks: append(append(etcd, cluster...), v.podNetworks(ctx, pods)...), OK: true}
	for _, check := range verification.Checks {
		verification.OK = verification.OK && check.OK
	}
	return verification
}

// cluster makes the checks that need the API, and returns the pods it ran.
func (v *verifier) cluster(ctx context.Context) ([]Check, []pod) {
	deadline := time.Now().Add(v.patience())
	checks := []Check{v.openAPI(ctx)}
	if v.api == nil {
		return checks, nil
	}
	defer v.api.close()
	health := v.health(ctx, deadline)
	checks = append(checks, health...)
	if !health[0].OK {
		return append(checks, v.unchecked("api-healthz", "node-ready", "workload", "dns")...), nil
	}
	nodes, ready := v.nodes(ctx, deadline)
	checks = append(checks, nodes...)
	if len(ready) == 0 {
		return append(checks, v.unchecked("node-ready", "workload", "dns")...), nil
	}
	var workload, dns []Check
	var pods []pod
	var work sync.WaitGroup
	work.Go(func() { workload, pods = v.workload(ctx, ready) })
	work.Go(func() { dns = []Check{v.dns(ctx)} })
	work.Wait()
	return append(append(checks, workload...), dns...), pods
}

// check runs one check; look returns what it saw.
func (v *verifier) check(name, host, hint string, look func() (string, error)) Check {
	start := time.Now()
	detail, err := look()
	return v.note(start, Check{Name: name, Host: host, Detail: detail, Hint: hint}, err)
}

// note completes a check with how it ended.
func (v *verifier) note(start time.Time, check Check, err error) Check {
	check.OK, check.Seconds = err == nil, time.Since(start).Seconds()
	if err != nil {
		check.Detail = err.Error()
	} else {
		check.Hint = ""
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.observe != nil {
		v.observe(check)
	}
	return check
}

// unchecked notes checks that could not be made.
func (v *verifier) unchecked(needs string, names ...string) []Check {
	checks := make([]Check, len(names))
	for i, name := range names {
		checks[i] = v.check(name, "", "see "+needs, func() (string, error) { return "", fmt.Errorf("not checked: needs %s", needs) })
	}
	return checks
}

var errNoConnection = errors.New("the host could not be reached by SSH")

// connected are the slaves that there is a connection to.
func (v *verifier) connected() []inventory.Host {
	var connected []inventory.Host
	for _, slave := range v.Inventory.Slaves {
		if v.Hosts[slave.Name] != nil {
			connected = append(connected, slave)
		}
	}
	return connected
}

// each calls look for all items at the same time and returns its results in
// their order.
func each[T, R any](items []T, look func(T) R) []R {
	results := make([]R, len(items))
	var work sync.WaitGroup
	for i, item := range items {
		work.Go(func() { results[i] = look(item) })
	}
	work.Wait()
	return results
}

// until repeats look until it succeeds, or for at most a time; then the error is
// the last look's.
func until(ctx context.Context, limit time.Duration, look func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last error
	for {
		err := look(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err // a look that was cut short says less than the one before
		}
		select {
		case <-ctx.Done():
			return last
		case <-ticker.C:
		}
	}
}
