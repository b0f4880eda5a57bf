package image

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"provision/pkg/pki"
)

// private is the address of a registry as most have one (RFC 1918). The tests
// reach it only through Dial.
const private = "10.25.31.102:5000"

// host is a registry in memory, behind TLS, and what was asked of it.
type host struct {
	*httptest.Server
	mutex    sync.Mutex
	requests []string
}

func start(t *testing.T) *host {
	t.Helper()
	h := &host{}
	serve := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mutex.Lock()
		h.requests = append(h.requests, r.Method+" "+r.URL.Path)
		h.mutex.Unlock()
		serve.ServeHTTP(w, r)
	}))
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(h.Close)
	return h
}

// withTLS starts it with a certificate for its address, and returns the
// authority that signed that.
func (h *host) withTLS(t *testing.T) []byte {
	t.Helper()
	authority, err := pki.NewAuthority(time.Now(), "cluster", pki.CAValidity)
	if err != nil {
		t.Fatal(err)
	}
	request := pki.Request{CommonName: "registry", Usages: []pki.Usage{pki.Server}}
	request.IPAddresses = append(request.IPAddresses, addressOf(t, private))
	certPEM, keyPEM, err := authority.Issue(time.Now(), request, pki.LeafValidity)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	h.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	h.StartTLS()
	return authority.CertPEM()
}

// reached is the registry at the private address.
func (h *host) reached(authorityPEM []byte) Registry {
	return Registry{Endpoint: private, AuthorityPEM: authorityPEM, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != private {
			return nil, errors.New("dialed " + address)
		}
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, h.Listener.Addr().String())
	}}
}

// count tells how many requests begin with a method and end with a path's end.
func (h *host) count(method, end string) int {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	n := 0
	for _, request := range h.requests {
		if strings.HasPrefix(request, method+" ") && strings.Contains(request, end) {
			n++
		}
	}
	return n
}

// archive is an image in a tar file.
func archive(t *testing.T) []byte {
	t.Helper()
	image, err := random.Image(1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("example.com/any:tag")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := tarball.Write(tag, image, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func opening(content []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
}

// served is the digest that the registry serves under a tag.
func (h *host) served(t *testing.T, authorityPEM []byte, path string) string {
	t.Helper()
	to := h.reached(authorityPEM)
	client := h.Client()
	transport, _ := client.Transport.(*http.Transport)
	transport.DialContext = to.Dial
	transport.TLSClientConfig = trusting(authorityPEM)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "https://"+private+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.Header.Get("Docker-Content-Digest")
}

func TestPush_ReturnsTheDigestThatTheRegistryServes(t *testing.T) {
	h := start(t)
	authorityPEM := h.withTLS(t)
	digest, err := Push(t.Context(), h.reached(authorityPEM), "k8s/pause", "3.10", opening(archive(t)))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.served(t, authorityPEM, "/v2/k8s/pause/manifests/3.10"); got != digest || !strings.HasPrefix(digest, "sha256:") {
		t.Errorf("pushed %s, but %s is served", digest, got)
	}
}

func TestPush_LayersThatAreThereAreNotSentAgain(t *testing.T) {
	h := start(t)
	to, content := h.reached(h.withTLS(t)), archive(t)
	var digests []string
	for _, tag := range []string{"1", "1", "2"} {
		digest, err := Push(t.Context(), to, "sample", tag, opening(content))
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
		if n := h.count(http.MethodPatch, "/blobs/uploads/"); n != 4 {
			t.Errorf("%d blobs were sent after tag %s, want 3 layers and a config once", n, tag)
		}
	}
	if digests[0] != digests[1] || digests[0] != digests[2] {
		t.Errorf("digests are %v", digests)
	}
}

func TestPush_WhatIsNoImageIsAnError(t *testing.T) {
	h := start(t)
	to, content := h.reached(h.withTLS(t)), archive(t)
	gone := errors.New("gone")
	tests := []struct {
		name string
		open func() (io.ReadCloser, error)
		want string
	}{
		{"nothing", opening(nil), "read image 10.25.31.102:5000/sample:1: "},
		{"no tar file", opening(bytes.Repeat([]byte("x"), 2000)), "read image 10.25.31.102:5000/sample:1: "},
		{"half a tar file", opening(content[:len(content)/2]), "read image 10.25.31.102:5000/sample:1: "},
		{"a file that can't be opened", func() (io.ReadCloser, error) { return nil, gone }, "read image 10.25.31.102:5000/sample:1: gone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Push(t.Context(), to, "sample", "1", tt.open)
			checkError(t, err, tt.want)
		})
	}
	if n := h.count(http.MethodPut, ""); n != 0 {
		t.Errorf("%d things were put into the registry", n)
	}
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want one that contains %s", err, want)
	}
}

// damaged fails where the file ends, as an artifact does that is not what its
// sum says. Tar files go on behind the end of the archive in them.
type damaged struct{ io.Reader }

var errDamaged = errors.New("not what its sum says")

func (d damaged) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = errDamaged
	}
	return n, err
}

func TestPush_AFileThatIsNotItsSumIsNotPushed(t *testing.T) {
	h := start(t)
	to, content := h.reached(h.withTLS(t)), archive(t)
	_, err := Push(t.Context(), to, "sample", "1", func() (io.ReadCloser, error) {
		return io.NopCloser(damaged{bytes.NewReader(content)}), nil
	})
	if !errors.Is(err, errDamaged) {
		t.Errorf("error is %v", err)
	}
	if n := h.count("", ""); n != 0 || len(h.requests) != 0 {
		t.Errorf("the registry was asked for %v", h.requests)
	}
}

func TestPush_ARegistryOfAnotherAuthorityIsRefused(t *testing.T) {
	h, other := start(t), start(t)
	h.withTLS(t)
	wrong := other.withTLS(t)
	_, err := Push(t.Context(), h.reached(wrong), "sample", "1", opening(archive(t)))
	checkError(t, err, "certificate signed by unknown authority")
	_, err = Push(t.Context(), h.reached(nil), "sample", "1", opening(archive(t)))
	checkError(t, err, "certificate signed by unknown authority")
	if len(h.requests) != 0 {
		t.Errorf("the registry was asked for %v", h.requests)
	}
}

// go-containerregistry would fall back to plain HTTP for a private address.
func TestPush_ARegistryWithoutTLSIsRefused(t *testing.T) {
	h := start(t)
	h.Start()
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE"})
	_, err := Push(t.Context(), h.reached(block), "sample", "1", opening(archive(t)))
	checkError(t, err, "push image 10.25.31.102:5000/sample:1: ")
	if len(h.requests) != 0 {
		t.Errorf("the registry was asked for %v", h.requests)
	}
}

func TestPush_ABadNameIsAnError(t *testing.T) {
	for _, repository := range []string{"", "Sample", "a b"} {
		_, err := Push(t.Context(), Registry{Endpoint: private}, repository, "1", opening(nil))
		checkError(t, err, "image name: ")
	}
}

func TestPush_EndsWithItsContext(t *testing.T) {
	h := start(t)
	to, content := h.reached(h.withTLS(t)), archive(t)
	ctx, cancel := context.WithCancel(t.Context())
	dial := to.Dial
	to.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		cancel()
		return dial(ctx, network, address)
	}
	if _, err := Push(ctx, to, "sample", "1", opening(content)); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
