package pki_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"provision/pkg/pki"
)

func TestRequest_ValidRequestsPass(t *testing.T) {
	t.Parallel()
	wildcard := apiServer()
	wildcard.DNSNames = []string{"*.example.org", "UPPER.example.org", "1.example.org", strings.Repeat("a", 63)}
	for _, r := range []pki.Request{apiServer(), client("system:node:n1"), client(strings.Repeat("é", 64)), wildcard} {
		if err := r.Validate(); err != nil {
			t.Errorf("Validate of %+v: %v", r, err)
		}
	}
}

func TestRequest_ValidateNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(*pki.Request)
		want  string
	}{
		{"empty common name", func(r *pki.Request) { r.CommonName = "" }, "common name is empty"},
		{"long common name", func(r *pki.Request) { r.CommonName = strings.Repeat("n", 65) }, "has 65 characters: RFC 5280 allows 64"},
		{"newline", func(r *pki.Request) { r.CommonName = "a\nb" }, `common name "a\nb" has characters that cannot be printed`},
		{"invalid UTF-8", func(r *pki.Request) { r.CommonName = "a\xff" }, "cannot be printed"},
		{"spaces around", func(r *pki.Request) { r.CommonName = " a" }, "begins or ends with a space"},
		{"empty organization", func(r *pki.Request) { r.Organizations = []string{""} }, "organization is empty"},
		{"address as name", func(r *pki.Request) { r.DNSNames = []string{"10.0.0.1"} }, "put it with the IP addresses"},
		{"underscore", func(r *pki.Request) { r.DNSNames = []string{"a_b.example"} }, `its label "a_b"`},
		{"trailing dot", func(r *pki.Request) { r.DNSNames = []string{"example.org."} }, `its label ""`},
		{"leading hyphen", func(r *pki.Request) { r.DNSNames = []string{"-a"} }, `its label "-a"`},
		{"trailing hyphen", func(r *pki.Request) { r.DNSNames = []string{"a-"} }, `its label "a-"`},
		{"long label", func(r *pki.Request) { r.DNSNames = []string{strings.Repeat("a", 64)} }, "needs 1 to 63 letters"},
		{"long name", func(r *pki.Request) { r.DNSNames = []string{strings.Repeat("a.", 127) + "a"} }, "at most 253 are allowed"},
		{"inner wildcard", func(r *pki.Request) { r.DNSNames = []string{"a.*.example.org"} }, `its label "*"`},
		{"wide wildcard", func(r *pki.Request) { r.DNSNames = []string{"*.org"} }, "too wide"},
		{"empty address", func(r *pki.Request) { r.IPAddresses = []netip.Addr{{}} }, "an IP address is empty"},
		{"zone", func(r *pki.Request) { r.IPAddresses = []netip.Addr{netip.MustParseAddr("fe80::1%eth0")} }, "has a zone"},
		{"unspecified", func(r *pki.Request) { r.IPAddresses = []netip.Addr{netip.IPv4Unspecified()} }, "0.0.0.0 names no host"},
		{"no usage", func(r *pki.Request) { r.Usages = nil }, "usages are empty"},
		{"unknown usage", func(r *pki.Request) { r.Usages = []pki.Usage{"peer"} }, `usage "peer" is unknown`},
		{"server without names", func(r *pki.Request) { r.DNSNames, r.IPAddresses = nil, nil }, "needs a DNS name or an IP address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := apiServer()
			tt.spoil(&r)
			err := r.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestRequest_ValidateReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	err := pki.Request{DNSNames: []string{"a_b"}, IPAddresses: []netip.Addr{{}}}.Validate()
	if err == nil {
		t.Fatal("want an error")
	}
	for _, want := range []string{"common name", "a_b", "IP address", "usages"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not mention %q", err, want)
		}
	}
}

func TestRequest_DigestIgnoresOrderCaseAndRepetition(t *testing.T) {
	t.Parallel()
	a, b := apiServer(), apiServer()
	slices.Reverse(b.Organizations)
	slices.Reverse(b.DNSNames)
	slices.Reverse(b.IPAddresses)
	slices.Reverse(b.Usages)
	b.DNSNames = append(b.DNSNames, "API.example.org")
	b.IPAddresses = append(b.IPAddresses, netip.MustParseAddr("::ffff:10.0.0.1"))
	if a.Digest() != b.Digest() {
		t.Errorf("digests differ: %+v, %+v", a, b)
	}
	if b.DNSNames[0] != "api.example.org" || b.DNSNames[2] != "API.example.org" {
		t.Errorf("Digest changed its receiver: %v", b.DNSNames)
	}
	empty := client("x")
	empty.DNSNames = []string{}
	if empty.Digest() != client("x").Digest() {
		t.Error("an empty list and none have different digests")
	}
}

func TestRequest_DigestIsStable(t *testing.T) {
	t.Parallel()
	const want = "ee1eb2473deba6f169b388ec44e37a43062da47dc504330255aa0b68f909b7f4"
	if got := apiServer().Digest(); got != want {
		t.Errorf("got %s, want %s: a new form makes every certificate look changed", got, want)
	}
}

func TestRequest_DigestTellsRequestsApart(t *testing.T) {
	t.Parallel()
	requests := []pki.Request{
		{},
		apiServer(),
		client("a"),
		client("A"),
		client("a\xff"),
		client("a\uFFFD"),
		{CommonName: "a", Usages: []pki.Usage{pki.Server}},
		{CommonName: "a", Usages: []pki.Usage{pki.Server, pki.Client}},
		{CommonName: "a", Organizations: []string{"b c"}},
		{CommonName: "a", Organizations: []string{"b", "c"}},
		{CommonName: "a", Organizations: []string{`b" "c`}},
		{CommonName: "a", DNSNames: []string{"10.0.0.1"}},
		{CommonName: "a", IPAddresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}},
	}
	seen := map[string]pki.Request{}
	for _, r := range requests {
		if other, ok := seen[r.Digest()]; ok {
			t.Errorf("%+v and %+v have the same digest", r, other)
		}
		seen[r.Digest()] = r
	}
}
