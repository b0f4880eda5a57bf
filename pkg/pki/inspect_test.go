package pki_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"provision/pkg/pki"
)

func TestInspect_SaysWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	certPEM, keyPEM := issue(t, ca, apiServer())
	info, err := pki.Inspect(certPEM)
	if err != nil {
		t.Fatal(err)
	}
	if info.Request.Digest() != apiServer().Digest() {
		t.Errorf("request came back as %+v", info.Request)
	}
	if !info.NotBefore.Equal(start.Add(-time.Hour)) || !info.NotAfter.Equal(start.Add(pki.LeafValidity)) {
		t.Errorf("valid %s to %s", info.NotBefore, info.NotAfter)
	}
	caInfo, err := pki.Inspect(ca.CertPEM())
	if err != nil {
		t.Fatal(err)
	}
	if info.IssuerKeyID != caInfo.KeyID || info.Issuer != "ca" || info.Authority || !caInfo.Authority {
		t.Errorf("leaf %+v, authority %+v", info, caInfo)
	}
	hex := regexp.MustCompile(`^[0-9a-f]+$`)
	for _, s := range []string{info.Serial, info.KeyID, info.IssuerKeyID, info.Fingerprint} {
		if !hex.MatchString(s) {
			t.Errorf("%q is not hex", s)
		}
	}
	for name, file := range map[string][]byte{
		"a chain":          slices.Concat(certPEM, ca.CertPEM()),
		"its key after it": slices.Concat(certPEM, keyPEM),
		"its key first":    slices.Concat(keyPEM, certPEM),
		"text around":      slices.Concat([]byte("# leaf\n"), certPEM, []byte("# end\n")),
	} {
		if again, err := pki.Inspect(file); err != nil || !reflect.DeepEqual(again, info) {
			t.Errorf("%s: error %v, %+v", name, err, again)
		}
	}
}

func TestInspect_ErrorsNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"":      "read a certificate: empty: want PEM",
		"hello": "read a certificate: no PEM block found",
		"-----BEGIN X\x1b-----\n-----END X\x1b-----\n":                   `found "X\x1b"`,
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n": "parse its DER: ",
	} {
		if _, err := pki.Inspect([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Inspect(%q): got error %v, want %q in it", file, err, want)
		}
	}
}
