package pki

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Usage is what a certificate's key may be used for. Certificates made
// elsewhere may have others than Client and Server; Inspect gives those as
// dotted object identifiers.
type Usage string

const (
	// Client proves a TLS client's identity (id-kp-clientAuth).
	Client Usage = "client"
	// Server proves a TLS server's identity (id-kp-serverAuth).
	Server Usage = "server"
)

const (
	// maxNameRunes is ub-common-name and ub-organization-name of RFC 5280,
	// appendix A.1.
	maxNameRunes = 64
	// maxDNSName and maxDNSLabel are the limits of RFC 1035, section 2.3.4, less
	// the bytes the wire format needs itself.
	maxDNSName  = 253
	maxDNSLabel = 63
)

// Request says what a certificate is for. All lists are sets: neither order
// nor repetition means anything. Compare two requests by Digest.
type Request struct {
	// CommonName is the subject's name.
	CommonName string
	// Organizations are the subject's organizations.
	Organizations []string
	// DNSNames are the host names it is valid for, in any case; the leftmost
	// label may be "*".
	DNSNames []string
	// IPAddresses are the addresses it is valid for.
	IPAddresses []netip.Addr
	// Usages says whether it is for clients, servers or both.
	Usages []Usage
}

// Validate reports everything that would make a certificate for r unusable,
// all reasons joined.
func (r Request) Validate() error {
	errs := []error{validateName("common name", r.CommonName)}
	for _, o := range r.Organizations {
		errs = append(errs, validateName("organization", o))
	}
	for _, name := range r.DNSNames {
		errs = append(errs, validateDNSName(name))
	}
	for _, ip := range r.IPAddresses {
		errs = append(errs, validateAddr(ip))
	}
	return errors.Join(append(errs, r.validateUsages())...)
}

// validateUsages also asks a server for a name or address: TLS clients compare
// these and ignore the common name (RFC 6125, section 6.4.4; RFC 9525).
func (r Request) validateUsages() error {
	var errs []error
	if len(r.Usages) == 0 {
		errs = append(errs, errors.New(`usages are empty: want "client", "server" or both`))
	}
	for _, u := range r.Usages {
		if u != Client && u != Server {
			errs = append(errs, fmt.Errorf(`usage %q is unknown: want "client" or "server"`, string(u)))
		}
	}
	if slices.Contains(r.Usages, Server) && len(r.DNSNames)+len(r.IPAddresses) == 0 {
		errs = append(errs, errors.New("a server certificate needs a DNS name or an IP address"))
	}
	return errors.Join(errs...)
}

// Digest is the SHA-256, in hex, of r's canonical form: two requests have the
// same digest when the same certificate satisfies both.
func (r Request) Digest() string {
	r = r.canonical()
	// %+q quotes every value in ASCII, so no value can pass for two, and a newer
	// Unicode table does not change the form.
	form := fmt.Sprintf("provision/pki request 1\ncn %+q\no %+q\ndns %+q\nip %+q\nusage %+q\n",
		r.CommonName, r.Organizations, r.DNSNames, r.IPAddresses, r.Usages)
	sum := sha256.Sum256([]byte(form))
	return hex.EncodeToString(sum[:])
}

// canonical returns r with its sets sorted and free of repetition, host names
// in lower case and IPv4 addresses as such. It shares nothing with r.
func (r Request) canonical() Request {
	c := Request{
		CommonName:    r.CommonName,
		Organizations: slices.Clone(r.Organizations),
		Usages:        slices.Clone(r.Usages),
	}
	for _, name := range r.DNSNames {
		c.DNSNames = append(c.DNSNames, strings.ToLower(name))
	}
	for _, ip := range r.IPAddresses {
		c.IPAddresses = append(c.IPAddresses, ip.Unmap())
	}
	slices.Sort(c.Organizations)
	slices.Sort(c.DNSNames)
	slices.SortFunc(c.IPAddresses, netip.Addr.Compare)
	slices.Sort(c.Usages)
	c.Organizations = slices.Compact(c.Organizations)
	c.DNSNames = slices.Compact(c.DNSNames)
	c.IPAddresses = slices.Compact(c.IPAddresses)
	c.Usages = slices.Compact(c.Usages)
	return c
}

// validateName checks a part of a subject against RFC 5280, appendix A.1.
func validateName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s is empty", what)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }):
		return fmt.Errorf("%s %q has characters that cannot be printed", what, name)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%s %q begins or ends with a space", what, name)
	case utf8.RuneCountInString(name) > maxNameRunes:
		return fmt.Errorf("%s %q has %d characters: RFC 5280 allows %d", what, name, utf8.RuneCountInString(name), maxNameRunes)
	}
	return nil
}

// validateDNSName checks a host name against the preferred name syntax that
// RFC 5280, section 4.2.1.6, demands.
func validateDNSName(name string) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return fmt.Errorf("DNS name %q is an address: put it with the IP addresses", name)
	}
	if len(name) > maxDNSName {
		return fmt.Errorf("DNS name %q has %d characters: at most %d are allowed", name, len(name), maxDNSName)
	}
	base, wildcard := strings.CutPrefix(name, "*.")
	if wildcard && !strings.Contains(base, ".") {
		return fmt.Errorf("DNS name %q is too wide: a wildcard needs two labels after it", name)
	}
	for label := range strings.SplitSeq(base, ".") {
		if !isDNSLabel(label) {
			return fmt.Errorf("DNS name %q is not a host name: its label %q needs 1 to %d letters, digits or inner hyphens",
				name, label, maxDNSLabel)
		}
	}
	return nil
}

// isDNSLabel follows RFC 1123, section 2.1.
func isDNSLabel(label string) bool {
	if label == "" || len(label) > maxDNSLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(label, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-'
	})
}

func validateAddr(ip netip.Addr) error {
	switch {
	case !ip.IsValid():
		return errors.New("an IP address is empty")
	case ip.Zone() != "":
		return fmt.Errorf("IP address %q has a zone: a certificate cannot hold one", ip)
	case ip.IsUnspecified():
		return fmt.Errorf("IP address %s names no host", ip)
	}
	return nil
}
