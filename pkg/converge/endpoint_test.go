package converge

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"provision/pkg/pki"
	"provision/pkg/resource"
)

// servedBy makes a host's tunnels end at a handler.
func servedBy(t *testing.T, host *memoryHost, handler http.HandlerFunc) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	host.dial = func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
}

// answering is a host with a service that must answer.
func answering(within time.Duration) []resource.Host {
	service := resource.Service{Unit: "web.service", Answers: "http://127.0.0.1:1/ready", Within: within}
	return []resource.Host{{Name: "a", Stages: []resource.Stage{{Name: "s", Resources: []resource.Resource{service}}}}}
}

func TestApply_ServiceIsRememberedOnlyOnceItAnswers(t *testing.T) {
	t.Parallel()
	desired := answering(30 * time.Second)
	connections, hosts := fleetOf(desired)
	tries := 0
	servedBy(t, hosts["a"], func(w http.ResponseWriter, _ *http.Request) {
		if tries++; tries < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if len(hosts["a"].done("record")) != 1 {
			t.Error("the stage is remembered before the service answers")
		}
	})
	if err := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	if tries != 3 || len(hosts["a"].done("record")) != 2 {
		t.Errorf("%d tries, %d records", tries, len(hosts["a"].done("record")))
	}
}

func TestApply_ServiceThatNeverAnswersFailsInTime(t *testing.T) {
	t.Parallel()
	desired := answering(300 * time.Millisecond)
	connections, hosts := fleetOf(desired)
	servedBy(t, hosts["a"], func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	hosts["a"].lastWords = "unknown flag: --no-such-flag\n"
	err := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections}).Err()
	for _, want := range []string{"503", "service web.service", "unknown flag: --no-such-flag"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
}

// A service that systemd restarts again and again is not waited for to the end.
func TestApply_ServiceThatKeepsCrashingFailsEarly(t *testing.T) {
	t.Parallel()
	desired := answering(time.Hour)
	connections, hosts := fleetOf(desired)
	restarts := 10
	hosts["a"].restarts = func() int { restarts += 2; return restarts }
	err := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections, interval: time.Millisecond}).Err()
	if err == nil || !strings.Contains(err.Error(), "keeps crashing") || !strings.Contains(err.Error(), "journalctl -u web.service") {
		t.Errorf("got %v", err)
	}
}

// One that crashed only while it had to is.
func TestApply_ServiceThatCrashedBeforeIsWaitedFor(t *testing.T) {
	t.Parallel()
	desired := answering(time.Hour)
	connections, hosts := fleetOf(desired)
	hosts["a"].restarts = func() int { return 50 }
	tries := 0
	servedBy(t, hosts["a"], func(w http.ResponseWriter, _ *http.Request) {
		if tries++; tries <= 2*crashChecks {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if err := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections, interval: time.Millisecond}).Err(); err != nil {
		t.Error(err)
	}
}

// A request that hangs, as one to a process that has just been stopped, is given
// up and asked again.
func TestApply_RequestThatHangsIsAskedAgain(t *testing.T) {
	t.Parallel()
	desired := answering(4 * time.Second)
	connections, hosts := fleetOf(desired)
	var tries atomic.Int32
	servedBy(t, hosts["a"], func(_ http.ResponseWriter, r *http.Request) {
		if tries.Add(1) == 1 {
			<-r.Context().Done()
		}
	})
	if err := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections}).Err(); err != nil || tries.Load() < 2 {
		t.Errorf("%d tries: %v", tries.Load(), err)
	}
}

func TestApply_CancelledWhileAServiceIsWaitedForEndsAtOnce(t *testing.T) {
	t.Parallel()
	desired := answering(time.Hour)
	connections, hosts := fleetOf(desired)
	ctx, cancel := context.WithCancel(t.Context())
	servedBy(t, hosts["a"], func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	if err := Apply(ctx, NewPlan(now, desired, allBare(desired)), Options{Hosts: connections}).Err(); err == nil || len(hosts["a"].done("record")) != 1 {
		t.Errorf("%v; %d records", err, len(hosts["a"].done("record")))
	}
}

// httpsHosts are a master with an authority, and a host with a service that
// answers with a certificate of it.
func httpsHosts(within time.Duration) []resource.Host {
	desired := securedHosts()
	service := resource.Service{Unit: "web.service", Answers: "https://127.0.0.1:1/ready", Authority: "cluster", Within: within}
	desired[1].Stages[0].Resources = []resource.Resource{service}
	return desired
}

func TestApply_ServiceAnswersOnlyWithACertificateOfItsAuthority(t *testing.T) {
	t.Parallel()
	seen, ca := secured(t)
	other, err := pki.NewAuthority(time.Now(), "other", pki.CAValidity)
	if err != nil {
		t.Fatal(err)
	}
	for name, signer := range map[string]*pki.Authority{"its own": ca, "another": other} {
		t.Run(name, func(t *testing.T) {
			request := pki.Request{CommonName: "web", IPAddresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Usages: []pki.Usage{pki.Server}}
			cert, key, err := signer.Issue(time.Now(), request, pki.LeafValidity)
			if err != nil {
				t.Fatal(err)
			}
			pair, err := tls.X509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
			server.StartTLS()
			t.Cleanup(server.Close)
			within := time.Second
			if signer == ca {
				within = 30 * time.Second
			}
			desired := httpsHosts(within)
			connections, hosts := fleetOf(desired)
			hosts["slave"].dial = func(ctx context.Context) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
			}
			err = Apply(t.Context(), NewPlan(time.Now(), desired, seen), Options{Hosts: connections}).Err()
			if (err == nil) != (signer == ca) {
				t.Errorf("got %v", err)
			}
			if len(hosts["master"].execs) != 0 {
				t.Errorf("to look at a service, it ran %q on the master", hosts["master"].execs)
			}
		})
	}
}
