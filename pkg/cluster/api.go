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
	"maps"
	"net"
	"net/http"
	"slices"

	"gopkg.in/yaml.v3"
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
	usual := []string{adminKubeconfig, authorityCert, "/etc/kubernetes/pki/admin.crt", "/etc/kubernetes/pki/admin.key"}
	files, err := readFiles(ctx, master, usual...)
	if err != nil {
		return nil, err
	}
	var config kubeconfig
	if err := yaml.Unmarshal(files[adminKubeconfig], &config); err != nil {
		return nil, fmt.Errorf("read %s of the master: %w", adminKubeconfig, err)
	}
	if len(config.Clusters) != 1 || len(config.Users) != 1 {
		return nil, fmt.Errorf("%s of the master: want one cluster and one user", adminKubeconfig)
	}
	port, err := portOf(config.Clusters[0].Cluster.Server)
	if err != nil {
		return nil, err
	}
	named := []string{config.Clusters[0].Cluster.Authority, config.Users[0].User.Certificate, config.Users[0].User.Key}
	if err := readMore(ctx, master, files, named); err != nil {
		return nil, err
	}
	trust, err := clientTLS(files[named[0]], files[named[1]], files[named[2]])
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DialContext: master.DialContext, TLSClientConfig: trust, ForceAttemptHTTP2: true}
	return &api{base: "https://" + net.JoinHostPort("127.0.0.1", port), client: &http.Client{Transport: transport}}, nil
}

// readMore reads those named files that have not been read yet.
func readMore(ctx context.Context, master Host, files map[string][]byte, named []string) error {
	missing := slices.DeleteFunc(slices.Clone(named), func(path string) bool { return files[path] != nil })
	if len(missing) == 0 {
		return nil
	}
	more, err := readFiles(ctx, master, missing...)
	if err != nil {
		return err
	}
	maps.Copy(files, more)
	for _, path := range missing {
		if files[path] == nil {
			return fmt.Errorf("%s names the file %q, which is not there", adminKubeconfig, path)
		}
	}
	return nil
}

// clientTLS trusts the cluster's authority and shows a client certificate.
func clientTLS(authorityPEM, certPEM, keyPEM []byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("administrator's certificate on the master: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authorityPEM) {
		return nil, errors.New("the authority's certificate on the master can't be read")
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

func (a *api) close() { a.client.CloseIdleConnections() }

// statusError is an answer of the API other than success.
type statusError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error is the API's own message.
func (e *statusError) Error() string {
	return fmt.Sprintf("the API answered %d: %s", e.Code, e.Message)
}

func hasStatus(err error, code int) bool {
	var status *statusError
	return errors.As(err, &status) && status.Code == code
}

// do sends a request; body and into may be nil. into must be fresh: what an
// answer leaves out keeps its value.
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
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json") // RFC 7386
	}
	response, err := a.client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the API: %w", err)
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
