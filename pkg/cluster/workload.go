package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const (
	namespacePrefix = "provision-verify-"
	// maxReplicas bounds the pods of the workload on a large cluster.
	maxReplicas = 10
	// leftoverAge is when a namespace of an earlier verification, one that was
	// killed, is removed.
	leftoverAge = time.Hour
)

// object is a Kubernetes object to be created.
type object = map[string]any

// workload runs the notes' first workload, a ReplicationController, with a pod
// on each slave, reaches it in every way, and removes it.
func (v *verifier) workload(ctx context.Context) {
	namespace := namespacePrefix + strings.ToLower(rand.Text()[:8])
	defer v.cleanup(ctx, namespace)
	var pods []pod
	ran := v.check("workload", "", "kubectl get events -A; images come from the registry host: journalctl -u registry there", func() (string, error) {
		var err error
		pods, err = v.run(ctx, namespace)
		return fmt.Sprintf("%d pods of %s run", len(pods), v.Image), err
	})
	if !ran {
		for _, name := range []string{"pod-addresses", "pod-reachable", "service", "node-port"} {
			v.unchecked(name, "workload")
		}
		return
	}
	v.check("pod-addresses", "", "the CNI configuration of the slaves: /etc/cni/net.d", func() (string, error) { return v.addresses(pods) })
	const hint = "on the slaves: journalctl -u flanneld -u kube-proxy; is UDP 8472 open between them?"
	v.check("pod-reachable", "", hint, func() (string, error) { return v.reachPods(ctx, pods) })
	v.reachService(ctx, namespace, hint)
}

// run creates the workload and waits until its pods are ready.
func (v *verifier) run(ctx context.Context, namespace string) ([]pod, error) {
	replicas := min(len(v.Inventory.Slaves), maxReplicas)
	base := "/api/v1/namespaces/" + namespace
	for _, create := range []struct {
		path string
		body object
	}{
		{"/api/v1/namespaces", object{"metadata": object{"name": namespace}}},
		{base + "/replicationcontrollers", v.controller(replicas)},
		{base + "/services", v.service()},
	} {
		if err := v.api.do(ctx, http.MethodPost, create.path, create.body, nil); err != nil {
			return nil, err
		}
	}
	var pods list[pod]
	err := until(ctx, v.patience(), func(ctx context.Context) error {
		if err := v.api.do(ctx, http.MethodGet, base+"/pods", nil, &pods); err != nil {
			return err
		}
		return notRunning(pods.Items, replicas)
	})
	return pods.Items, err
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
		errs = append(errs, fmt.Errorf("pod %s on %s: %s", p.Metadata.Name, p.Spec.NodeName, p.trouble()))
	}
	if ready >= want {
		return nil
	}
	return errors.Join(append([]error{fmt.Errorf("%d of %d pods are ready", ready, want)}, errs...)...)
}

var selector = object{"app": "provision-verify"} //nolint:gochecknoglobals // constant

func (v *verifier) controller(replicas int) object {
	port := v.Inventory.Verify.Port
	container := object{
		"name":            "web",
		"image":           v.Image,
		"imagePullPolicy": "IfNotPresent",
		"ports":           []object{{"containerPort": port}},
		"readinessProbe":  object{"tcpSocket": object{"port": port}, "periodSeconds": 1},
	}
	spread := object{
		"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
		"labelSelector": object{"matchLabels": selector},
	}
	return object{
		"metadata": object{"name": "web"},
		"spec": object{
			"replicas": replicas,
			"selector": selector,
			"template": object{
				"metadata": object{"labels": selector},
				"spec": object{
					"containers":                    []object{container},
					"topologySpreadConstraints":     []object{spread},
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
			"selector": selector,
			"ports":    []object{{"port": 80, "targetPort": v.Inventory.Verify.Port}},
		},
	}
}

func (v *verifier) addresses(pods []pod) (string, error) {
	var errs []error
	for _, p := range pods {
		address, err := netip.ParseAddr(p.Status.PodIP)
		if err != nil || !v.Inventory.Network.PodCIDR.Contains(address) {
			errs = append(errs, fmt.Errorf("pod %s on %s has the address %q", p.Metadata.Name, p.Spec.NodeName, p.Status.PodIP))
		}
	}
	return "all in " + v.Inventory.Network.PodCIDR.String(), errors.Join(errs...)
}

// reachPods asks each pod from another slave.
func (v *verifier) reachPods(ctx context.Context, pods []pod) (string, error) {
	var errs []error
	for _, p := range pods {
		from := v.otherSlave(p.Spec.NodeName)
		url := "http://" + net.JoinHostPort(p.Status.PodIP, strconv.Itoa(int(v.Inventory.Verify.Port))) + "/"
		if err := v.reach(ctx, from, url); err != nil {
			errs = append(errs, fmt.Errorf("pod on %s from %s: %w", p.Spec.NodeName, from, err))
		}
	}
	return "each answers from another slave", errors.Join(errs...)
}

// reachService asks the service by its address and by a port of each slave,
// from another slave.
func (v *verifier) reachService(ctx context.Context, namespace, hint string) {
	var found service
	v.check("service", "", hint, func() (string, error) {
		if err := v.api.do(ctx, http.MethodGet, "/api/v1/namespaces/"+namespace+"/services/web", nil, &found); err != nil {
			return "", err
		}
		var errs []error
		for _, slave := range v.Inventory.Slaves {
			if err := v.reach(ctx, slave.Name, "http://"+found.Spec.ClusterIP+"/"); err != nil {
				errs = append(errs, fmt.Errorf("from %s: %w", slave.Name, err))
			}
		}
		return found.Spec.ClusterIP + " answers on every slave", errors.Join(errs...)
	})
	v.check("node-port", "", hint, func() (string, error) {
		if len(found.Spec.Ports) != 1 {
			return "", errors.New("not checked: needs service")
		}
		port := strconv.Itoa(found.Spec.Ports[0].NodePort)
		var errs []error
		for _, slave := range v.Inventory.Slaves {
			from := v.otherSlave(slave.Name)
			if err := v.reach(ctx, from, "http://"+net.JoinHostPort(slave.Address.String(), port)+"/"); err != nil {
				errs = append(errs, fmt.Errorf("%s from %s: %w", slave.Name, from, err))
			}
		}
		return port + " answers on every slave, from another", errors.Join(errs...)
	})
}

// otherSlave is a slave other than the named one, if there is another that is
// connected.
func (v *verifier) otherSlave(name string) string {
	other := name
	for _, slave := range v.Inventory.Slaves {
		if slave.Name != name && v.Hosts[slave.Name] != nil {
			return slave.Name
		}
	}
	return other
}

// reach asks a URL from a host until it answers.
func (v *verifier) reach(ctx context.Context, from, url string) error {
	host := v.Hosts[from]
	if host == nil {
		return errNoConnection
	}
	transport := &http.Transport{DialContext: host.DialContext, DisableKeepAlives: true}
	client := &http.Client{Transport: transport}
	return until(ctx, v.patience(), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, requestTime)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)); err != nil {
			return err
		}
		if response.StatusCode >= http.StatusInternalServerError {
			return fmt.Errorf("%s answered %s", url, response.Status)
		}
		return nil
	})
}

// cleanup removes the workload, also after an interrupt, and what an earlier
// verification left that was killed.
func (v *verifier) cleanup(ctx context.Context, namespace string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	v.check("cleanup", "", "kubectl delete namespace "+namespace, func() (string, error) {
		err := v.api.do(ctx, http.MethodDelete, "/api/v1/namespaces/"+namespace, nil, nil)
		if err != nil && !isNotFound(err) {
			return "", err
		}
		var all list[struct {
			Metadata meta `json:"metadata"`
		}]
		if err := v.api.do(ctx, http.MethodGet, "/api/v1/namespaces", nil, &all); err != nil {
			return "", err
		}
		for _, found := range all.Items {
			created := found.Metadata.CreationTimestamp
			if strings.HasPrefix(found.Metadata.Name, namespacePrefix) && created != nil && time.Since(*created) > leftoverAge {
				if err := v.api.do(ctx, http.MethodDelete, "/api/v1/namespaces/"+found.Metadata.Name, nil, nil); err != nil && !isNotFound(err) {
					return "", err
				}
			}
		}
		return "the workload is removed", nil
	})
}
