package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"gopkg.in/yaml.v3"

	"provision/pkg/remote"
)

// adminKubeconfig is the kubeconfig on the master that names the API's port and
// the files of its administrator.
const adminKubeconfig = "/etc/kubernetes/admin.kubeconfig"

// maxAnswer bounds an answer of the API, in bytes.
const maxAnswer = 16 << 20

// api is the Kubernetes API, spoken to as its administrator.
type api struct {
	base   string
	client *http.Client
}

// kubeconfig is the part of a kubeconfig that is read here (Kubernetes,
// client-go/tools/clientcmd/api/v1).
type kubeconfig struct {
	Clusters []struct {
		Cluster struct {
			Server    string `yaml:"server"`
			Authority string `yaml:"certificate-authority"`
		} `yaml:"cluster"`
	} `yaml:"clusters"`
	Users []struct {
		User struct {
			Certificate string `yaml:"client-certificate"`
			Key         string `yaml:"client-key"`
		} `yaml:"user"`
	} `yaml:"users"`
}

// openAPI reads the administrator's credentials from the master into memory and
// connects through it.
func openAPI(ctx context.Context, master Host) (*api, error) {
	text, err := readFile(ctx, master, adminKubeconfig)
	if err != nil {
		return nil, err
	}
	var config kubeconfig
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("read %s of the master: %w", adminKubeconfig, err)
	}
	if len(config.Clusters) != 1 || len(config.Users) != 1 {
		return nil, fmt.Errorf("%s of the master: want one cluster and one user", adminKubeconfig)
	}
	server, err := url.Parse(config.Clusters[0].Cluster.Server)
	if err != nil {
		return nil, fmt.Errorf("%s of the master: server: %w", adminKubeconfig, err)
	}
	var files [3][]byte
	for i, path := range []string{config.Clusters[0].Cluster.Authority, config.Users[0].User.Certificate, config.Users[0].User.Key} {
		if files[i], err = readFile(ctx, master, path); err != nil {
			return nil, err
		}
	}
	pair, err := tls.X509KeyPair(files[1], files[2])
	if err != nil {
		return nil, fmt.Errorf("administrator's certificate on the master: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(files[0])
	transport := &http.Transport{
		DialContext:       master.DialContext,
		TLSClientConfig:   &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
	base := "https://" + net.JoinHostPort("127.0.0.1", server.Port())
	return &api{base: base, client: &http.Client{Transport: transport}}, nil
}

func (a *api) close() { a.client.CloseIdleConnections() }

// readFile reads a file of a host that only root may read.
func readFile(ctx context.Context, host Host, path string) ([]byte, error) {
	result, err := host.Run(ctx, remote.Command{Args: []string{"cat", "--", path}, Privileged: true})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return result.Stdout, nil
}

// statusError is an answer of the API other than success.
type statusError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error is the API's own message.
func (e *statusError) Error() string {
	return fmt.Sprintf("the API answered %d: %s", e.Code, e.Message)
}

func isNotFound(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}

// do sends a request; body and into may be nil.
func (a *api) do(ctx context.Context, method, path string, body, into any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, content)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		status := &statusError{Code: response.StatusCode}
		if json.Unmarshal(answer, status) != nil || status.Message == "" {
			status.Message = string(answer[:min(len(answer), 200)])
		}
		return fmt.Errorf("%s %s: %w", method, path, status)
	}
	if into == nil {
		return nil
	}
	if text, ok := into.(*string); ok {
		*text = string(answer)
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	return nil
}
