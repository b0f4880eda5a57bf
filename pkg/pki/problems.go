package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Problems says why a certificate does not, or soon will not, serve r: a wrong
// subject, names, addresses, usages or issuer, expired, or expiring within
// renewBefore. Each reason is the rest of a sentence that the certificate
// begins: "expires in 12 days, on 2026-12-06". None means that it is fine.
//
// An empty caCertPEM stands for an authority that can't be seen at the moment:
// who issued the certificate is not looked at then.
//
// A name, organization or usage too many is a problem too, as it would let the
// holder be someone it is no longer meant to be. A certificate that ends with
// its authority is not reported as expiring soon, since a new one would end
// the same day: AuthorityProblems reports the authority.
func Problems(certPEM []byte, r Request, caCertPEM []byte, now time.Time, renewBefore time.Duration) []string {
	cert, _, err := parseCerts(certPEM)
	if err != nil {
		return []string{"cannot be read: " + err.Error()}
	}
	problems := requestProblems(requestOf(cert), r.canonical())
	problems = append(problems, keyProblems(cert)...)
	if len(caCertPEM) == 0 {
		return append(problems, timeProblems(cert, now, renewBefore)...)
	}
	ca, err := parseCA(caCertPEM)
	if err != nil {
		problems = append(problems, "cannot be checked, as its authority's certificate cannot be read: "+err.Error())
		return append(problems, timeProblems(cert, now, renewBefore)...)
	}
	if problem := issuerProblem(cert, ca, now); problem != "" {
		problems = append(problems, problem)
	} else if !cert.NotAfter.Before(ca.NotAfter) {
		renewBefore = 0
	}
	return append(problems, timeProblems(cert, now, renewBefore)...)
}

// AuthorityProblems says why an authority's certificate cannot, or soon will
// no longer, sign: as Problems does for the certificates it signed.
func AuthorityProblems(caCertPEM []byte, now time.Time, renewBefore time.Duration) []string {
	ca, err := parseCA(caCertPEM)
	if err != nil {
		return []string{"cannot be read: " + err.Error()}
	}
	var problems []string
	if !isAuthority(ca) {
		problems = append(problems, "is not a certificate authority")
	}
	return append(problems, timeProblems(ca, now, renewBefore)...)
}

func requestProblems(have, want Request) []string {
	var problems []string
	if have.CommonName != want.CommonName {
		problems = append(problems, fmt.Sprintf("is for %+q instead of %+q", have.CommonName, want.CommonName))
	}
	problems = append(problems, setProblems("organization", have.Organizations, want.Organizations, show)...)
	problems = append(problems, setProblems("name", have.DNSNames, want.DNSNames, show)...)
	problems = append(problems, setProblems("address", have.IPAddresses, want.IPAddresses, netip.Addr.String)...)
	return append(problems, setProblems("usage", have.Usages, want.Usages, func(u Usage) string { return show(string(u)) })...)
}

// setProblems compares two sets of the kind of thing that noun names.
func setProblems[T comparable](noun string, have, want []T, text func(T) string) []string {
	var problems []string
	if missing := without(want, have); len(missing) > 0 {
		problems = append(problems, "lacks the "+list(noun, missing, text))
	}
	if extra := without(have, want); len(extra) > 0 {
		problems = append(problems, "has the unwanted "+list(noun, extra, text))
	}
	return problems
}

// without returns the elements of a that b does not hold.
func without[T comparable](a, b []T) []T {
	return slices.DeleteFunc(slices.Clone(a), func(x T) bool { return slices.Contains(b, x) })
}

// list is "name a" or "names a, b", and no longer than a reader stands.
func list[T any](noun string, items []T, text func(T) string) string {
	const most = 10
	shown := items[:min(len(items), most)]
	texts := make([]string, 0, len(shown))
	for _, item := range shown {
		texts = append(texts, text(item))
	}
	switch {
	case len(items) == 1:
	case strings.HasSuffix(noun, "s"):
		noun += "es"
	default:
		noun += "s"
	}
	s := noun + " " + strings.Join(texts, ", ")
	if n := len(items) - most; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// show quotes what a certificate or an inventory says unless it is a plain
// name: a host's answer must not write to the terminal.
func show(s string) string {
	odd := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-.*:_", c)
	}
	if s == "" || strings.ContainsFunc(s, odd) {
		return strconv.QuoteToASCII(s)
	}
	return s
}

// keyProblems looks at what else makes TLS refuse a leaf.
func keyProblems(cert *x509.Certificate) []string {
	var problems []string
	if cert.IsCA {
		problems = append(problems, "is a certificate authority itself")
	}
	if cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		problems = append(problems, "has a key that must not be used for digital signatures")
	}
	return problems
}

// issuerProblem asks whether ca signed cert, by name, key identifier and
// signature: verifiers find the issuer by the first two (RFC 5280, sections
// 4.1.2.4 and 4.2.1.1; openssl refuses a wrong identifier).
func issuerProblem(cert, ca *x509.Certificate, now time.Time) string {
	if !isAuthority(ca) {
		return "cannot be checked, as its authority's certificate is not a certificate authority"
	}
	const another = "was signed by another authority"
	if !bytes.Equal(cert.RawIssuer, ca.RawSubject) {
		return another
	}
	if len(cert.AuthorityKeyId) > 0 && len(ca.SubjectKeyId) > 0 && !bytes.Equal(cert.AuthorityKeyId, ca.SubjectKeyId) {
		return another
	}
	if err := cert.CheckSignatureFrom(ca); err != nil {
		if _, insecure := errors.AsType[x509.InsecureAlgorithmError](err); insecure {
			return "was signed with the insecure algorithm " + cert.SignatureAlgorithm.String()
		}
		return another
	}
	if now.After(ca.NotAfter) {
		return "was signed by an authority that expired on " + date(ca.NotAfter)
	}
	return ""
}

// timeProblems reports a certificate that is expired, about to, or not valid
// yet. With no renewBefore it is fine through its last second.
func timeProblems(cert *x509.Certificate, now time.Time, renewBefore time.Duration) []string {
	left := cert.NotAfter.Sub(now)
	switch {
	case left < 0:
		return []string{fmt.Sprintf("expired %s ago, on %s", span(now.Sub(cert.NotAfter)), date(cert.NotAfter))}
	case now.Before(cert.NotBefore):
		return []string{fmt.Sprintf("is not valid before %s, in %s", date(cert.NotBefore), span(cert.NotBefore.Sub(now)))}
	case renewBefore > 0 && left <= renewBefore:
		return []string{fmt.Sprintf("expires in %s, on %s", span(left), date(cert.NotAfter))}
	}
	return nil
}

// span says a length of time in its largest whole unit.
func span(d time.Duration) string {
	units := []struct {
		name string
		size time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}}
	for _, u := range units {
		switch n := d / u.size; {
		case n == 1:
			return "1 " + u.name
		case n > 1:
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return "less than a second"
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }
