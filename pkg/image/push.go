// Package image puts container images from tar files into a registry that is
// reached through a connection to its host.
package image

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Registry is a registry and how it is reached.
type Registry struct {
	// Endpoint is its address:port.
	Endpoint string
	// AuthorityPEM signed its certificate.
	AuthorityPEM []byte
	// Dial connects to it.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Push puts the image of a tar file, as docker save writes it, into the
// registry and returns the digest of its manifest. Layers that the registry has
// are not sent again.
func Push(ctx context.Context, to Registry, repository, tag string, open func() (io.ReadCloser, error)) (string, error) {
	reference, err := name.NewTag(to.Endpoint + "/" + repository + ":" + tag)
	if err != nil {
		return "", fmt.Errorf("image name: %w", err)
	}
	if err := readWhole(open); err != nil {
		return "", fmt.Errorf("read image %s: %w", reference, err)
	}
	image, err := tarball.Image(open, nil)
	if err != nil {
		return "", fmt.Errorf("read image %s: %w", reference, err)
	}
	digest, err := image.Digest()
	if err != nil {
		return "", fmt.Errorf("read image %s: %w", reference, err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(to.AuthorityPEM)
	transport := &http.Transport{DialContext: to.Dial, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	if err := remote.Write(reference, image, remote.WithContext(ctx), remote.WithTransport(onlyTLS{transport})); err != nil {
		return "", fmt.Errorf("push image %s: %w", reference, err)
	}
	return digest.String(), nil
}

// readWhole reads the file to its end, where a content that is not what its sum
// says fails. What reads images stops at the end of the archive in it.
func readWhole(open func() (io.ReadCloser, error)) error {
	content, err := open()
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(io.Discard, content)
	return err
}

// onlyTLS refuses requests without TLS: go-containerregistry falls back to
// plain HTTP where a private address (RFC 1918) does not answer with TLS that is
// to be trusted.
type onlyTLS struct{ transport http.RoundTripper }

// RoundTrip sends a request over TLS.
func (o onlyTLS) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != "https" {
		return nil, errors.New("the registry must be reached with TLS")
	}
	return o.transport.RoundTrip(request)
}
