package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"provision/pkg/inventory"
)

const nodeHint = "on the slave: journalctl -u kubelet -u containerd -u flanneld; a node that never appears can't reach the API: firewall, clocks (chronyc tracking)"

var errNotRegistered = errors.New("the node is not registered with the API")

// nodeWait is the waiting for the nodes of the slaves.
type nodeWait struct {
	*verifier
	start    time.Time
	checks   []Check // of each slave
	problems []error // why its node does not pass, as last seen
	usable   []string
}

// nodes waits until every slave's node is Ready under its address, and returns
// the names of those that take pods.
func (v *verifier) nodes(ctx context.Context, deadline time.Time) (checks []Check, usable []string) {
	count := len(v.Inventory.Slaves)
	w := &nodeWait{verifier: v, start: time.Now(), checks: make([]Check, count), problems: make([]error, count)}
	looked := false
	_ = until(ctx, remaining(deadline), func(ctx context.Context) error {
		found, err := v.listNodes(ctx)
		if looked && ctx.Err() != nil {
			return err // a look that was cut short says less than the one before
		}
		looked = true
		return w.take(found, err)
	}) // each slave's problem is kept
	for i, slave := range v.Inventory.Slaves {
		if !w.checks[i].OK {
			w.checks[i] = v.note(w.start, Check{Name: "node-ready", Host: slave.Name, Hint: nodeHint}, v.notReady(slave, w.problems[i]))
		}
	}
	return w.checks, w.usable
}

// take notes the nodes that pass; its error says that others are waited for.
func (w *nodeWait) take(found map[string]node, err error) error {
	waiting := err
	for i, slave := range w.Inventory.Slaves {
		if w.checks[i].OK {
			continue
		}
		n, registered := found[slave.Name]
		problem := err
		if problem == nil {
			problem = nodeProblem(n, registered, slave)
		}
		w.problems[i] = problem
		switch {
		case w.Hosts[slave.Name] == nil: // it fails, and is not waited for
		case problem != nil:
			waiting = problem
		default:
			w.pass(i, slave, n)
		}
	}
	return waiting
}

func (w *nodeWait) pass(i int, slave inventory.Host, n node) {
	detail := "Ready under " + slave.Address.String()
	if n.Spec.Unschedulable {
		detail += ", cordoned: no pod is tried there"
	} else {
		w.usable = append(w.usable, slave.Name)
	}
	w.checks[i] = w.note(w.start, Check{Name: "node-ready", Host: slave.Name, Detail: detail}, nil)
}

// notReady completes why a node did not pass.
func (v *verifier) notReady(slave inventory.Host, problem error) error {
	if v.Hosts[slave.Name] != nil {
		return problem
	}
	if problem == nil {
		return fmt.Errorf("%w, though the API calls it Ready under %s", errNoConnection, slave.Address)
	}
	return fmt.Errorf("%w; %w", errNoConnection, problem)
}

func (v *verifier) listNodes(ctx context.Context) (map[string]node, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	var all list[node]
	if err := v.api.do(ctx, http.MethodGet, "/api/v1/nodes", nil, &all); err != nil {
		return nil, err
	}
	found := make(map[string]node, len(all.Items))
	for _, n := range all.Items {
		found[n.Metadata.Name] = n
	}
	return found, nil
}

// nodeProblem says what is wrong with a slave's node, nil if it is Ready under
// the slave's address.
func nodeProblem(n node, registered bool, slave inventory.Host) error {
	if !registered {
		return errNotRegistered
	}
	if !isTrue(n.Status.Conditions, "Ready") {
		message := "the kubelet has not said how it is"
		for _, condition := range n.Status.Conditions {
			if condition.Type == "Ready" && condition.Message != "" {
				message = condition.Message
			}
		}
		return fmt.Errorf("the node is not Ready: %s", message)
	}
	if address := n.internalIP(); address != slave.Address.String() {
		return fmt.Errorf("the node is registered under %q instead of %s", address, slave.Address)
	}
	return nil
}
