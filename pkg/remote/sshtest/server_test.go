package sshtest_test

import (
	"bytes"
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"provision/pkg/remote"
	"provision/pkg/remote/sshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestShell_RunsAndReportsStatus(t *testing.T) {
	var stdout bytes.Buffer
	status := sshtest.Shell(t.Context(), sshtest.Exec{Command: "cat; exit 3", Stdin: strings.NewReader("in"), Stdout: &stdout, Stderr: &stdout})
	if status != 3 || stdout.String() != "in" {
		t.Errorf("status %d, output %q", status, &stdout)
	}
}

func TestShell_KillsTheChildrenToo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	// The end of the output is the end of the last process that could write it.
	stdout := writer(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	})
	status := sshtest.Shell(ctx, sshtest.Exec{Command: "sleep 1000 & echo started; wait", Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stdout})
	if status != sshtest.Killed(syscall.SIGKILL) {
		t.Errorf("status %d", status)
	}
}

func TestServer_LatencyDelaysRoundTrips(t *testing.T) {
	const latency = 30 * time.Millisecond
	server := sshtest.Start(t, sshtest.WithLatency(latency))
	dialer := remote.NewDialer(remote.Options{})
	client, err := dialer.Dial(t.Context(), server.Target())
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if _, err := client.Run(t.Context(), remote.Command{Args: []string{"true"}}); err != nil {
		t.Error(err)
	}
	// Opening the session and starting the command are a round trip each.
	if took := time.Since(begin); took < 2*latency {
		t.Errorf("took %v", took)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if err := dialer.Close(); err != nil {
		t.Error(err)
	}
}

type writer func([]byte) (int, error)

func (f writer) Write(p []byte) (int, error) { return f(p) }
