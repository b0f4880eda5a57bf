package converge

import (
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

var now = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// webHost wants a file, and a service that reads it.
func webHost(name string) resource.Host {
	file := resource.File{Path: "/etc/web.conf", Content: []byte("wanted\n")}
	other := resource.File{Path: "/etc/other.conf", Content: []byte("other\n")}
	service := resource.Service{Unit: "web.service"}.Using([]resource.Resource{file})
	return resource.Host{Name: name, Stages: []resource.Stage{
		{Name: "files", Resources: []resource.Resource{file, other}},
		{Name: "services", Resources: []resource.Resource{service}},
	}}
}

// bare is what a host without anything answers.
func bare() Observation {
	return Observation{
		Facts: &resource.Facts{
			PackageTool: "apt-get",
			Files:       map[string]resource.FileFact{},
			Units:       map[string]resource.UnitFact{},
		},
		Record: &Record{Version: recordVersion, Resources: map[string]resource.State{}},
	}
}

// converged is what a host answers that is as wanted, by a run of provision.
func converged(host resource.Host) Observation {
	seen := bare()
	for _, r := range host.Resources() {
		switch r := r.(type) {
		case resource.File:
			seen.Facts.Files[r.Path] = resource.FileFact{Type: "file", Mode: "0644", Owner: "root", Group: "root", Sum: resource.Sum(r.Content)}
		case resource.Service:
			seen.Facts.Units[r.Unit] = resource.UnitFact{LoadState: "loaded", ActiveState: "active", SubState: "running", UnitFileState: "enabled"}
		}
		seen.Record.Resources[r.ID().String()] = r.Want(resource.View{Facts: seen.Facts})
	}
	return seen
}

// lines is a plan in words: "host: action resource (cause)".
func lines(plan *Plan) []string {
	lines := []string{}
	for _, host := range plan.Hosts {
		for _, change := range host.Changes() {
			lines = append(lines, fmt.Sprintf("%s: %s %s (%s)", host.Host, change.Action, change.Resource, change.Cause))
		}
	}
	return lines
}

func planOf(host resource.Host, seen Observation) []string {
	return lines(NewPlan(now, []resource.Host{host}, map[string]Observation{host.Name: seen}))
}

func TestNewPlan_TellsWhatDiffersAndWhy(t *testing.T) {
	edit := func(change func(*Observation)) Observation {
		seen := converged(webHost("a"))
		change(&seen)
		return seen
	}
	content := func(seen *Observation, sum string) {
		fact := seen.Facts.Files["/etc/web.conf"]
		fact.Sum = sum
		seen.Facts.Files["/etc/web.conf"] = fact
	}
	unit := func(seen *Observation, change func(*resource.UnitFact)) {
		fact := seen.Facts.Units["web.service"]
		change(&fact)
		seen.Facts.Units["web.service"] = fact
	}
	recorded := func(seen *Observation, name, attribute, value string) {
		for i, a := range seen.Record.Resources[name] {
			if a.Name == attribute {
				seen.Record.Resources[name][i].Value = value
			}
		}
	}
	tests := []struct {
		name string
		seen Observation
		want []string
	}{
		{"bare host", bare(), []string{
			"a: create file /etc/web.conf (new)", "a: create file /etc/other.conf (new)", "a: start service web.service (new)",
		}},
		{"as wanted", edit(func(*Observation) {}), []string{}},
		{"hand-edited file", edit(func(s *Observation) { content(s, "x") }), []string{
			"a: update file /etc/web.conf (drift)", "a: restart service web.service (follows)",
		}},
		{"changed inventory", edit(func(s *Observation) {
			content(s, "old")
			recorded(s, "file /etc/web.conf", "content", "old")
			recorded(s, "service web.service", resource.InputsAttribute, "old")
		}), []string{"a: update file /etc/web.conf (change)", "a: restart service web.service (follows)"}},
		{"changed inventory over a hand-edited file", edit(func(s *Observation) {
			content(s, "x")
			recorded(s, "file /etc/web.conf", "content", "old")
		}), []string{"a: update file /etc/web.conf (both)", "a: restart service web.service (follows)"}},
		{"wrong mode restarts nothing", edit(func(s *Observation) {
			fact := s.Facts.Files["/etc/web.conf"]
			fact.Mode = "0666"
			s.Facts.Files["/etc/web.conf"] = fact
		}), []string{"a: update file /etc/web.conf (drift)"}},
		{"file that no service reads", edit(func(s *Observation) { delete(s.Facts.Files, "/etc/other.conf") }), []string{
			"a: create file /etc/other.conf (drift)",
		}},
		{"stopped unit", edit(func(s *Observation) {
			unit(s, func(u *resource.UnitFact) { u.ActiveState, u.SubState = "inactive", "dead" })
		}), []string{"a: start service web.service (drift)"}},
		{"disabled unit is only enabled", edit(func(s *Observation) {
			unit(s, func(u *resource.UnitFact) { u.UnitFileState = "disabled" })
		}), []string{"a: configure service web.service (drift)"}},
		{"masked unit", edit(func(s *Observation) {
			unit(s, func(u *resource.UnitFact) { u.UnitFileState, u.ActiveState = "masked", "inactive" })
		}), []string{"a: start service web.service (drift)"}},
		{"unit that keeps crashing", edit(func(s *Observation) {
			unit(s, func(u *resource.UnitFact) { u.ActiveState, u.SubState = "activating", "auto-restart" })
		}), []string{"a: start service web.service (drift)"}},
		{"run that was cut short", edit(func(s *Observation) {
			recorded(s, "service web.service", resource.InputsAttribute, "interrupted")
		}), []string{"a: restart service web.service (follows)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := planOf(webHost("a"), tt.seen); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestNewPlan_RestartNamesWhatItIsFor(t *testing.T) {
	seen := converged(webHost("a"))
	delete(seen.Facts.Files, "/etc/web.conf")
	plan := NewPlan(now, []resource.Host{webHost("a")}, map[string]Observation{"a": seen})
	uses := plan.Hosts[0].Changes()[1].Uses
	if len(uses) != 1 || uses[0].Name != "/etc/web.conf" {
		t.Errorf("uses %v", uses)
	}
	if s := plan.Summary(); s.Changes != 2 || s.Restarts != 1 || s.Changed != 1 {
		t.Errorf("%+v", s)
	}
}

func TestNewPlan_DiffNeverShowsSecrets(t *testing.T) {
	host := resource.Host{Name: "a", Stages: []resource.Stage{{Name: "s", Resources: []resource.Resource{
		resource.File{Path: "/open", Content: []byte("new\n")},
		resource.File{Path: "/closed", Content: []byte("token-new\n"), Secret: true},
		resource.File{Path: "/once", Content: []byte("x"), Once: true},
	}}}}
	seen := bare()
	for _, path := range []string{"/open", "/closed", "/once"} {
		seen.Facts.Files[path] = resource.FileFact{Type: "file", Mode: "0644", Owner: "root", Group: "root", Sum: resource.Sum([]byte("token-old\n")), Content: []byte("token-old\n"), Shown: true}
	}
	plan := NewPlan(now, []resource.Host{host}, map[string]Observation{"a": seen})
	document, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(document), `+new`) || strings.Count(string(document), "token-") != 1 {
		t.Errorf("plan: %s", document)
	}
}

func TestNewPlan_UnreachableHostHasNoChanges(t *testing.T) {
	desired := []resource.Host{webHost("a"), webHost("b")}
	plan := NewPlan(now, desired, map[string]Observation{"a": {Err: errors.New("no route")}, "b": bare()})
	if len(plan.Hosts[0].Changes()) != 0 || plan.Hosts[0].Err == nil || len(plan.Hosts[1].Changes()) != 3 {
		t.Errorf("%q", lines(plan))
	}
	if s := plan.Summary(); s.Unreachable != 1 || s.Hosts != 2 {
		t.Errorf("%+v", s)
	}
}

// securedHosts are a master with an authority, and a slave with a certificate of
// it and a copy of its certificate.
func securedHosts() []resource.Host {
	authority := resource.Authority{Name: "cluster", CommonName: "cluster", CertPath: "/pki/ca.crt", KeyPath: "/pki/ca.key"}
	request := pki.Request{CommonName: "slave", Usages: []pki.Usage{pki.Client}}
	return []resource.Host{
		{Name: "master", Stages: []resource.Stage{{Name: "authorities", Resources: []resource.Resource{authority}}}},
		{Name: "slave", Stages: []resource.Stage{{Name: "node", After: []string{"authorities"}, Resources: []resource.Resource{
			resource.Trust{Path: "/pki/ca.crt", Authority: "cluster"},
			resource.Certificate{CertPath: "/pki/x.crt", KeyPath: "/pki/x.key", Authority: "cluster", Request: request},
		}}}},
	}
}

// secured is what securedHosts answer when all is well, at now.
func secured(t *testing.T) (map[string]Observation, *pki.Authority) {
	t.Helper()
	ca, err := pki.NewAuthority(now, "cluster", pki.CAValidity)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue(now, pki.Request{CommonName: "slave", Usages: []pki.Usage{pki.Client}}, pki.LeafValidity)
	if err != nil {
		t.Fatal(err)
	}
	fact := func(content []byte, mode string, shown bool) resource.FileFact {
		f := resource.FileFact{Type: "file", Mode: mode, Owner: "root", Group: "root", Sum: resource.Sum(content), Shown: shown}
		if shown {
			f.Content = content
		}
		return f
	}
	master, slave := bare(), bare()
	master.Facts.Files["/pki/ca.crt"] = fact(ca.CertPEM(), "0644", true)
	master.Facts.Files["/pki/ca.key"] = fact(ca.KeyPEM(), "0600", false)
	slave.Facts.Files["/pki/ca.crt"] = fact(ca.CertPEM(), "0644", false)
	slave.Facts.Files["/pki/x.crt"] = fact(cert, "0644", true)
	slave.Facts.Files["/pki/x.key"] = fact(key, "0600", false)
	return map[string]Observation{"master": master, "slave": slave}, ca
}

func TestNewPlan_CertificatesFollowTheirAuthority(t *testing.T) {
	all := []string{"slave: update trust /pki/ca.crt (new)", "slave: update certificate /pki/x.crt (new)"}
	tests := []struct {
		name    string
		at      time.Time
		disturb func(map[string]Observation)
		want    []string
	}{
		{"all is well", now, func(map[string]Observation) {}, []string{}},
		{"close to expiry", now.Add(pki.LeafValidity - 29*24*time.Hour), func(map[string]Observation) {}, all[1:]},
		{"authority to be made", now, func(seen map[string]Observation) { seen["master"] = bare() }, append([]string{"master: create authority cluster (new)"}, all...)},
		{"authority out of reach", now, func(seen map[string]Observation) { seen["master"] = Observation{Err: errors.New("down")} }, all[:1]},
		{"key is gone", now, func(seen map[string]Observation) { delete(seen["slave"].Facts.Files, "/pki/x.key") }, all[1:]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen, _ := secured(t)
			tt.disturb(seen)
			if got := lines(NewPlan(tt.at, securedHosts(), seen)); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// A slave that has a record trusts what it was given while the master is away.
func TestNewPlan_AuthorityOutOfReachChangesNothingThatWasApplied(t *testing.T) {
	seen, ca := secured(t)
	seen["slave"].Record.Resources["trust /pki/ca.crt"] = resource.State{{Name: "content", Value: resource.Sum(ca.CertPEM())}, {Name: "mode", Value: "0644"}, {Name: "owner", Value: "root:root"}}
	seen["master"] = Observation{Err: errors.New("down")}
	if got := lines(NewPlan(now, securedHosts(), seen)); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func BenchmarkNewPlan(b *testing.B) {
	var desired []resource.Host
	observed := map[string]Observation{}
	for i := range 1000 {
		host := resource.Host{Name: fmt.Sprintf("host%d", i)}
		var resources []resource.Resource
		for j := range 60 {
			resources = append(resources, resource.File{Path: fmt.Sprintf("/etc/file%d", j), Content: []byte("content\n")})
		}
		host.Stages = []resource.Stage{{Name: "files", Resources: resources}}
		desired = append(desired, host)
		observed[host.Name] = converged(host)
	}
	for b.Loop() {
		if plan := NewPlan(now, desired, observed); plan.Summary().Changes != 0 {
			b.Fatal("changes")
		}
	}
}
