package cluster

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"provision/pkg/pki"
)

// The cluster's authority on the master, and the group that the cluster gives
// operators' rights.
const (
	authorityCert  = "/etc/kubernetes/pki/ca.crt"
	authorityKey   = "/etc/kubernetes/pki/ca.key"
	operatorsGroup = "provision:operators"
)

// Operator is a person, or a program, that gets access.
type Operator struct {
	// Name is what the cluster's audit log calls them.
	Name string
}

// Kubeconfig issues a certificate to an operator and returns a kubeconfig with
// it. The authority's key is read from the master into memory only.
func Kubeconfig(ctx context.Context, target Target, operator Operator) ([]byte, error) {
	// The cluster gives such names rights of their own.
	if strings.HasPrefix(operator.Name, "system:") {
		return nil, fmt.Errorf("operator %q: names that begin with system: are Kubernetes' own", operator.Name)
	}
	master := target.master()
	if master == nil {
		return nil, fmt.Errorf("master %s: %w", target.Inventory.Master[0].Name, errNoConnection)
	}
	files, err := readFiles(ctx, master, authorityCert, authorityKey, adminKubeconfig)
	if err != nil {
		return nil, err
	}
	for _, path := range []string{authorityCert, authorityKey, adminKubeconfig} {
		if files[path] == nil {
			return nil, fmt.Errorf("%s is missing on %s: has the cluster been installed?", path, target.Inventory.Master[0].Name)
		}
	}
	authority, err := pki.ParseAuthority(files[authorityCert], files[authorityKey], time.Now())
	if err != nil {
		return nil, fmt.Errorf("authority of the cluster: %w", err)
	}
	request := pki.Request{CommonName: operator.Name, Organizations: []string{operatorsGroup}, Usages: []pki.Usage{pki.Client}}
	cert, key, err := authority.Issue(time.Now(), request, pki.LeafValidity)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", operator.Name, err)
	}
	server, err := serverOf(files[adminKubeconfig], target.Inventory.Master[0].Address.String())
	if err != nil {
		return nil, err
	}
	return encodeKubeconfig(target.Inventory.Cluster, server, files[authorityCert], cert, key)
}

// serverOf is the API's URL at the master's address, with the port of the
// master's own kubeconfig.
func serverOf(config []byte, address string) (string, error) {
	var parsed kubeconfig
	if err := yaml.Unmarshal(config, &parsed); err != nil || len(parsed.Clusters) != 1 {
		return "", errors.Join(fmt.Errorf("%s of the master: want one cluster", adminKubeconfig), err)
	}
	port, err := portOf(parsed.Clusters[0].Cluster.Server)
	if err != nil {
		return "", err
	}
	return "https://" + net.JoinHostPort(address, port), nil
}

// portOf is the port of a kubeconfig's server.
func portOf(server string) (string, error) {
	parsed, err := url.Parse(server)
	if err != nil || parsed.Scheme != "https" || parsed.Hostname() == "" {
		return "", fmt.Errorf("%s of the master: server %q is not an https URL", adminKubeconfig, server)
	}
	return cmp.Or(parsed.Port(), "443"), nil
}

func encodeKubeconfig(name, server string, ca, cert, key []byte) ([]byte, error) {
	user := name + "-operator"
	encode := base64.StdEncoding.EncodeToString
	return yaml.Marshal(map[string]any{
		"apiVersion":      "v1",
		"kind":            "Config",
		"clusters":        []any{map[string]any{"name": name, "cluster": map[string]any{"server": server, "certificate-authority-data": encode(ca)}}},
		"users":           []any{map[string]any{"name": user, "user": map[string]any{"client-certificate-data": encode(cert), "client-key-data": encode(key)}}},
		"contexts":        []any{map[string]any{"name": name, "context": map[string]any{"cluster": name, "user": user}}},
		"current-context": name,
	})
}
