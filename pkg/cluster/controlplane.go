package cluster

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"provision/pkg/remote"
)

func (v *verifier) etcd(ctx context.Context) {
	for _, master := range v.Inventory.Master {
		v.check("etcd", master.Name, "on the master: systemctl status etcd; journalctl -u etcd", func() (string, error) {
			host := v.Hosts[master.Name]
			if host == nil {
				return "", errNoConnection
			}
			_, err := host.Run(ctx, remote.Command{Args: []string{"/usr/local/sbin/etcdctl-root", "endpoint", "health"}, Privileged: true})
			return "healthy", err
		})
	}
}

func (v *verifier) openAPI(ctx context.Context) bool {
	return v.check("api-access", "", "on the master: ls -l /etc/kubernetes", func() (string, error) {
		if v.master() == nil {
			return "", errNoConnection
		}
		api, err := openAPI(ctx, v.master())
		v.api = api
		return "administrator's credentials read from the master", err
	})
}

func (v *verifier) health(ctx context.Context) {
	for _, path := range []string{"healthz", "readyz"} {
		v.check("api-"+path, "", "on the master: systemctl status kube-apiserver; journalctl -u kube-apiserver", func() (string, error) {
			var answer string
			err := until(ctx, v.patience(), func(ctx context.Context) error {
				return v.api.do(ctx, http.MethodGet, "/"+path, nil, &answer)
			})
			if err == nil && answer != "ok" {
				err = fmt.Errorf("/%s answered %q instead of ok", path, answer)
			}
			return answer, err
		})
	}
}

func (v *verifier) nodes(ctx context.Context) {
	start := time.Now() // all nodes start at the same time
	for _, slave := range v.Inventory.Slaves {
		v.check("node-ready", slave.Name, "on the slave: journalctl -u kubelet -u containerd; a node that never appears can't reach the API", func() (string, error) {
			var seen node
			err := until(ctx, max(v.patience()-time.Since(start), time.Second), func(ctx context.Context) error {
				if err := v.api.do(ctx, http.MethodGet, "/api/v1/nodes/"+slave.Name, nil, &seen); err != nil {
					return err
				}
				return notReady(seen)
			})
			if err == nil && seen.internalIP() != slave.Address.String() {
				err = fmt.Errorf("the node is registered under %s instead of %s", seen.internalIP(), slave.Address)
			}
			return "Ready under " + slave.Address.String(), err
		})
	}
}

// notReady says why a node is not Ready, nil if it is.
func notReady(n node) error {
	if isTrue(n.Status.Conditions, "Ready") {
		return nil
	}
	var messages []string
	for _, condition := range n.Status.Conditions {
		if condition.Type == "Ready" {
			messages = append(messages, condition.Message)
		}
	}
	return fmt.Errorf("the node is not Ready: %s", strings.Join(messages, "; "))
}
