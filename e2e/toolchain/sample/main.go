// Command sample is the lab's workload: a web server on :8080 whose answers say
// which pod gave them.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	hostname, err := os.Hostname()
	if err == nil {
		err = serve(ctx, ":8080", hostname)
	}
	if err != nil {
		slog.Error("sample", "error", err)
		os.Exit(1)
	}
}

// serve answers until ctx ends, then lets requests finish.
func serve(ctx context.Context, address, hostname string) error {
	server := &http.Server{Addr: address, Handler: handler(hostname), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	slog.Info("serving", "address", address, "hostname", hostname)
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", address, err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler answers /healthz, and everything else with who and where it is. The
// address is the one that the connection came to, so behind a Service it is the
// pod's and not the Service's.
func handler(hostname string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		ip := ""
		if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
			ip = local.IP.String()
		}
		fmt.Fprintf(w, "hostname: %s\nip: %s\nclient: %s\npath: %s\n", hostname, ip, r.RemoteAddr, r.URL.Path)
	})
	return mux
}
