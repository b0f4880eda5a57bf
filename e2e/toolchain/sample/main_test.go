package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandler_SaysWhoAndWhereItIs(t *testing.T) {
	server := httptest.NewServer(handler("pod-1"))
	defer server.Close()
	text := get(t, server.URL+"/some/path")
	for _, want := range []string{"hostname: pod-1\n", "ip: 127.0.0.1\n", "client: 127.0.0.1:", "path: /some/path\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
}

func TestHandler_IsHealthy(t *testing.T) {
	server := httptest.NewServer(handler("pod-1"))
	defer server.Close()
	if text := get(t, server.URL+"/healthz"); text != "ok\n" {
		t.Errorf("got %q", text)
	}
}

func TestServe_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := serve(ctx, "127.0.0.1:0", "pod-1"); err != nil {
		t.Error(err)
	}
}

func TestServe_AddressInUseIsAnError(t *testing.T) {
	server := httptest.NewServer(handler("pod-1"))
	defer server.Close()
	if err := serve(context.Background(), server.Listener.Addr().String(), "pod-1"); err == nil {
		t.Error("no error")
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
