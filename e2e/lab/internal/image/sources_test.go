package image

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestMachineSources_DebianOfTheRightReleaseIsCopied(t *testing.T) {
	etc := fstest.MapFS{
		"sources.list": {Data: []byte("# deb http://comment.example/debian bookworm main\n" +
			"deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian/ bookworm main contrib\n" +
			"deb-src http://mirror.example/debian bookworm main\n" +
			"deb [signed-by=/etc/apt/keyrings/vendor.gpg] http://vendor.example/ bookworm main\n" +
			"deb http://mirror.example/debian trixie main\n")},
		"sources.list.d/debian.sources": {Data: []byte("Types: deb deb-src\n# a comment\nURIs: http://mirror.example/debian\nSuites: bookworm\n" +
			" bookworm-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n" +
			"Types: deb\nURIs: http://mirror.example/security\nSuites: bookworm-security\nComponents: main\n\n" +
			"Types: deb\nURIs: http://off.example/\nSuites: bookworm\nComponents: main\nEnabled: no\n")},
		"sources.list.d/docker.list": {Data: []byte("deb http://docker.example/ bookworm stable\n")},
		"sources.list.d/old.list~":   {Data: []byte("garbage")},
	}
	got, err := machineSources(etc)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"deb http://mirror.example/debian bookworm main",
		"deb http://mirror.example/debian bookworm-updates main",
		"deb http://mirror.example/security bookworm-security main",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestMachineSources_OtherMachinesUseDebiansOwn(t *testing.T) {
	got, err := machineSources(fstest.MapFS{"sources.list": {Data: []byte("deb http://archive.ubuntu.com/ubuntu noble main\n")}})
	if err != nil || len(got) != 3 || !strings.Contains(got[0], "deb.debian.org") {
		t.Fatalf("got %q, %v", got, err)
	}
}
