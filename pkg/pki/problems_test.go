package pki_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/pkg/pki"
)

func TestProblems_NoneForWhatWasIssued(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	certPEM, _ := issue(t, ca, apiServer())
	r := apiServer()
	slices.Reverse(r.Organizations)
	slices.Reverse(r.DNSNames)
	slices.Reverse(r.IPAddresses)
	slices.Reverse(r.Usages)
	r.DNSNames[0] = strings.ToUpper(r.DNSNames[0])
	if got := pki.Problems(certPEM, r, ca.CertPEM(), start, pki.RenewBefore); got != nil {
		t.Errorf("got %q", got)
	}
}

func TestProblems_WrongContent(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	certPEM, _ := issue(t, ca, apiServer())
	tests := []struct {
		name   string
		change func(*pki.Request)
		want   []string
	}{
		{"common name", func(r *pki.Request) { r.CommonName = "x" }, []string{`is for "apiserver" instead of "x"`}},
		{
			"organization", func(r *pki.Request) { r.Organizations = []string{"a group", "ops"} },
			[]string{"lacks the organization ops", `has the unwanted organization "b group"`},
		},
		{"name", func(r *pki.Request) { r.DNSNames = append(r.DNSNames, "new.example.org") }, []string{"lacks the name new.example.org"}},
		{"all names", func(r *pki.Request) { r.DNSNames = nil }, []string{"has the unwanted names api.example.org, kubernetes.default"}},
		{
			"address", func(r *pki.Request) { r.IPAddresses[0] = netip.MustParseAddr("10.0.0.2") },
			[]string{"lacks the address 10.0.0.2", "has the unwanted address 10.0.0.1"},
		},
		{"addresses", func(r *pki.Request) { r.IPAddresses = nil }, []string{"has the unwanted addresses 10.0.0.1, fd00::1"}},
		{"usage", func(r *pki.Request) { r.Usages = []pki.Usage{pki.Client} }, []string{"has the unwanted usage server"}},
		{"everything", func(r *pki.Request) { *r = client("x"); r.Usages = nil }, []string{
			`is for "apiserver" instead of "x"`,
			`has the unwanted organizations "a group", "b group"`,
			"has the unwanted names api.example.org, kubernetes.default",
			"has the unwanted addresses 10.0.0.1, fd00::1",
			"has the unwanted usages client, server",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := apiServer()
			tt.change(&r)
			if got := pki.Problems(certPEM, r, ca.CertPEM(), start, pki.RenewBefore); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestProblems_LongListsAreCut(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	certPEM, _ := issue(t, ca, apiServer())
	r := apiServer()
	for i := range 13 {
		r.DNSNames = append(r.DNSNames, fmt.Sprintf("n%02d", i))
	}
	want := []string{"lacks the names n00, n01, n02, n03, n04, n05, n06, n07, n08, n09 and 3 more"}
	if got := pki.Problems(certPEM, r, ca.CertPEM(), start, pki.RenewBefore); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProblems_Expiry(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	certPEM, _ := issue(t, ca, apiServer())
	first, last := start.Add(-time.Hour), start.Add(pki.LeafValidity)
	tests := []struct {
		name        string
		now         time.Time
		renewBefore time.Duration
		want        string
	}{
		{"just outside the renewal time", last.Add(-pki.RenewBefore - 1), pki.RenewBefore, ""},
		{"at the renewal time", last.Add(-pki.RenewBefore), pki.RenewBefore, "expires in 30 days, on 2027-06-01"},
		{"days", last.Add(-12*day - time.Hour), pki.RenewBefore, "expires in 12 days, on 2027-06-01"},
		{"a day", last.Add(-day), pki.RenewBefore, "expires in 1 day, on 2027-06-01"},
		{"hours", last.Add(-day + 1), pki.RenewBefore, "expires in 23 hours, on 2027-06-01"},
		{"minutes", last.Add(-59 * time.Minute), pki.RenewBefore, "expires in 59 minutes, on 2027-06-01"},
		{"the last second", last, pki.RenewBefore, "expires in less than a second, on 2027-06-01"},
		{"the last second, not asked ahead", last, 0, ""},
		{"after the last second", last.Add(1), 0, "expired less than a second ago, on 2027-06-01"},
		{"long after", last.Add(3 * day), pki.RenewBefore, "expired 3 days ago, on 2027-06-01"},
		{"the first second", first, pki.RenewBefore, ""},
		{"before the first second", first.Add(-time.Minute), pki.RenewBefore, "is not valid before 2026-06-01, in 1 minute"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(pki.Problems(certPEM, apiServer(), ca.CertPEM(), tt.now, tt.renewBefore), "; ")
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Otherwise every run would renew it, and the next would find it no better.
func TestProblems_LeafThatEndsWithItsAuthorityIsNotRenewed(t *testing.T) {
	t.Parallel()
	ca, err := pki.NewAuthority(start, "ca", 20*day)
	if err != nil {
		t.Fatal(err)
	}
	certPEM, _ := issue(t, ca, apiServer())
	if got := pki.Problems(certPEM, apiServer(), ca.CertPEM(), start, pki.RenewBefore); got != nil {
		t.Errorf("leaf: %q", got)
	}
	want := []string{"expires in 20 days, on 2026-06-21"}
	if got := pki.AuthorityProblems(ca.CertPEM(), start, pki.RenewBefore); !reflect.DeepEqual(got, want) {
		t.Errorf("authority: got %q, want %q", got, want)
	}
	want = []string{"was signed by an authority that expired on 2026-06-21", "expired 1 day ago, on 2026-06-21"}
	if got := pki.Problems(certPEM, apiServer(), ca.CertPEM(), start.Add(21*day), pki.RenewBefore); !reflect.DeepEqual(got, want) {
		t.Errorf("leaf, later: got %q, want %q", got, want)
	}
}

func TestProblems_Issuer(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	leaf, _ := issue(t, ca, apiServer())
	sameName := newAuthority(t, "ca")
	key := ecdsaKey(t)
	foreign := selfSigned(t, key, func(c *x509.Certificate) { c.SubjectKeyId = []byte{1} })
	renamed := selfSigned(t, key, func(c *x509.Certificate) { c.Subject.CommonName = "renamed"; c.SubjectKeyId = []byte{1} })
	otherID := selfSigned(t, key, func(c *x509.Certificate) { c.SubjectKeyId = []byte{2} })
	foreignCA, err := pki.ParseAuthority(foreign, block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(key)), start)
	if err != nil {
		t.Fatal(err)
	}
	foreignLeaf, _ := issue(t, foreignCA, apiServer())
	posing := selfSigned(t, ecdsaKey(t), func(c *x509.Certificate) { c.SubjectKeyId = []byte{1} })
	tests := []struct {
		name     string
		leaf, ca []byte
		want     string
	}{
		{"the same", leaf, ca.CertPEM(), ""},
		{"another name", leaf, newAuthority(t, "other").CertPEM(), "was signed by another authority"},
		{"another key", leaf, sameName.CertPEM(), "was signed by another authority"},
		{"foreign", foreignLeaf, foreign, ""},
		{"same key, another name", foreignLeaf, renamed, "was signed by another authority"},
		{"same key, another key identifier", foreignLeaf, otherID, "was signed by another authority"},
		{"same name and key identifier, another key", foreignLeaf, posing, "was signed by another authority"},
		{"no authority", leaf, leaf, "cannot be checked, as its authority's certificate is not a certificate authority"},
		{"unreadable", leaf, []byte("no PEM"), "cannot be checked, as its authority's certificate cannot be read: no PEM block found"},
		{"out of sight", leaf, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(pki.Problems(tt.leaf, apiServer(), tt.ca, start, pki.RenewBefore), "; ")
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestProblems_ForeignCertificate(t *testing.T) {
	t.Parallel()
	caKey, key := ecdsaKey(t), ecdsaKey(t)
	caPEM := selfSigned(t, caKey, nil)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "evil\x1b[2J"},
		NotBefore:             start.Add(-day),
		NotAfter:              start.Add(pki.LeafValidity),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		DNSNames:              []string{"a\nb"},
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageCodeSigning},
		UnknownExtKeyUsage:    []asn1.ObjectIdentifier{{1, 2, 3}},
	}, parse(t, caPEM), &key.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`is for "evil\x1b[2J" instead of "good"`,
		`has the unwanted name "a\nb"`,
		"has the unwanted usages 1.2.3, 1.3.6.1.5.5.7.3.3",
		"is a certificate authority itself",
		"has a key that must not be used for digital signatures",
	}
	got := pki.Problems(block(t, "CERTIFICATE")(der, nil), client("good"), caPEM, start, pki.RenewBefore)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestProblems_InsecureSignature(t *testing.T) {
	t.Parallel()
	key := ecdsaKey(t)
	caPEM := selfSigned(t, key, nil)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber:       big.NewInt(1),
		Subject:            pkix.Name{CommonName: "c"},
		NotBefore:          start,
		NotAfter:           start.Add(pki.LeafValidity),
		ExtKeyUsage:        []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		SignatureAlgorithm: x509.ECDSAWithSHA1,
	}, parse(t, caPEM), &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"was signed with the insecure algorithm ECDSA-SHA1"}
	got := pki.Problems(block(t, "CERTIFICATE")(der, nil), client("c"), caPEM, start, pki.RenewBefore)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProblems_UnreadableCertificate(t *testing.T) {
	t.Parallel()
	want := []string{"cannot be read: no PEM block found"}
	if got := pki.Problems([]byte("x"), apiServer(), nil, start, 0); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := pki.AuthorityProblems([]byte("x"), start, 0); !reflect.DeepEqual(got, want) {
		t.Errorf("authority: got %q, want %q", got, want)
	}
}

func TestAuthorityProblems_LeafIsNoAuthority(t *testing.T) {
	t.Parallel()
	leaf, _ := issue(t, newAuthority(t, "ca"), apiServer())
	want := []string{"is not a certificate authority"}
	if got := pki.AuthorityProblems(leaf, start, pki.RenewBefore); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
