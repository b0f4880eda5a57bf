package pki_test

import (
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"unicode"

	"provision/pkg/pki"
)

// seeds are the files that a host may well hold.
func seeds(f *testing.F) (ca *pki.Authority, files [][]byte) {
	f.Helper()
	ca = newAuthority(f, "ca")
	certPEM, keyPEM := issue(f, ca, apiServer())
	return ca, [][]byte{nil, []byte("hello"), certPEM, keyPEM, ca.CertPEM(), ca.KeyPEM(), slices.Concat(certPEM, ca.CertPEM())}
}

// der also tries data as the content of a PEM block, which a fuzzer finds hard
// to make.
func der(kind string, data []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
}

// printable reports whether s may go to a terminal.
func printable(s string) bool {
	return !strings.ContainsFunc(s, unicode.IsControl)
}

func aboutContent(problem string) bool {
	return strings.HasPrefix(problem, "lacks ") || strings.HasPrefix(problem, "has the unwanted ")
}

func FuzzInspect(f *testing.F) {
	ca, files := seeds(f)
	for _, file := range files {
		f.Add(file)
		if block, _ := pem.Decode(file); block != nil {
			f.Add(block.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, file := range [][]byte{data, der("CERTIFICATE", data)} {
			info, err := pki.Inspect(file)
			if err != nil {
				if !printable(err.Error()) {
					t.Errorf("error %q is not printable", err)
				}
				continue
			}
			if again, err := pki.Inspect(file); err != nil || again.Request.Digest() != info.Request.Digest() {
				t.Errorf("a second look differs: %v, %v", err, again)
			}
			own := pki.Problems(file, info.Request, ca.CertPEM(), start, pki.RenewBefore)
			if i := slices.IndexFunc(own, aboutContent); i >= 0 {
				t.Errorf("certificate does not serve its own request: %q", own[i])
			}
			if all := pki.Problems(file, apiServer(), file, start, pki.RenewBefore); !printable(strings.Join(all, "")) {
				t.Errorf("problems %q are not printable", all)
			}
		}
	})
}

func FuzzParseAuthority(f *testing.F) {
	ca, files := seeds(f)
	for _, cert := range files {
		for _, key := range files {
			f.Add(cert, key)
		}
	}
	certBlock, _ := pem.Decode(ca.CertPEM())
	keyBlock, _ := pem.Decode(ca.KeyPEM())
	f.Add(certBlock.Bytes, keyBlock.Bytes)
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		pairs := [][2][]byte{
			{cert, key},
			{der("CERTIFICATE", cert), der("PRIVATE KEY", key)},
			{der("CERTIFICATE", cert), der("EC PRIVATE KEY", key)},
			{ca.CertPEM(), der("RSA PRIVATE KEY", key)},
			{der("CERTIFICATE", cert), ca.KeyPEM()},
		}
		for _, pair := range pairs {
			a, err := pki.ParseAuthority(pair[0], pair[1], start)
			if err != nil {
				if !printable(err.Error()) {
					t.Errorf("error %q is not printable", err)
				}
				continue
			}
			if _, err := pki.ParseAuthority(a.CertPEM(), a.KeyPEM(), start); err != nil {
				t.Errorf("what it wrote it cannot read: %v", err)
			}
		}
	})
}
