package remote_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"provision/pkg/remote"
	"provision/pkg/remote/sshtest"
)

func TestDialContext_CarriesHTTP(t *testing.T) {
	server, dialer := start(t)
	client := dial(t, dialer, server.Target())
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	t.Cleanup(web.Close)
	transport := web.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = client.DialContext
	t.Cleanup(transport.CloseIdleConnections)
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || string(body) != "ok" {
		t.Errorf("got %q, %v", body, err)
	}
	if got := dialer.Counts(); got != (remote.Counts{Connections: 1, Tunnels: 1}) {
		t.Errorf("counts %+v", got)
	}
}

func TestDialContext_ClosedPort(t *testing.T) {
	client, _ := connect(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, err = client.DialContext(t.Context(), "tcp", address)
	mention(t, err, "tunnel to "+address+" through testhost", "connection refused")
}

func TestDialContext_Forbidden(t *testing.T) {
	client, _ := connect(t, sshtest.NoForwarding())
	_, err := client.DialContext(t.Context(), "tcp", "127.0.0.1:6443")
	mention(t, err, "AllowTcpForwarding")
}

func TestDialContext_NoOtherNetwork(t *testing.T) {
	client, _ := connect(t)
	_, err := client.DialContext(t.Context(), "udp", "127.0.0.1:53")
	mention(t, err, "neither tcp nor unix")
}

func TestDialContext_Socket(t *testing.T) {
	client, _ := connect(t)
	path := serveSocket(t, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
	conn, err := client.DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "echo"); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, 4)
	if _, err := io.ReadFull(conn, back); err != nil || string(back) != "echo" {
		t.Errorf("got %q, %v", back, err)
	}
}

func TestDialContext_FrozenHostEndsInTime(t *testing.T) {
	client, server := connectAlert(t)
	server.Freeze()
	soon(t, func() {
		_, err := client.DialContext(t.Context(), "tcp", "127.0.0.1:1")
		mention(t, err, "has not answered")
	})
}

func TestDialContext_CancelEndsIt(t *testing.T) {
	client, server := connectAlert(t)
	server.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	soon(t, func() {
		_, err := client.DialContext(ctx, "tcp", "127.0.0.1:1")
		mention(t, err, "deadline exceeded")
	})
}
