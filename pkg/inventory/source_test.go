package inventory

import "testing"

func TestPath_KeysAndEntriesAreJoinedAndCut(t *testing.T) {
	tests := []struct{ parent, key, want string }{
		{"", "ssh", "ssh"},
		{root, "ssh", "ssh"},
		{"ssh", "port", "ssh.port"},
		{"slaves[1]", "ssh", "slaves[1].ssh"},
		{"a", "b c", `a["b c"]`},
		{"a", "b.c", `a["b.c"]`},
		{"", "é", `["é"]`},
		{"a", "", `a[""]`},
		{"a", "x\ny", `a["x\ny"]`},
	}
	for _, tt := range tests {
		if got := join(tt.parent, tt.key); got != tt.want {
			t.Errorf("join(%q, %q) = %s; want %s", tt.parent, tt.key, got, tt.want)
		}
	}
	for path, want := range map[string]string{"ssh": "", "ssh.port": "ssh", "slaves[1]": "slaves", "slaves[1].ssh.port": "slaves[1].ssh", "": ""} {
		if got := parent(path); got != want {
			t.Errorf("parent(%q) = %q; want %q", path, got, want)
		}
	}
}

func TestSource_AMissingValueStandsWhereItsHolderDoes(t *testing.T) {
	src := newSource()
	src.values[root] = position{1, 1}
	src.values["network"] = position{3, 5}
	for path, want := range map[string]position{
		"network": {3, 5}, "network.flannel.key": {3, 5}, "services.cidr": {1, 1}, root: {1, 1},
	} {
		if got := src.place(path); got != want {
			t.Errorf("%s stands at %v; want %v", path, got, want)
		}
	}
}

func TestSource_WhatCouldNotBeReadTaintsWhatHoldsItAndWhatItHolds(t *testing.T) {
	src := newSource()
	src.distrust("slaves[1].ssh")
	for path, want := range map[string]bool{
		"slaves[1].ssh": true, "slaves[1].ssh.port": true, "slaves[1]": true, "slaves": true,
		"slaves[0]": false, "slaves[1].name": false, "slaves[10].ssh": false, "ssh": false, "master": false,
	} {
		if got := src.unread(path); got != want {
			t.Errorf("unread(%s) = %v", path, got)
		}
	}
	src.distrust(root)
	if !src.unread("master") {
		t.Error("the whole file could not be read, but master could")
	}
}

func TestPosition_CountsCharacters(t *testing.T) {
	text := []byte("aé\nbü: x\n")
	for offset, want := range map[int]position{0: {1, 1}, 1: {1, 2}, 3: {1, 3}, 4: {2, 1}, 7: {2, 3}, 11: {3, 1}} {
		if got := positionAt(text, offset); got != want {
			t.Errorf("byte %d is at %v; want %v", offset, got, want)
		}
	}
}
