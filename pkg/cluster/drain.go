package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// cordonedBy is the annotation that says that provision cordoned a node, and
// not a person: only then it uncordons it.
const cordonedBy = "provision/cordoned"

// evictInterval is how long to wait before an eviction that a disruption budget
// refuses is asked for again, and between two looks at what is leaving.
const evictInterval = time.Second

// Drainer moves the workloads of nodes elsewhere while their services are
// restarted, and lets new ones in afterwards.
type Drainer struct {
	api      *api
	patience time.Duration
	interval time.Duration
}

// OpenDrainer connects to the API through the master.
func OpenDrainer(ctx context.Context, target Target) (*Drainer, error) {
	master := target.master()
	if master == nil {
		return nil, fmt.Errorf("drain: master %s: %w", target.Inventory.Master[0].Name, errNoConnection)
	}
	api, err := openAPI(ctx, master)
	if err != nil {
		return nil, fmt.Errorf("drain: %w", err)
	}
	return &Drainer{api: api, patience: target.patience(), interval: evictInterval}, nil
}

// Close ends the connections to the API.
func (d *Drainer) Close() { d.api.close() }

// leaving is a pod with what tells whether it can move (Kubernetes API, v1 Pod).
type leaving struct {
	Metadata struct {
		Name            string            `json:"name"`
		Namespace       string            `json:"namespace"`
		UID             string            `json:"uid"`
		Annotations     map[string]string `json:"annotations"`
		OwnerReferences []struct {
			Kind       string `json:"kind"`
			Controller bool   `json:"controller"`
		} `json:"ownerReferences"`
	} `json:"metadata"`
	Status struct {
		Phase string `json:"phase"`
	} `json:"status"`
}

func (p leaving) String() string { return p.Metadata.Namespace + "/" + p.Metadata.Name }

// path is where the API has the pod.
func (p leaving) path() string {
	return "/api/v1/namespaces/" + url.PathEscape(p.Metadata.Namespace) + "/pods/" + url.PathEscape(p.Metadata.Name)
}

// stays tells whether the pod belongs to its node: one of a DaemonSet, a static
// one (a mirror pod, kubernetes.io/config.mirror), or one that has ended.
func (p leaving) stays() bool {
	for _, owner := range p.Metadata.OwnerReferences {
		if owner.Controller && owner.Kind == "DaemonSet" {
			return true
		}
	}
	_, isStatic := p.Metadata.Annotations["kubernetes.io/config.mirror"]
	return isStatic || p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed"
}

// isOwned tells whether something makes the pod again elsewhere.
func (p leaving) isOwned() bool {
	for _, owner := range p.Metadata.OwnerReferences {
		if owner.Controller {
			return true
		}
	}
	return false
}

// Drain cordons a node and evicts its pods, as disruption budgets allow, and
// returns when they are gone. A node without pods that could move is left alone,
// as is one that the API does not know. A pod that nothing would make again is
// an error, before anything is evicted. What Drain has cordoned, Uncordon opens.
func (d *Drainer) Drain(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.patience, fmt.Errorf("the pods did not leave within %s", d.patience))
	defer cancel()
	pods, err := d.movable(ctx, node)
	if err != nil || len(pods) == 0 {
		return wrapDrain(node, err)
	}
	var lonely []string
	for _, pod := range pods {
		if !pod.isOwned() {
			lonely = append(lonely, pod.String())
		}
	}
	if len(lonely) > 0 {
		return wrapDrain(node, fmt.Errorf("nothing would start %s again elsewhere: delete them, or run without --drain", strings.Join(lonely, ", ")))
	}
	if err := d.cordon(ctx, node); err != nil {
		return wrapDrain(node, err)
	}
	for _, pod := range pods {
		if err := d.evict(ctx, pod); err != nil {
			return wrapDrain(node, err)
		}
	}
	return wrapDrain(node, d.gone(ctx, pods))
}

func wrapDrain(node string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("drain node %s: %w", node, err)
}

// movable are the node's pods that don't belong to it.
func (d *Drainer) movable(ctx context.Context, node string) ([]leaving, error) {
	var all list[leaving]
	query := url.Values{"fieldSelector": {"spec.nodeName=" + node}}
	if err := d.api.do(ctx, http.MethodGet, "/api/v1/pods?"+query.Encode(), nil, &all); err != nil {
		return nil, err
	}
	var pods []leaving
	for _, pod := range all.Items {
		if !pod.stays() {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// cordon keeps new pods away from a node that is open to them.
func (d *Drainer) cordon(ctx context.Context, name string) error {
	var found node
	if err := d.api.do(ctx, http.MethodGet, nodePath(name), nil, &found); err != nil {
		return err
	}
	if found.Spec.Unschedulable {
		return nil // somebody's, or of a run that was cut short: that has left its annotation
	}
	return d.api.do(ctx, http.MethodPatch, nodePath(name), map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{cordonedBy: "true"}},
		"spec":     map[string]any{"unschedulable": true},
	}, nil)
}

// Uncordon opens a node again that provision has cordoned, in this run or in one
// that was cut short.
func (d *Drainer) Uncordon(ctx context.Context, name string) error {
	var found struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	err := d.api.do(ctx, http.MethodGet, nodePath(name), nil, &found)
	if hasStatus(err, http.StatusNotFound) {
		return nil
	}
	if err == nil && found.Metadata.Annotations[cordonedBy] != "" {
		err = d.api.do(ctx, http.MethodPatch, nodePath(name), map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{cordonedBy: nil}},
			"spec":     map[string]any{"unschedulable": nil},
		}, nil)
	}
	if err != nil {
		return fmt.Errorf("uncordon node %s: %w; do it with kubectl uncordon", name, err)
	}
	return nil
}

func nodePath(name string) string { return "/api/v1/nodes/" + url.PathEscape(name) }

// evict asks for a pod's eviction (policy/v1) until its disruption budgets allow
// it.
func (d *Drainer) evict(ctx context.Context, pod leaving) error {
	request := map[string]any{
		"apiVersion": "policy/v1", "kind": "Eviction",
		"metadata": map[string]any{"name": pod.Metadata.Name, "namespace": pod.Metadata.Namespace},
	}
	var refused error
	for {
		err := d.api.do(ctx, http.MethodPost, pod.path()+"/eviction", request, nil)
		switch {
		case err == nil || hasStatus(err, http.StatusNotFound):
			return nil
		case hasStatus(err, http.StatusTooManyRequests):
			refused = err
		case ctx.Err() == nil || refused == nil:
			return fmt.Errorf("evict %s: %w", pod, err)
		}
		if ended := d.pause(ctx); ended != nil {
			return fmt.Errorf("evict %s: %w: %w", pod, ended, refused)
		}
	}
}

// gone waits until the pods have ended; one of the same name may have come since.
func (d *Drainer) gone(ctx context.Context, pods []leaving) error {
	for _, pod := range pods {
		for {
			var now leaving
			err := d.api.do(ctx, http.MethodGet, pod.path(), nil, &now)
			if hasStatus(err, http.StatusNotFound) || err == nil && now.Metadata.UID != pod.Metadata.UID {
				break
			}
			if ended := d.pause(ctx); ended != nil {
				return errors.Join(fmt.Errorf("%s: %w", pod, ended), err)
			}
		}
	}
	return nil
}

func (d *Drainer) pause(ctx context.Context) error {
	timer := time.NewTimer(d.interval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
