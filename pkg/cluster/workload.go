package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	namespacePrefix = "provision-verify-"
	// maxReplicas bounds the pods of the workload on a large cluster.
	maxReplicas = 10
)

// object is a Kubernetes object to be created.
type object = map[string]any

// namespace is the workload's own.
type namespace struct {
	name string
	// created is when, by the API's clock; the zero time when that is not known.
	created time.Time
}

func (n *namespace) path() string { return "/api/v1/namespaces/" + n.name }

// workload runs the notes' first workload, a ReplicationController, with a pod
// on each of the nodes, reaches it in every way, and removes it.
func (v *verifier) workload(ctx context.Context, nodes []string) (checks []Check, pods []pod) {
	space := &namespace{name: namespacePrefix + strings.ToLower(rand.Text()[:8])}
	nodes = nodes[:min(len(nodes), maxReplicas)]
	const hint = "a pod on no slave: on the master journalctl -u kube-scheduler; ImagePullBackOff: on the registry host journalctl -u registry, on the slave /etc/containerd/certs.d; else on the slave journalctl -u kubelet -u containerd"
	ran := v.check("workload", "", hint, func() (string, error) {
		var err error
		pods, err = v.run(ctx, space, nodes)
		return fmt.Sprintf("%s runs on %s", v.Image, strings.Join(nodes, ", ")), err
	})
	checks = append(checks, ran)
	if ran.OK {
		checks = append(checks, v.reachAll(ctx, space, pods)...)
	} else {
		checks = append(checks, v.unchecked("workload", "pod-addresses", "pod-reachable", "service", "node-port")...)
	}
	return append(checks, v.cleanup(ctx, space)), pods
}

// run creates the workload and waits until its pods are ready.
func (v *verifier) run(ctx context.Context, space *namespace, nodes []string) ([]pod, error) {
	var made struct {
		Metadata meta `json:"metadata"`
	}
	for _, create := range []struct {
		path string
		body object
		into any
	}{
		{"/api/v1/namespaces", namespaceObject(space.name), &made},
		{space.path() + "/replicationcontrollers", v.controller(nodes), nil},
		{space.path() + "/services", v.service(), nil},
	} {
		if err := v.api.do(ctx, http.MethodPost, create.path, create.body, create.into); err != nil {
			return nil, err
		}
	}
	if made.Metadata.CreationTimestamp != nil {
		space.created = *made.Metadata.CreationTimestamp
	}
	var pods []pod
	err := until(ctx, v.patience(), func(ctx context.Context) error {
		var found list[pod]
		if err := v.api.do(ctx, http.MethodGet, space.path()+"/pods", nil, &found); err != nil {
			return err
		}
		pods = found.Items
		return notRunning(pods, len(nodes))
	})
	if err != nil {
		err = errors.Join(err, v.complaints(ctx, space))
	}
	return pods, err
}

// notRunning says which pods are not ready, and why.
func notRunning(pods []pod, want int) error {
	var errs []error
	ready := 0
	for _, p := range pods {
		if p.ready() {
			ready++
			continue
		}
		errs = append(errs, fmt.Errorf("pod %s on %s: %s", p.Metadata.Name, cmp.Or(p.Spec.NodeName, "no slave"), p.trouble()))
	}
	if ready >= want {
		return nil
	}
	return errors.Join(append([]error{fmt.Errorf("%d of %d pods are ready", ready, want)}, errs...)...)
}

func namespaceObject(name string) object {
	// A cluster that demands more of its pods may not allow an image that runs
	// as root; this namespace allows what most images need.
	return object{"metadata": object{"name": name, "labels": object{"pod-security.kubernetes.io/enforce": "baseline"}}}
}

func selector() object { return object{"app": "provision-verify"} }

// controller has one pod on each of the nodes, whatever taints these have: what
// is looked at is the network of each slave, not who may use it.
func (v *verifier) controller(nodes []string) object {
	port := v.Inventory.Verify.Port
	container := object{
		"name":            "web",
		"image":           v.Image,
		"imagePullPolicy": "IfNotPresent",
		"ports":           []object{{"containerPort": port}},
		"readinessProbe":  object{"tcpSocket": object{"port": port}, "periodSeconds": 1},
		"securityContext": object{"allowPrivilegeEscalation": false},
	}
	// A field selector takes one value; the terms are alternatives.
	terms := make([]object, len(nodes))
	for i, name := range nodes {
		terms[i] = object{"matchFields": []object{{"key": "metadata.name", "operator": "In", "values": []string{name}}}}
	}
	spread := object{
		"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
		// Without it, a node that the scheduler has not seen yet gets no pod and
		// another gets two.
		"minDomains":    len(nodes),
		"labelSelector": object{"matchLabels": selector()},
	}
	return object{
		"metadata": object{"name": "web"},
		"spec": object{
			"replicas": len(nodes),
			"selector": selector(),
			"template": object{
				"metadata": object{"labels": selector()},
				"spec": object{
					"containers":                []object{container},
					"topologySpreadConstraints": []object{spread},
					"affinity": object{"nodeAffinity": object{
						"requiredDuringSchedulingIgnoredDuringExecution": object{"nodeSelectorTerms": terms},
					}},
					"tolerations":                   []object{{"operator": "Exists"}},
					"terminationGracePeriodSeconds": 0,
					"automountServiceAccountToken":  false,
				},
			},
		},
	}
}

func (v *verifier) service() object {
	return object{
		"metadata": object{"name": "web"},
		"spec": object{
			"type":     "NodePort",
			"selector": selector(),
			"ports":    []object{{"port": 80, "targetPort": v.Inventory.Verify.Port}},
		},
	}
}
