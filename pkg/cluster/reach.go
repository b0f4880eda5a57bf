package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"provision/pkg/inventory"
)

// settle bounds the waits for what is there in a moment once the pods are ready:
// routes, and the rules of kube-proxy.
func (v *verifier) settle() time.Duration { return v.patience() / 3 }

const reachHint = "on the slaves: journalctl -u flanneld -u kube-proxy; is UDP 8472 (vxlan) open between them, and forwarding not dropped (nft list ruleset; iptables -S FORWARD)?"

// reachAll reaches the workload in every way, at the same time.
func (v *verifier) reachAll(ctx context.Context, space *namespace, pods []pod) []Check {
	var found service
	err := v.api.do(ctx, http.MethodGet, space.path()+"/services/web", nil, &found)
	ways := []func() Check{
		func() Check {
			return v.check("pod-addresses", "", "on the slaves: ls /etc/cni/net.d; cat /run/flannel/subnet.env", func() (string, error) { return v.addresses(pods) })
		},
		func() Check {
			return v.check("pod-reachable", "", reachHint, func() (string, error) { return v.reachPods(ctx, pods) })
		},
		func() Check {
			return v.check("service", "", reachHint, func() (string, error) { return v.reachService(ctx, found, err) })
		},
		func() Check {
			return v.check("node-port", "", reachHint, func() (string, error) { return v.reachNodePort(ctx, found, err) })
		},
	}
	return each(ways, func(way func() Check) Check { return way() })
}

func (v *verifier) addresses(pods []pod) (string, error) {
	var errs []error
	for _, p := range pods {
		address, err := netip.ParseAddr(p.Status.PodIP)
		if err != nil || !v.Inventory.Network.PodCIDR.Contains(address) {
			errs = append(errs, fmt.Errorf("pod %s on %s has the address %q, outside the pod network %s", p.Metadata.Name, p.Spec.NodeName, p.Status.PodIP, v.Inventory.Network.PodCIDR))
		}
	}
	return "all in " + v.Inventory.Network.PodCIDR.String(), errors.Join(errs...)
}

// reachPods asks each pod from another slave.
func (v *verifier) reachPods(ctx context.Context, pods []pod) (string, error) {
	errs := each(pods, func(p pod) error {
		source := v.otherSlave(p.Spec.NodeName)
		url := "http://" + net.JoinHostPort(p.Status.PodIP, strconv.Itoa(int(v.Inventory.Verify.Port))) + "/"
		if err := v.reach(ctx, source, url); err != nil {
			return fmt.Errorf("pod on %s from %s: %w", p.Spec.NodeName, source, err)
		}
		return nil
	})
	return v.fromOther("each pod answers"), errors.Join(errs...)
}

// reachService asks the service by its address, on every slave.
func (v *verifier) reachService(ctx context.Context, found service, err error) (string, error) {
	if err != nil {
		return "", err
	}
	slaves := v.connected()
	errs := each(slaves, func(slave inventory.Host) error {
		return from(slave.Name, v.reach(ctx, slave.Name, "http://"+found.Spec.ClusterIP+"/"))
	})
	return fmt.Sprintf("%s answers on %d of %d slaves", found.Spec.ClusterIP, len(slaves), len(v.Inventory.Slaves)), errors.Join(errs...)
}

// reachNodePort asks the service by its port of each slave, from another slave.
func (v *verifier) reachNodePort(ctx context.Context, found service, err error) (string, error) {
	if err != nil {
		return "", err
	}
	if len(found.Spec.Ports) != 1 {
		return "", fmt.Errorf("the service has %d ports instead of 1", len(found.Spec.Ports))
	}
	port := strconv.Itoa(found.Spec.Ports[0].NodePort)
	errs := each(v.connected(), func(slave inventory.Host) error {
		source := v.otherSlave(slave.Name)
		if err := v.reach(ctx, source, "http://"+net.JoinHostPort(slave.Address.String(), port)+"/"); err != nil {
			return fmt.Errorf("%s from %s: %w", slave.Name, source, err)
		}
		return nil
	})
	return v.fromOther("port " + port + " of each slave answers"), errors.Join(errs...)
}

// otherSlave is the connected slave after the named one, which is that one
// itself when there is no other.
func (v *verifier) otherSlave(name string) string {
	slaves := v.connected()
	for i, slave := range slaves {
		if slave.Name == name {
			return slaves[(i+1)%len(slaves)].Name
		}
	}
	if len(slaves) > 0 {
		return slaves[0].Name
	}
	return name
}

// fromOther ends a detail with from where was asked.
func (v *verifier) fromOther(detail string) string {
	if len(v.connected()) > 1 {
		return detail + " from another slave"
	}
	return detail + " from its own slave, the only one"
}

// reach asks a URL from a host until it answers.
func (v *verifier) reach(ctx context.Context, source, url string) error {
	host := v.Hosts[source]
	if host == nil {
		return errNoConnection
	}
	client := &http.Client{
		Transport: &http.Transport{DialContext: host.DialContext, DisableKeepAlives: true},
		// Any answer will do; where it leads to may be out of reach.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return until(ctx, v.settle(), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, requestTime)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("ask %s: %w", url, err)
		}
		response, err := client.Do(request)
		if err != nil {
			return fmt.Errorf("no answer: %w", err)
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)); err != nil {
			return fmt.Errorf("half an answer of %s (MTU?): %w", url, err)
		}
		if response.StatusCode >= http.StatusInternalServerError {
			return fmt.Errorf("%s answered %s", url, response.Status)
		}
		return nil
	})
}
