package resource

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"provision/pkg/pki"
)

func authority() Authority {
	return Authority{Name: "cluster", CommonName: "kubernetes", CertPath: "/pki/ca.crt", KeyPath: "/pki/ca.key"}
}

func authorityFacts() map[string]FileFact {
	key := regular("key of cluster")
	key.Mode = "0600"
	return map[string]FileFact{"/pki/ca.crt": regular("cert"), "/pki/ca.key": key}
}

func TestAuthority_IsMadeWhereThereIsNone(t *testing.T) {
	checkDiffering(t, authority(), seeing(nil), "certificate:  -> present", "key:  -> present", "key mode:  -> 0600", "key sum:  -> to be made")
	checkBring(t, authority(), seeing(nil), `write /pki/ca.key 0600 root root "key of cluster"`, `write /pki/ca.crt 0644 root root "cert of cluster"`)
	made, _ := authority().Bring(seeing(nil), materials{})
	v := seeing(authorityFacts())
	v.Last = made.Applied
	checkDiffering(t, authority(), v)
}

func TestAuthority_ThatIsThereIsKept(t *testing.T) {
	checkDiffering(t, authority(), seeing(authorityFacts()))
	open := seeing(authorityFacts())
	key := open.Facts.Files["/pki/ca.key"]
	key.Mode = "0644"
	open.Facts.Files["/pki/ca.key"] = key
	checkDiffering(t, authority(), open, "key mode: 0644 -> 0600")
	checkBring(t, authority(), open, "attributes /pki/ca.key 0600 root root")
}

// The run that made it was cut short between key and certificate.
func TestAuthority_ThatHasOnlyItsKeyYetIsGivenACertificate(t *testing.T) {
	half := seeing(authorityFacts())
	delete(half.Facts.Files, "/pki/ca.crt")
	checkDiffering(t, authority(), half, "certificate:  -> present")
	checkBring(t, authority(), half, "attributes /pki/ca.key 0600 root root", `write /pki/ca.crt 0644 root root "cert of cluster"`)
	done, _ := authority().Bring(half, materials{})
	v := seeing(authorityFacts())
	v.Last = done.Applied
	checkDiffering(t, authority(), v)
}

func TestAuthority_WhatOnlyAPersonCanJudgeIsRefused(t *testing.T) {
	without := func(path string) View {
		v := seeing(authorityFacts())
		delete(v.Facts.Files, path)
		return v
	}
	linked := func(path string) View {
		v := seeing(authorityFacts())
		v.Facts.Files[path] = FileFact{Type: "link", Mode: "0777"}
		return v
	}
	bothLinked := linked("/pki/ca.key")
	bothLinked.Facts.Files["/pki/ca.crt"] = FileFact{Type: "link", Mode: "0777"}
	used := without("/pki/ca.crt")
	used.Last = authority().Want(seeing(authorityFacts()))
	exchanged := seeing(authorityFacts())
	exchanged.Last = State{{"key sum", sumA}}
	tests := []struct {
		name string
		view View
		want string
	}{
		{"only a certificate", without("/pki/ca.key"), "only one of /pki/ca.crt and /pki/ca.key is there"},
		{"only a key that was used before", used, "only one of /pki/ca.crt and /pki/ca.key is there"},
		{"another key", exchanged, "/pki/ca.key is not the key that was used before"},
		{"a link to the certificate", linked("/pki/ca.crt"), "/pki/ca.crt is a link"},
		{"a link to the key", linked("/pki/ca.key"), "/pki/ca.key is a link"},
		{"links to both", bothLinked, "/pki/ca.crt is a link"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if differing(authority(), tt.view) == nil {
				t.Error("is not different")
			}
			checkRefuses(t, authority(), tt.view, tt.want)
		})
	}
}

func trust() Trust { return Trust{Path: "/etc/etcd/pki/ca.crt", Authority: "cluster"} }

func TestTrust_FollowsItsAuthority(t *testing.T) {
	sum := Sum([]byte("cert of cluster"))
	copied, stale := regular("cert of cluster"), regular("old")
	shut := copied
	shut.Mode = "0600"
	write := `write /etc/etcd/pki/ca.crt 0644 root root "cert of cluster"`
	known, unmade := map[string][]byte{"cluster": []byte("cert of cluster")}, map[string][]byte{"cluster": nil}
	last := State{{"content", sum}}
	tests := []struct {
		name        string
		there       *FileFact
		authorities map[string][]byte
		last        State
		want        []string
		bring       string
	}{
		{"copied", &copied, known, nil, nil, "attributes /etc/etcd/pki/ca.crt 0644 root root"},
		{"stale", &stale, known, nil, []string{"content: " + stale.Sum + " -> " + sum}, write},
		{"absent", nil, known, nil, []string{"content:  -> " + sum, "mode:  -> 0644", "owner:  -> root:root"}, write},
		{"authority to be made", &stale, unmade, last, []string{"content: " + stale.Sum + " -> certificate of authority cluster"}, write},
		{"authority can't be asked, copy as applied", &copied, nil, last, nil, "attributes /etc/etcd/pki/ca.crt 0644 root root"},
		{"authority can't be asked, wrong mode", &shut, nil, last, []string{"mode: 0600 -> 0644"}, "attributes /etc/etcd/pki/ca.crt 0644 root root"},
		{"authority can't be asked, copy edited", &stale, nil, last, []string{"content: " + stale.Sum + " -> " + sum}, write},
		{"authority can't be asked, nothing applied", &stale, nil, nil, []string{"content: " + stale.Sum + " -> certificate of authority cluster"}, write},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := seeing(map[string]FileFact{})
			if tt.there != nil {
				v.Facts.Files[trust().Path] = *tt.there
			}
			v.Authorities, v.Last = tt.authorities, tt.last
			checkDiffering(t, trust(), v, tt.want...)
			checkBring(t, trust(), v, tt.bring)
		})
	}
}

func certificate() Certificate {
	return Certificate{
		CertPath: "/pki/kubelet.crt", KeyPath: "/pki/kubelet.key", Authority: "cluster",
		Request: pki.Request{CommonName: "system:node:a", IPAddresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Usages: []pki.Usage{pki.Server}},
	}
}

type issued struct{ caPEM, otherPEM, certPEM, keyPEM []byte }

// issue makes the authorities and the certificate of all tests once.
var issue = sync.OnceValue(func() issued {
	ca, err := pki.NewAuthority(now, "kubernetes", pki.CAValidity)
	if err != nil {
		panic(err)
	}
	other, err := pki.NewAuthority(now, "another", pki.CAValidity)
	if err != nil {
		panic(err)
	}
	cert, key, err := ca.Issue(now, certificate().Request, pki.LeafValidity)
	if err != nil {
		panic(err)
	}
	return issued{ca.CertPEM(), other.CertPEM(), cert, key}
})

// issuedView is the view of a host that has the certificate as it was issued.
func issuedView() View {
	cert, key := regular("cert"), regular(string(issue().keyPEM))
	cert.Content, key.Mode = issue().certPEM, "0600"
	v := seeing(map[string]FileFact{"/pki/kubelet.crt": cert, "/pki/kubelet.key": key})
	v.Authorities = map[string][]byte{"cluster": issue().caPEM}
	v.Last = State{{"key", key.Sum}}
	return v
}

// change alters one file of a view.
func (v View) change(path string, change func(*FileFact)) View {
	fact := v.Facts.Files[path]
	change(&fact)
	v.Facts.Files[path] = fact
	return v
}

func TestCertificate_AsIssuedIsNotDifferent(t *testing.T) {
	v := issuedView()
	checkDiffering(t, certificate(), v)
	v.Last = nil
	checkDiffering(t, certificate(), v)
	v.Authorities = nil // its host can't be asked
	checkDiffering(t, certificate(), v)
}

func TestCertificate_IsIssuedWithANewKey(t *testing.T) {
	issueOps := []string{
		`write /pki/kubelet.key 0600 root root "key for system:node:a"`,
		`write /pki/kubelet.crt 0644 root root "cert for system:node:a"`,
	}
	renamed := certificate()
	renamed.Request.CommonName = "system:node:b"
	later := issuedView()
	later.Now = now.Add(pki.LeafValidity - 29*24*time.Hour)
	unmade, strange, keyless, exchanged, unreadable := issuedView(), issuedView(), issuedView(), issuedView(), issuedView()
	unmade.Authorities = map[string][]byte{"cluster": nil}
	strange.Authorities = map[string][]byte{"cluster": issue().otherPEM}
	delete(keyless.Facts.Files, "/pki/kubelet.key")
	exchanged.Last = State{{"key", sumA}}
	unreadable.change("/pki/kubelet.crt", func(f *FileFact) { f.Content = []byte("no PEM") })
	tests := []struct {
		name string
		view View
		want string
	}{
		{"absent", seeing(nil), "certificate:  -> valid"},
		{"about to expire", later, "certificate: expires in 29 days, on 2027-11-24 -> valid"},
		{"its authority is to be made", unmade, "certificate: its authority is to be made -> valid"},
		{"signed by another authority", strange, "certificate: was signed by another authority -> valid"},
		{"without its key", keyless, "key: absent -> " + issuedView().Last.Get("key")},
		{"with another key", exchanged, "key: " + issuedView().Last.Get("key") + " -> " + sumA},
		{"unreadable", unreadable, "certificate: cannot be read: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := differing(certificate(), tt.view)
			if len(got) == 0 || !strings.HasPrefix(got[0], tt.want) {
				t.Errorf("differs in %v, want %s first", got, tt.want)
			}
			if !certificate().NeedsIssue(tt.view) {
				t.Error("needs no new certificate")
			}
			checkBring(t, certificate(), tt.view, issueOps...)
		})
	}
	checkDiffering(t, renamed, issuedView(), `certificate: is for "system:node:a" instead of "system:node:b" -> valid`)
	operations, _ := certificate().Bring(exchanged, materials{})
	if got := operations.Applied.Get("key"); got != Sum([]byte("key for system:node:a")) {
		t.Errorf("remembers the key %s", got)
	}
}

func TestCertificate_WrongAttributesNeedNoNewCertificate(t *testing.T) {
	v := issuedView().change("/pki/kubelet.key", func(f *FileFact) { f.Mode = "0644" })
	v = v.change("/pki/kubelet.crt", func(f *FileFact) { f.Owner = "etcd" })
	checkDiffering(t, certificate(), v, "owner: etcd:root -> root:root", "key mode: 0644 -> 0600")
	checkBring(t, certificate(), v, "attributes /pki/kubelet.key 0600 root root", "attributes /pki/kubelet.crt 0644 root root")
}
