package converge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"provision/pkg/pki"
	"provision/pkg/resource"
)

func TestApply_UploadsProgramsAndPushesImages(t *testing.T) {
	sum := strings.Repeat("a", 64)
	desired := securedHosts()
	desired[1].Stages[0].Resources = []resource.Resource{
		resource.Artifact{Path: "/bin/program", Source: "program", Sum: sum},
		resource.Image{Repository: "pause", Tag: "1", Source: "pause.tar", Sum: sum, Storage: "/var/lib/registry", Authority: "cluster"},
	}
	seen, ca := secured(t)
	connections, hosts := fleetOf(desired)
	var pushed []byte
	observer := &events{}
	outcome := Apply(t.Context(), NewPlan(now, desired, seen), Options{
		Hosts: connections, Artifacts: memoryArtifacts{}, Observer: observer.observe,
		PushImage: func(_ context.Context, _ Connection, _ resource.Image, _ Artifacts, authority []byte) (string, error) {
			pushed = authority
			return "sha256:1", nil
		},
	})
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(hosts["slave"].uploads, []string{"program"}) || string(pushed) != string(ca.CertPEM()) {
		t.Errorf("uploads %q, authority %q", hosts["slave"].uploads, pushed)
	}
	var bytes int64
	for _, event := range observer.all {
		bytes += event.Bytes
	}
	if bytes != int64(len("program")) {
		t.Errorf("%d bytes were told of", bytes)
	}
	if len(hosts["master"].execs) != 0 {
		t.Errorf("the authority's key was read though nothing was to be issued: %q", hosts["master"].execs)
	}
}

func TestApply_MissingArtifactFailsItsHostWithItsName(t *testing.T) {
	desired := []resource.Host{{Name: "a", Stages: []resource.Stage{{Name: "s", Resources: []resource.Resource{
		resource.Artifact{Path: "/bin/x", Source: "missing-program", Sum: strings.Repeat("a", 64)},
	}}}}}
	connections, hosts := fleetOf(desired)
	outcome := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections, Artifacts: memoryArtifacts{}})
	if err := outcome.Err(); err == nil || !strings.Contains(err.Error(), "artifact /bin/x") || len(hosts["a"].execs) != 0 {
		t.Errorf("%v; execs %q", err, hosts["a"].execs)
	}
}

// Keys go to hosts on standard input and nowhere else.
func TestApply_KeysAreNeverShown(t *testing.T) {
	desired := securedHosts()
	connections, hosts := fleetOf(desired)
	observer := &events{}
	plan := NewPlan(now, desired, allBare(desired))
	outcome := Apply(t.Context(), plan, Options{Hosts: connections, Observer: observer.observe})
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	written := hosts["master"].ops
	if !holdsKey(fmt.Sprint(written)) {
		t.Error("no key reached the master: this test proves nothing")
	}
	planText, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	outcomeText, err := json.Marshal(outcome)
	if err != nil {
		t.Fatal(err)
	}
	for name, host := range hosts {
		for _, record := range records(t, host) {
			text, _ := json.Marshal(record)
			if holdsKey(string(text)) {
				t.Errorf("%s remembers a key", name)
			}
		}
	}
	shown := string(planText) + string(outcomeText) + fmt.Sprintf("%+v", observer.all) + strings.Join(hosts["master"].args, " ") + strings.Join(hosts["slave"].args, " ")
	if holdsKey(shown) {
		t.Error("a key is shown")
	}
}

func TestApply_AuthoritysKeyIsReadWhenACertificateIsDue(t *testing.T) {
	desired := securedHosts()
	seen, ca := secured(t)
	delete(seen["slave"].Facts.Files, "/pki/x.key")
	connections, hosts := fleetOf(desired)
	hosts["master"].files["/pki/ca.key"] = ca.KeyPEM()
	if err := Apply(t.Context(), NewPlan(now, desired, seen), Options{Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"cat -- /pki/ca.key"}; !reflect.DeepEqual(hosts["master"].execs, want) {
		t.Errorf("execs on the master %q, want %q", hosts["master"].execs, want)
	}
}

// An authority's certificate is no secret: its key stays where it is.
func TestApply_CopyOfACertificateNeedsNoKey(t *testing.T) {
	desired := securedHosts()
	seen, ca := secured(t)
	delete(seen["slave"].Facts.Files, "/pki/ca.crt")
	connections, hosts := fleetOf(desired)
	if err := Apply(t.Context(), NewPlan(now, desired, seen), Options{Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	if len(hosts["master"].execs) != 0 {
		t.Errorf("execs on the master %q", hosts["master"].execs)
	}
	content, _ := base64.StdEncoding.DecodeString(hosts["slave"].ops[len(hosts["slave"].ops)-2].Args[4])
	if string(content) != string(ca.CertPEM()) {
		t.Errorf("the slave was given %q", content)
	}
}

func TestApply_AuthoritysKeyIsReadOnceForAllHosts(t *testing.T) {
	seen, ca := secured(t)
	desired := securedHosts()
	for i := range 4 {
		slave := desired[1]
		slave.Name = fmt.Sprint("slave", i)
		desired = append(desired, slave)
		seen[slave.Name] = bare()
	}
	connections, hosts := fleetOf(desired)
	hosts["master"].files["/pki/ca.key"] = ca.KeyPEM()
	if err := Apply(t.Context(), NewPlan(now, desired, seen), Options{Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	if len(hosts["master"].execs) != 1 {
		t.Errorf("execs on the master %q", hosts["master"].execs)
	}
}

// The run that made the authority was cut short between its key and its
// certificate: the certificate is made from that key, and others are issued.
func TestApply_AuthorityThatHasOnlyItsKeyYetIsSigned(t *testing.T) {
	desired := securedHosts()
	seen, ca := secured(t)
	delete(seen["master"].Facts.Files, "/pki/ca.crt")
	seen["slave"] = bare()
	connections, hosts := fleetOf(desired)
	hosts["master"].files["/pki/ca.key"] = ca.KeyPEM()
	if err := Apply(t.Context(), NewPlan(now, desired, seen), Options{Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	if got := hosts["master"].done("write"); !reflect.DeepEqual(got, []string{"/pki/ca.crt"}) {
		t.Errorf("the master was given %q", got)
	}
	content := func(host, path string) []byte {
		for _, op := range hosts[host].ops {
			if op.Verb == "write" && op.Args[0] == path {
				text, _ := base64.StdEncoding.DecodeString(op.Args[4])
				return text
			}
		}
		return nil
	}
	made := content("master", "/pki/ca.crt")
	if _, err := pki.ParseAuthority(made, ca.KeyPEM(), time.Now()); err != nil {
		t.Error(err)
	}
	if string(content("slave", "/pki/ca.crt")) != string(made) {
		t.Error("the slave trusts another certificate")
	}
	request := pki.Request{CommonName: "slave", Usages: []pki.Usage{pki.Client}}
	if problems := pki.Problems(content("slave", "/pki/x.crt"), request, made, time.Now(), pki.RenewBefore); len(problems) != 0 {
		t.Errorf("the slave's certificate: %q", problems)
	}
}

func TestApply_KeyThatCannotBeReadFailsThoseThatNeedIt(t *testing.T) {
	for name, key := range map[string][]byte{"missing": nil, "not a key": []byte("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")} {
		desired := securedHosts()
		seen, _ := secured(t)
		delete(seen["slave"].Facts.Files, "/pki/x.key")
		connections, hosts := fleetOf(desired)
		if key != nil {
			hosts["master"].files["/pki/ca.key"] = key
		}
		err := Apply(t.Context(), NewPlan(now, desired, seen), Options{Hosts: connections}).Err()
		if err == nil || !strings.Contains(err.Error(), "certificate /pki/x.crt") || !strings.Contains(err.Error(), "authority cluster of master") {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(fmt.Sprint(err), "c2VjcmV0") {
			t.Errorf("%s: the error shows what was read: %v", name, err)
		}
	}
}

func TestNewPlan_AuthorityLivesOnOneHost(t *testing.T) {
	desired := securedHosts()
	second := desired[0]
	second.Name = "master2"
	desired = append(desired, second)
	connections, hosts := fleetOf(desired)
	outcome := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections})
	if err := outcome.Err(); err == nil || !strings.Contains(err.Error(), "it can live on one host only") {
		t.Errorf("got %v", err)
	}
	for name, host := range hosts {
		if written := host.done("write"); len(written) != 0 {
			t.Errorf("%s was given %q", name, written)
		}
	}
}

func TestApply_SecretsAreMadeAtRandomForEachPlaceholder(t *testing.T) {
	content := resource.RandomPlaceholder + "\n" + resource.RandomPlaceholder + "\n" + resource.KeyPlaceholder
	desired := []resource.Host{{Name: "a", Stages: []resource.Stage{{Name: "s", Resources: []resource.Resource{
		resource.File{Path: "/secret", Content: []byte(content), Once: true},
	}}}}}
	connections, hosts := fleetOf(desired)
	if err := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections}).Err(); err != nil {
		t.Fatal(err)
	}
	var written string
	for _, op := range hosts["a"].ops {
		if op.Verb == "write" {
			text, _ := base64.StdEncoding.DecodeString(op.Args[4])
			written = string(text)
		}
	}
	secrets := strings.SplitN(written, "\n", 3)
	if len(secrets) != 3 || secrets[0] == secrets[1] || len(secrets[0]) != 44 || !strings.Contains(secrets[2], "PRIVATE KEY") || strings.Contains(written, "@provision") {
		t.Errorf("written %q", written)
	}
}

func TestApply_UploadThatFailsIsItsHostsErrorAndChangesNothing(t *testing.T) {
	program := resource.Artifact{Path: "/bin/program", Source: "program", Sum: strings.Repeat("a", 64)}
	desired := []resource.Host{webHost("a"), webHost("b")}
	desired[0].Stages[0].Resources = append(desired[0].Stages[0].Resources, program)
	connections, hosts := fleetOf(desired)
	hosts["a"].uploadError = errors.New("no space left on device")
	outcome := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections, Artifacts: memoryArtifacts{}})
	if err := outcome.Hosts[0].Err; err == nil || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), "artifact /bin/program") {
		t.Errorf("got %v", err)
	}
	if len(hosts["a"].execs) != 0 || outcome.Hosts[1].Err != nil {
		t.Errorf("execs %q; the other host: %v", hosts["a"].execs, outcome.Hosts[1].Err)
	}
}

// Wherever a host with keys fails, its error tells none.
func TestApply_ErrorsHoldNoKeys(t *testing.T) {
	for _, at := range []string{"record", "write /pki/ca.key", "write /pki/ca.crt", "write /pki/x.key", "write /pki/x.crt"} {
		desired := securedHosts()
		connections, hosts := fleetOf(desired)
		hosts["master"].failAt, hosts["slave"].failAt = at, at
		observer := &events{}
		err := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections, Observer: observer.observe}).Err()
		if shown := fmt.Sprintf("%v %+v", err, observer.all); err == nil || holdsKey(shown) {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// holdsKey tells whether a text holds a private key, as PEM or in base64 at any
// of its three alignments.
func holdsKey(text string) bool {
	for _, pad := range []string{"", "x", "xx"} {
		encoded := base64.StdEncoding.EncodeToString([]byte(pad + "BEGIN PRIVATE KEY"))
		if strings.Contains(text, encoded[4:len(encoded)-4]) {
			return true
		}
	}
	return strings.Contains(text, "PRIVATE KEY")
}
