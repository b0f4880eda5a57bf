package cgroup

import (
	"testing"
)

func TestParseMounts_HybridMachine(t *testing.T) {
	table := "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n" +
		"cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n" +
		"cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0\n" +
		"cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n" +
		"cgroup /var/lib/x/cgroup/cpu cgroup rw,relatime,cpu 0 0\n"
	found := parseMounts(table)
	if len(found) != 3 {
		t.Fatalf("got %d hierarchies, want 3: %+v", len(found), found)
	}
	if found[0].v2 || found[1].v2 || !found[2].v2 {
		t.Fatalf("versions are mixed up: %+v", found)
	}
}

func TestParseMounts_UnifiedMachine(t *testing.T) {
	found := parseMounts("cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n")
	if len(found) != 1 || !found[0].v2 || found[0].mount != "/sys/fs/cgroup" {
		t.Fatalf("got %+v", found)
	}
}

func TestTree_FreezerPrefersTheVersionThatHasIt(t *testing.T) {
	hybrid := &Tree{path: "lab/a", hierarchies: parseMounts(
		"cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\ncgroup /sys/fs/cgroup/freezer cgroup rw,freezer 0 0\n")}
	set, _, word, _, err := hybrid.freezer()
	if err != nil || set != "/sys/fs/cgroup/freezer/lab/a/freezer.state" || word != "FROZEN" {
		t.Fatalf("got %q %q %v", set, word, err)
	}
	unified := &Tree{path: "lab/a", hierarchies: parseMounts("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")}
	set, state, word, _, err := unified.freezer()
	if err != nil || set != "/sys/fs/cgroup/lab/a/cgroup.freeze" || state != "/sys/fs/cgroup/lab/a/cgroup.events" || word != "1" {
		t.Fatalf("got %q %q %q %v", set, state, word, err)
	}
}
