package pki_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"provision/pkg/pki"
)

// forms are the ways the private key of ca might appear in a text.
func forms(t *testing.T, ca *pki.Authority) []string {
	t.Helper()
	block, _ := pem.Decode(ca.KeyPEM())
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	scalar, err := key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Split(string(ca.KeyPEM()), "\n")[1]
	decimals := strings.Trim(fmt.Sprintf("%d", scalar[:8]), "[]")
	return []string{
		"PRIVATE KEY", body, hex.EncodeToString(scalar[:8]), strings.ToUpper(hex.EncodeToString(scalar[:8])),
		base64.StdEncoding.EncodeToString(scalar)[:12], decimals, strings.ReplaceAll(decimals, " ", ", "),
		hex.EncodeToString(ca.KeyPEM())[60:120], strings.Trim(fmt.Sprintf("%d", ca.KeyPEM()[30:60]), "[]"),
		new(big.Int).SetBytes(scalar).String(),
	}
}

func TestAuthority_PrivateKeyNeverShows(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	type holder struct {
		Public  pki.Authority
		private pki.Authority
		pointer *pki.Authority
	}
	values := map[string]any{
		"pointer":    ca,
		"value":      *ca,
		"slice":      []pki.Authority{*ca},
		"map":        map[string]*pki.Authority{"ca": ca},
		"in structs": holder{*ca, *ca, ca},
		"at pointer": &holder{*ca, *ca, ca},
	}
	shown := map[string]string{"String": ca.String(), "GoString": ca.GoString(), "LogValue": ca.LogValue().String()}
	for name, v := range values {
		for _, verb := range strings.Split("v +v #v s q x X # x d o b t T p c U e g w", " ") {
			shown[name+" %"+verb] = fmt.Sprintf("%"+verb, v)
		}
		var text, jsonText bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&jsonText, nil)).Info("m", "v", v)
		shown[name+" in slog text"], shown[name+" in slog JSON"] = text.String(), jsonText.String()
	}
	for how, text := range shown {
		for _, secret := range forms(t, ca) {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows the private key: %q", how, text)
			}
		}
	}
	if got, want := fmt.Sprintf("%x", ca), `certificate authority "ca" (private key withheld)`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAuthority_CannotBeEncoded(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	var out bytes.Buffer
	for name, v := range map[string]any{"pointer": ca, "value": *ca, "slice": []pki.Authority{*ca}} {
		out.Reset()
		if err := json.NewEncoder(&out).Encode(v); err == nil || out.Len() > 0 {
			t.Errorf("%s in JSON: error %v, output %q", name, err, &out)
		}
		if err := gob.NewEncoder(&out).Encode(v); err == nil {
			t.Errorf("%s in gob: want an error", name)
		}
	}
}

func TestAuthority_ZeroValueIsHarmless(t *testing.T) {
	t.Parallel()
	var ca pki.Authority
	if ca.CertPEM() != nil || ca.KeyPEM() != nil {
		t.Error("PEM of nothing")
	}
	if got := ca.String(); got != "no certificate authority" {
		t.Errorf("got %q", got)
	}
	if _, _, err := ca.Issue(start, apiServer(), pki.LeafValidity); err == nil {
		t.Error("it issued a certificate")
	}
}
