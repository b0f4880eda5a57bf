package remote_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"provision/pkg/remote"
	"provision/pkg/remote/sshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start returns a server and a Dialer, and checks after the test that neither left a goroutine.
func start(t *testing.T, options ...sshtest.Option) (*sshtest.Server, *remote.Dialer) {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	server := sshtest.Start(t, options...)
	return server, newDialer(t, remote.Options{Home: t.TempDir()})
}

func newDialer(t testing.TB, options remote.Options) *remote.Dialer {
	t.Helper()
	dialer := remote.NewDialer(options)
	t.Cleanup(func() {
		if err := dialer.Close(); err != nil {
			t.Errorf("close the dialer: %v", err)
		}
	})
	return dialer
}

// connect returns a client of a server that is healthy so far.
func connect(t *testing.T, options ...sshtest.Option) (*remote.Client, *sshtest.Server) {
	t.Helper()
	server, dialer := start(t, options...)
	return dial(t, dialer, server.Target()), server
}

// keepAlive is short enough for a test to wait until a frozen host is noticed, and long enough for a busy machine.
const keepAlive = 250 * time.Millisecond

// connectAlert returns a client that notices soon when its server freezes.
func connectAlert(t *testing.T) (*remote.Client, *sshtest.Server) {
	t.Helper()
	server, dialer := start(t)
	target := server.Target()
	target.KeepAlive = keepAlive
	return dial(t, dialer, target), server
}

func dial(t testing.TB, dialer *remote.Dialer, target remote.Target) *remote.Client {
	t.Helper()
	client, err := dialer.Dial(t.Context(), target)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("close the client: %v", err)
		}
	})
	return client
}

// soon fails the test when f, which takes a second at most, takes longer than a busy machine explains.
func soon(t *testing.T, f func()) {
	t.Helper()
	const limit = 20 * time.Second
	begin := time.Now()
	f()
	if took := time.Since(begin); took > limit {
		t.Errorf("took %v, want at most %v", took, limit)
	}
}

// cancelOn returns a context that is canceled when event is closed.
func cancelOn(t *testing.T, event <-chan struct{}) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		select {
		case <-event:
		case <-ctx.Done():
		}
	}()
	t.Cleanup(cancel)
	return ctx
}
