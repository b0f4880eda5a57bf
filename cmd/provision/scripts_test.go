package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"testing"

	"provision/pkg/converge"
	"provision/pkg/remote"
)

// recorder is a connection that keeps what commands read.
type recorder struct{ stdin string }

func (r *recorder) Run(_ context.Context, command remote.Command) (remote.Result, error) {
	text, err := io.ReadAll(command.Stdin)
	r.stdin = string(text)
	return remote.Result{}, err
}

func (r *recorder) Upload(context.Context, remote.File) (string, error) { return "", nil }

func (r *recorder) DialContext(context.Context, string, string) (net.Conn, error) { return nil, io.EOF }

const stageScript = "guarded\n1\nRUN\nbegin\n1\nfile /etc/secret\nwrite\n5\n/etc/secret\n0600\nroot\nroot\nc2VjcmV0\n" +
	"run\n5\n30\naW5wdXQ=\netcdctl\nuser\nadd\nsysctl\n2\n/proc/sys/vm/swappiness\n0\nnew-verb\n1\nc2VjcmV0\nrecord\n1\nc2VjcmV0\nend\n0\n"

func TestLogged_ShowsOperationsAndNoContents(t *testing.T) {
	var out bytes.Buffer
	host := &recorder{}
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	connection := logged(map[string]converge.Connection{"a": host}, log)["a"]
	if _, err := connection.Run(t.Context(), remote.Command{Name: "apply node", Stdin: strings.NewReader(stageScript)}); err != nil {
		t.Fatal(err)
	}
	if host.stdin != stageScript {
		t.Errorf("the host read %q", host.stdin)
	}
	for _, secret := range []string{"c2VjcmV0", "aW5wdXQ="} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s is shown:\n%s", secret, out.String())
		}
	}
	want := []string{
		"guarded RUN", "begin file /etc/secret", "write /etc/secret 0600 root root (8 bytes not shown)",
		"run etcdctl user add (10 bytes not shown)", "sysctl /proc/sys/vm/swappiness 0", "new-verb (8 bytes not shown)",
		"record (8 bytes not shown)", "end",
	}
	if got := shownOperations(stageScript); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestLogged_LeavesOtherCommandsAlone(t *testing.T) {
	var out bytes.Buffer
	host := &recorder{}
	connection := logged(map[string]converge.Connection{"a": host}, slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))["a"]
	if _, err := connection.Run(t.Context(), remote.Command{Name: "probe", Stdin: strings.NewReader("write\n1\nx\n")}); err != nil {
		t.Fatal(err)
	}
	if host.stdin != "write\n1\nx\n" || out.Len() > 0 {
		t.Errorf("read %q, logged %q", host.stdin, out.String())
	}
}

func TestShownOperations_TakesAnything(t *testing.T) {
	for _, input := range []string{"", "\n", "write", "write\n-1\n", "write\n99\nx\n", "run\n1\nx\n", "run\n0\n", "write\nmany\nx\n"} {
		for _, operation := range shownOperations(input) {
			if strings.Contains(operation, "x") {
				t.Errorf("%q shows %q", input, operation)
			}
		}
	}
}
