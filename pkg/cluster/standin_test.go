package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"provision/pkg/inventory"
	"provision/pkg/pki"
	"provision/pkg/remote"
)

// standIn is a cluster that exists in memory only: an API server, a name server
// and pods that answer as the real ones would, in as far as a verification
// asks. The real ones are asked in e2e.
type standIn struct {
	t         *testing.T
	inventory *inventory.Inventory
	authority *pki.Authority
	api       *httptest.Server
	web       *httptest.Server
	// objects are the API's answers by path; what is missing is 404.
	mutex    sync.Mutex
	objects  map[string]any
	requests []string
	// onRequest, if set, is told of each request, with the mutex held.
	onRequest func(*http.Request)
	// refuse is how often requests are answered 429 yet.
	refuse   map[string]int
	commands [][]string // of all hosts
	// files are those of every host, etcdErr what etcdctl says.
	files     map[string]string
	addresses string
	links     string
	etcdErr   error
	deaf      map[string]bool // addresses that refuse connections
	dnsAnswer netip.Addr
}

func newStandIn(t *testing.T) *standIn {
	t.Helper()
	inv, err := inventory.Parse("inventory.yaml", []byte(`
master: {name: master, address: 198.18.0.11}
slaves:
  - {name: slave1, address: 198.18.0.12}
  - {name: slave2, address: 198.18.0.13}
registry: {name: registry, address: 198.18.0.14}
ssh: {knownHosts: /known_hosts}
artifacts: {dir: /artifacts}
`))
	if err != nil {
		t.Fatal(err)
	}
	s := &standIn{t: t, inventory: inv, deaf: map[string]bool{}, dnsAnswer: inv.APIServiceAddress()}
	s.authority, err = pki.NewAuthority(time.Now(), "cluster", pki.CAValidity)
	if err != nil {
		t.Fatal(err)
	}
	s.serve()
	s.fill()
	return s
}

// issue makes a certificate of the cluster's authority.
func (s *standIn) issue(request pki.Request) (cert, key []byte) {
	s.t.Helper()
	cert, key, err := s.authority.Issue(time.Now(), request, time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	return cert, key
}

func (s *standIn) serve() {
	cert, key := s.issue(pki.Request{CommonName: "api", IPAddresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Usages: []pki.Usage{pki.Server}})
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		s.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.authority.CertPEM())
	s.api = httptest.NewUnstartedServer(http.HandlerFunc(s.answer))
	s.api.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	s.api.StartTLS()
	s.t.Cleanup(s.api.Close)
	s.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") }))
	s.t.Cleanup(s.web.Close)
}

// fill gives the cluster what a healthy one has.
func (s *standIn) fill() {
	cert, key := s.issue(pki.Request{CommonName: "admin", Usages: []pki.Usage{pki.Client}})
	s.files = map[string]string{
		adminKubeconfig: "clusters: [{cluster: {server: 'https://198.18.0.11:6443', certificate-authority: /ca.crt}}]\n" +
			"users: [{user: {client-certificate: /admin.crt, client-key: /admin.key}}]\n",
		"/ca.crt": string(s.authority.CertPEM()), "/admin.crt": string(cert), "/admin.key": string(key),
		authorityCert: string(s.authority.CertPEM()), authorityKey: string(s.authority.KeyPEM()),
		"/run/flannel/subnet.env":            "FLANNEL_NETWORK=172.17.0.0/16\nFLANNEL_SUBNET=172.17.5.1/24\n",
		"/etc/cni/net.d/10-flannel.conflist": conflistOf("172.17.5.0/24"),
	}
	s.addresses = "2: host0    inet 198.18.0.12/24 brd 198.18.0.255 scope global host0\n" +
		"3: flannel.1    inet 172.17.5.0/32 scope global flannel.1\n" +
		"4: cni0    inet 172.17.5.1/24 brd 172.17.5.255 scope global cni0\n"
	s.links = "3: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN\n" +
		"4: cni0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP\n"
	ready := []object{{"type": "Ready", "status": "True"}}
	s.objects = map[string]any{"/healthz": "ok", "/readyz": "ok", "/api/v1/namespaces": object{"items": []object{}}}
	for i, name := range []string{"slave1", "slave2"} {
		address := fmt.Sprintf("198.18.0.%d", 12+i)
		s.objects["/api/v1/nodes/"+name] = object{"metadata": object{"name": name}, "status": object{"conditions": ready, "addresses": []object{{"type": "InternalIP", "address": address}}}}
	}
	s.objects["pods"] = object{"items": []object{runningPod("slave1", "172.17.5.2"), runningPod("slave2", "172.17.6.2")}}
	s.objects["services/web"] = object{"spec": object{"clusterIP": "10.254.0.99", "ports": []object{{"nodePort": 30099}}}}
}

func conflistOf(subnet string) string {
	return `{"plugins": [{"type": "bridge", "ipam": {"type": "host-local", "ranges": [[{"subnet": "` + subnet + `"}]]}}, {"type": "portmap"}]}`
}

func runningPod(node, address string) object {
	return object{
		"metadata": object{"name": "web-" + node}, "spec": object{"nodeName": node},
		"status": object{"phase": "Running", "podIP": address, "conditions": []object{{"type": "Ready", "status": "True"}}},
	}
}

// answer is the API: what is in the verification's own namespace is found by
// the end of its path.
func (s *standIn) answer(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	if s.onRequest != nil {
		s.onRequest(r)
	}
	if request := r.Method + " " + r.URL.Path; s.refuse[request] > 0 {
		s.refuse[request]--
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"code": 429, "message": "the disruption budget does not allow it"}`)
		return
	}
	if r.Method != http.MethodGet {
		fmt.Fprintln(w, "{}")
		return
	}
	key := r.URL.Path
	if _, inNamespace, found := strings.Cut(key, "/namespaces/"+namespacePrefix); found {
		_, key, _ = strings.Cut(inNamespace, "/")
	}
	if key == "/api/v1/nodes" && s.objects[key] == nil {
		_ = json.NewEncoder(w).Encode(object{"items": s.nodes()})
		return
	}
	switch found := s.objects[key].(type) {
	case nil:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"code": 404, "message": "%s not found"}`, key)
	case string:
		fmt.Fprint(w, found)
	default:
		_ = json.NewEncoder(w).Encode(found)
	}
}

func (s *standIn) nodes() []any {
	items := []any{}
	for path, n := range s.objects {
		if strings.HasPrefix(path, "/api/v1/nodes/") {
			items = append(items, n)
		}
	}
	return items
}

// sections prints texts as the scripts do.
func sections(texts ...string) remote.Result {
	var out strings.Builder
	for _, text := range texts {
		fmt.Fprintf(&out, "%d\n%s", len(text), text)
	}
	return remote.Result{Stdout: []byte(out.String())}
}

// Run answers as every host.
func (s *standIn) Run(_ context.Context, command remote.Command) (remote.Result, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.commands = append(s.commands, command.Args)
	if !command.Privileged {
		return remote.Result{}, errors.New("permission denied")
	}
	switch command.Args[0] {
	case "sh":
		if command.Args[2] == podNetworkScript {
			return sections(s.files["/run/flannel/subnet.env"], s.files["/etc/cni/net.d/10-flannel.conflist"], s.addresses, s.links), nil
		}
		var out strings.Builder
		for _, path := range command.Args[4:] {
			if content, ok := s.files[path]; ok {
				fmt.Fprintf(&out, "%d\n%s", len(content), content)
			} else {
				fmt.Fprintln(&out, "-")
			}
		}
		return remote.Result{Stdout: []byte(out.String())}, nil
	case "/usr/local/sbin/etcdctl-root":
		return remote.Result{}, s.etcdErr
	}
	return remote.Result{}, errors.New("the stand-in knows no " + command.Args[0])
}

// DialContext connects to whatever stands for the address.
func (s *standIn) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if s.deaf[address] {
		return nil, fmt.Errorf("dial %s: connection refused", address)
	}
	switch {
	case strings.HasSuffix(address, ":53"):
		client, server := net.Pipe()
		go s.resolve(server)
		return client, nil
	case address == "127.0.0.1:6443":
		return (&net.Dialer{}).DialContext(ctx, network, s.api.Listener.Addr().String())
	}
	return (&net.Dialer{}).DialContext(ctx, network, s.web.Listener.Addr().String())
}

// resolve is the name server: one question, one answer.
func (s *standIn) resolve(connection net.Conn) {
	defer connection.Close()
	var length [2]byte
	if _, err := io.ReadFull(connection, length[:]); err != nil {
		return
	}
	question := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(connection, question); err != nil {
		return
	}
	var message dnsmessage.Message
	if err := message.Unpack(question); err != nil {
		return
	}
	message.Response = true
	message.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: message.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
		Body:   &dnsmessage.AResource{A: s.dnsAnswer.As4()},
	}}
	packed, err := message.AppendPack(make([]byte, 2))
	if err != nil {
		return
	}
	binary.BigEndian.PutUint16(packed, uint16(len(packed)-2))
	_, _ = connection.Write(packed)
}

func (s *standIn) target() Target {
	hosts := map[string]Host{}
	for _, host := range s.inventory.Hosts() {
		hosts[host.Name] = s
	}
	return Target{Inventory: s.inventory, Hosts: hosts, Image: "198.18.0.14:5000/sample:1", Patience: 900 * time.Millisecond}
}

// verify runs the verification and returns the checks that failed, by
// "name host".
func (s *standIn) verify(target Target) (Verification, map[string]Check) {
	failed := map[string]Check{}
	verification := Verify(s.t.Context(), target, func(Check) {})
	for _, check := range verification.Checks {
		if !check.OK {
			failed[strings.TrimSpace(check.Name+" "+check.Host)] = check
		}
	}
	return verification, failed
}
