package cluster

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"provision/pkg/inventory"
	"provision/pkg/remote"
)

func (v *verifier) etcd(ctx context.Context) []Check {
	return each(v.Inventory.Master, func(master inventory.Host) Check {
		return v.check("etcd", master.Name, "on the master: systemctl status etcd; journalctl -u etcd", func() (string, error) {
			host := v.Hosts[master.Name]
			if host == nil {
				return "", errNoConnection
			}
			ctx, cancel := context.WithTimeout(ctx, v.patience())
			defer cancel()
			_, err := host.Run(ctx, remote.Command{Args: []string{"/usr/local/sbin/etcdctl-root", "endpoint", "health"}, Privileged: true})
			return "healthy", err
		})
	})
}

func (v *verifier) openAPI(ctx context.Context) Check {
	return v.check("api-access", "", "on the master: ls -l /etc/kubernetes", func() (string, error) {
		if v.master() == nil {
			return "", errNoConnection
		}
		api, err := openAPI(ctx, v.master())
		v.api = api
		return "administrator's credentials read from the master", err
	})
}

// remaining is the time until a deadline, at least that of a few looks.
func remaining(deadline time.Time) time.Duration { return max(time.Until(deadline), time.Second) }

func (v *verifier) health(ctx context.Context, deadline time.Time) []Check {
	return each([]string{"healthz", "readyz"}, func(path string) Check {
		hint := "on the master: systemctl status kube-apiserver; journalctl -u kube-apiserver; kubectl --kubeconfig " + adminKubeconfig + " get --raw '/" + path + "?verbose'"
		return v.check("api-"+path, "", hint, func() (string, error) {
			var answer string
			err := until(ctx, remaining(deadline), func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, requestTime)
				defer cancel()
				return v.api.do(ctx, http.MethodGet, "/"+path, nil, &answer)
			})
			if err == nil && answer != "ok" {
				err = fmt.Errorf("/%s answered %q instead of ok", path, answer)
			}
			return answer, err
		})
	})
}
