package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"
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

// Verification is all checks, in a fixed order.
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

// verifier runs the checks one after the other and keeps them.
type verifier struct {
	Target
	api     *api
	checks  []Check
	observe func(Check)
}

// Verify checks the cluster from the inside out: etcd, the API, the nodes, a
// workload that is reachable from everywhere, names, and the pod network of each
// slave. It leaves nothing behind. observe is called as each check ends.
func Verify(ctx context.Context, target Target, observe func(Check)) Verification {
	v := &verifier{Target: target, observe: observe}
	v.etcd(ctx)
	if v.openAPI(ctx) {
		defer v.api.close()
		v.health(ctx)
		v.nodes(ctx)
		v.workload(ctx)
		v.dns(ctx)
	}
	v.podNetworks(ctx)
	verification := Verification{Checks: v.checks, OK: true}
	for _, check := range v.checks {
		verification.OK = verification.OK && check.OK
	}
	return verification
}

// check runs one check; look returns what it saw.
func (v *verifier) check(name, host, hint string, look func() (string, error)) bool {
	start := time.Now()
	detail, err := look()
	check := Check{Name: name, Host: host, OK: err == nil, Detail: detail, Seconds: time.Since(start).Seconds()}
	if err != nil {
		check.Detail, check.Hint = err.Error(), hint
	}
	v.checks = append(v.checks, check)
	v.observe(check)
	return check.OK
}

// unchecked notes a check that could not be made.
func (v *verifier) unchecked(name, needs string) {
	v.check(name, "", "", func() (string, error) { return "", fmt.Errorf("not checked: needs %s", needs) })
}

var errNoConnection = errors.New("the host could not be reached")

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
