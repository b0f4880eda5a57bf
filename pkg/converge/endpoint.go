package converge

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"provision/pkg/remote"
	"provision/pkg/resource"
)

// endpointInterval is how long to wait between two requests to an endpoint.
const endpointInterval = 100 * time.Millisecond

// patience is how long a request may take: one that hangs, as one to a process
// that has just been stopped, leaves time for others.
func patience(within time.Duration) time.Duration {
	return max(time.Second, min(10*time.Second, within/4))
}

// answer asks a service's URL on its host, through the host's connection, until
// it answers 200.
func (r *run) answer(ctx context.Context, host string, service resource.Service) error {
	ctx, cancel := context.WithTimeout(ctx, service.Within)
	defer cancel()
	transport := &http.Transport{DialContext: r.Hosts[host].DialContext, DisableKeepAlives: true}
	if service.Authority != "" {
		certPEM, err := r.signers.certificate(ctx, service.Authority)
		if err != nil {
			return err
		}
		transport.TLSClientConfig = trusting(certPEM)
	}
	client := &http.Client{Transport: transport, Timeout: patience(service.Within)}
	ticker := time.NewTicker(cmp.Or(r.interval, endpointInterval))
	defer ticker.Stop()
	var last error
	crashes := crashCount{first: -1}
	for asked := 1; ; asked++ {
		err := get(ctx, client, service.Answers)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err // a request that was cut short says less than the one before
		}
		if asked%crashChecks == 0 && crashes.tooMany(r.restarts(ctx, host, service)) {
			return fmt.Errorf("it keeps crashing: %w", last)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer within %s: %w", service.Answers, service.Within, last)
		case <-ticker.C:
		}
	}
}

const (
	// crashChecks is how many vain requests pass before systemd is asked.
	crashChecks = 20
	// mostRestarts is how often systemd may restart a service while it is waited
	// for: one that needs another service may crash until that one is there.
	mostRestarts = 3
)

// crashCount tells a service that keeps crashing from one that did while it had
// to: only restarts since the first look count.
type crashCount struct{ first int }

func (c *crashCount) tooMany(restarts int) bool {
	if c.first < 0 {
		c.first = restarts
	}
	return restarts-c.first >= mostRestarts
}

// restarts is how often systemd has restarted a service since it was started
// (NRestarts in org.freedesktop.systemd1(5)), 0 when that can't be told.
func (r *run) restarts(ctx context.Context, host string, service resource.Service) int {
	result, err := r.Hosts[host].Run(ctx, remote.Command{
		Args: []string{"systemctl", "show", "--property", "NRestarts", "--value", "--", service.Unit}, Privileged: true,
	})
	if err != nil {
		return 0
	}
	restarts, err := strconv.Atoi(strings.TrimSpace(string(result.Stdout)))
	if err != nil {
		return 0
	}
	return restarts
}

// lastWords adds to an error what the service logged last.
func (r *run) lastWords(ctx context.Context, host string, service resource.Service, err error) error {
	result, logErr := r.Hosts[host].Run(ctx, remote.Command{
		Args: []string{"journalctl", "--no-pager", "--quiet", "--output", "cat", "--lines", "20", "--unit", service.Unit}, Privileged: true,
	})
	if logErr != nil || len(result.Stdout) == 0 {
		return fmt.Errorf("%w; on the host: journalctl -u %s", err, service.Unit)
	}
	return fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(result.Stdout)))
}

// trusting is TLS that accepts what one authority signed.
func trusting(certPEM []byte) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}
