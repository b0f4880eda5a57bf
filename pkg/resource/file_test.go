package resource

import (
	"strings"
	"testing"
)

func file() File { return File{Path: "/etc/kubernetes/kubelet", Content: []byte("A=1\n")} }

func TestFile_AsDeclaredIsNotDifferent(t *testing.T) {
	checkDiffering(t, file(), seeing(map[string]FileFact{file().Path: regular("A=1\n")}))
}

func TestFile_WhatDiffers(t *testing.T) {
	wanted := Sum([]byte("A=1\n"))
	edited := regular("A=2\n")
	readable := regular("A=1\n")
	readable.Mode, readable.Group = "0666", "adm"
	tests := []struct {
		name string
		fact map[string]FileFact
		want []string
	}{
		{"absent", nil, []string{"content:  -> " + wanted, "mode:  -> 0644", "owner:  -> root:root"}},
		{"hand-edited", map[string]FileFact{file().Path: edited}, []string{"content: " + edited.Sum + " -> " + wanted}},
		{"mode and group", map[string]FileFact{file().Path: readable}, []string{"mode: 0666 -> 0644", "owner: root:adm -> root:root"}},
		{"a link", map[string]FileFact{file().Path: {Type: "link", Mode: "0777", Owner: "root", Group: "root"}}, []string{"content: a link -> " + wanted, "mode:  -> 0644", "owner:  -> root:root"}},
		{"a directory", map[string]FileFact{file().Path: {Type: "directory", Mode: "0755"}}, []string{"content: a directory -> " + wanted, "mode:  -> 0644", "owner:  -> root:root"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkDiffering(t, file(), seeing(tt.fact), tt.want...) })
	}
}

func TestFile_OnlyAWrongContentIsWritten(t *testing.T) {
	f := file()
	f.Attributes = Attributes{Mode: "0600", Owner: "etcd"}
	write := `write /etc/kubernetes/kubelet 0600 etcd etcd "A=1\n"`
	checkBring(t, f, seeing(nil), write)
	checkBring(t, f, seeing(map[string]FileFact{f.Path: regular("A=2\n")}), write)
	checkBring(t, f, seeing(map[string]FileFact{f.Path: regular("A=1\n")}), "attributes /etc/kubernetes/kubelet 0600 etcd etcd")
}

func TestFile_ContentIsAskedForOnlyWhereItMayBeShown(t *testing.T) {
	secret, once := file(), file()
	secret.Secret, once.Once = true, true
	for _, tt := range []struct {
		file  File
		shown bool
	}{{file(), true}, {secret, false}, {once, false}} {
		q := NewQuestions([]Resource{tt.file})
		if sum, shown := q.Shown[tt.file.Path]; shown != tt.shown || (shown && sum != Sum(tt.file.Content)) {
			t.Errorf("secret %t, once %t: shown is %t with %q", tt.file.Secret, tt.file.Once, shown, sum)
		}
	}
}

func onceFile() File {
	return File{Path: "/etc/kubernetes/pki/sa.key", Content: []byte("k: " + RandomPlaceholder), Once: true, Attributes: Attributes{Mode: "0600"}}
}

func TestFileOnce_IsMadeWhenAbsentAndItsSumRemembered(t *testing.T) {
	checkDiffering(t, onceFile(), seeing(nil), "content:  -> made once", "mode:  -> 0600", "owner:  -> root:root")
	checkBring(t, onceFile(), seeing(nil), `write /etc/kubernetes/pki/sa.key 0600 root root "k: RANDOM"`)
	operations, err := onceFile().Bring(seeing(nil), materials{})
	if err != nil || operations.Applied.Get("content") != Sum([]byte("k: RANDOM")) {
		t.Errorf("remembers %v, %v", operations.Applied, err)
	}
}

func TestFileOnce_ContentIsLeftAlone(t *testing.T) {
	there := regular("made elsewhere")
	v := seeing(map[string]FileFact{onceFile().Path: there})
	checkDiffering(t, onceFile(), v, "mode: 0644 -> 0600")
	checkBring(t, onceFile(), v, "attributes /etc/kubernetes/pki/sa.key 0600 root root")
}

func TestFileOnce_ALinkIsNotReplacedByANewSecret(t *testing.T) {
	v := seeing(map[string]FileFact{onceFile().Path: {Type: "link", Mode: "0777"}})
	checkRefuses(t, onceFile(), v, "file /etc/kubernetes/pki/sa.key: a link stands there, and its content can't be made again; ")
}

func TestHasPlaceholder_FindsBoth(t *testing.T) {
	for content, want := range map[string]bool{"a" + RandomPlaceholder: true, KeyPlaceholder: true, "@provision:other@": false} {
		if HasPlaceholder([]byte(content)) != want {
			t.Errorf("HasPlaceholder(%q) is %t", content, !want)
		}
	}
}

func TestDirectory_WhatDiffers(t *testing.T) {
	d := Directory{Path: "/var/lib/etcd", Attributes: Attributes{Mode: "0700", Owner: "etcd"}}
	checkDiffering(t, d, seeing(nil), "type:  -> directory", "mode:  -> 0700", "owner:  -> etcd:etcd")
	checkBring(t, d, seeing(nil), "directory /var/lib/etcd 0700 etcd etcd")
	there := FileFact{Type: "directory", Mode: "0755", Owner: "etcd", Group: "etcd"}
	checkDiffering(t, d, seeing(map[string]FileFact{d.Path: there}), "mode: 0755 -> 0700")
	there.Mode = "0700"
	checkDiffering(t, d, seeing(map[string]FileFact{d.Path: there}))
}

func TestDirectory_SomethingElseInItsPlaceIsLeftToAPerson(t *testing.T) {
	d := Directory{Path: "/var/lib/etcd"}
	v := seeing(map[string]FileFact{d.Path: {Type: "link", Mode: "0755", Owner: "root", Group: "root"}})
	checkDiffering(t, d, v, "type: link -> directory")
	checkRefuses(t, d, v, "directory /var/lib/etcd: a link stands there; move it away first")
}

func artifact() Artifact { return Artifact{Path: "/usr/local/bin/etcd", Source: "etcd", Sum: sumA} }

func TestArtifact_IsUploadedOnlyWhenItsSumDiffers(t *testing.T) {
	install := "install /usr/local/bin/etcd 0755 root root " + sumA + " /var/tmp/up/etcd usr!local!bin!etcd"
	there := FileFact{Type: "file", Mode: "0755", Owner: "root", Group: "root", Sum: sumA}
	other, closed := there, there
	other.Sum, closed.Mode = sumB, "0700"
	tests := []struct {
		name      string
		facts     map[string]FileFact
		differing []string
		upload    bool
		bring     string
	}{
		{"absent", nil, []string{"content:  -> " + sumA, "mode:  -> 0755", "owner:  -> root:root"}, true, install},
		{"same", map[string]FileFact{artifact().Path: there}, nil, false, "attributes /usr/local/bin/etcd 0755 root root"},
		{"another version", map[string]FileFact{artifact().Path: other}, []string{"content: " + sumB + " -> " + sumA}, true, install},
		{"wrong mode", map[string]FileFact{artifact().Path: closed}, []string{"mode: 0700 -> 0755"}, false, "attributes /usr/local/bin/etcd 0755 root root"},
		{"a link", map[string]FileFact{artifact().Path: {Type: "link"}}, []string{"content: a link -> " + sumA, "mode:  -> 0755", "owner:  -> root:root"}, true, install},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := seeing(tt.facts)
			checkDiffering(t, artifact(), v, tt.differing...)
			checkBring(t, artifact(), v, tt.bring)
			if artifact().NeedsUpload(v) != tt.upload {
				t.Errorf("needs an upload: %t", !tt.upload)
			}
		})
	}
}

func TestArtifact_IsHashedOnlyIfItsStampDoesNotFit(t *testing.T) {
	q := NewQuestions([]Resource{artifact()})
	if len(q.Sums) != 0 || len(q.Known) != 1 || len(q.Files) != 1 {
		t.Errorf("asks %+v", q)
	}
}

func TestQuestions_AreAskedOnceAndSorted(t *testing.T) {
	q := NewQuestions([]Resource{
		Package{Name: "nftables"},
		Package{Name: "chrony"},
		Package{Name: "nftables"},
		file(), file(),
		Trust{Path: "/a", Authority: "cluster"},
		Service{Unit: "b.service"},
		Service{Unit: "a.service"},
		Sysctl{Key: "vm.a", Value: "1"},
		command(),
	})
	for name, list := range map[string][]string{
		"chrony nftables":            q.Packages,
		"/a /etc/kubernetes/kubelet": q.Files,
		"a.service b.service":        q.Units,
		"vm.a":                       q.Sysctls,
	} {
		if got := strings.Join(list, " "); got != name {
			t.Errorf("asks %q, want %q", got, name)
		}
	}
	if len(q.Checks) != 1 || q.Checks[0].Name != "network" {
		t.Errorf("checks are %v", q.Checks)
	}
}

func TestRecordOp_TravelsAsOneLine(t *testing.T) {
	op := RecordOp([]byte("{\n}"))
	if op.Verb != "record" || len(op.Args) != 1 || op.Args[0] != "ewp9" {
		t.Errorf("operation is %v", op)
	}
}
