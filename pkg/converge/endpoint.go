package converge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"time"

	"provision/pkg/resource"
)

// endpointInterval is how long to wait between two requests to an endpoint.
const endpointInterval = 100 * time.Millisecond

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
	client := &http.Client{Transport: transport}
	ticker := time.NewTicker(endpointInterval)
	defer ticker.Stop()
	var last error
	for {
		err := get(ctx, client, service.Answers)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err // a request that was cut short says less than the one before
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer within %s: %w", service.Answers, service.Within, last)
		case <-ticker.C:
		}
	}
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
