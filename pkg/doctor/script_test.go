package doctor

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"provision/pkg/blueprint"
)

func TestScript_DescribesTheHost(t *testing.T) {
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("proc/1/comm", "systemd\n")
		s.write("proc/swaps", "Filename\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/sda2 partition 2097152 0 -2\n/swap\\040file file 1024 0 -3\n")
		facts := s.look(blueprint.Requirements{Tools: []string{"no-such-program", "sh"}})
		if off := time.Since(facts.Clock.Host).Abs(); off > time.Minute {
			t.Errorf("clock is off by %v", off)
		}
		if facts.Login.UID != os.Getuid() || facts.Login.User == "" || !strings.HasPrefix(facts.Login.Sh, "/") {
			t.Errorf("login: %+v", facts.Login)
		}
		system := facts.System
		if system.Architecture == "" || system.Linux == "" || system.ID == "" || system.Init != "systemd" || system.Cgroup == 0 {
			t.Errorf("system: %+v", system)
		}
		if diff := cmp.Diff([]Swap{{"/dev/sda2", 2 << 30}, {`/swap\040file`, 1 << 20}}, system.Swaps); diff != "" {
			t.Error(diff)
		}
		if !facts.MissingTools["no-such-program"] || facts.MissingTools["sh"] || facts.Noise != "" {
			t.Errorf("tools: %v, noise %q", facts.MissingTools, facts.Noise)
		}
	})
}

func TestScript_MeasuresTheDirectoryThatIsThere(t *testing.T) {
	eachShell(t, func(t *testing.T, s *sandbox) {
		below, odd := filepath.Join(s.root, "a", "b", "c"), filepath.Join(s.root, `it's $(x) \n *`)
		if err := os.Mkdir(odd, 0o755); err != nil {
			t.Fatal(err)
		}
		facts := s.look(blueprint.Requirements{Disk: []blueprint.Space{{Path: below}, {Path: odd}, {Path: "/proc/none"}}})
		for _, path := range []string{below, odd} {
			if disk := facts.Disks[path]; !disk.Known || disk.Free == 0 || !strings.HasPrefix(disk.Mount, "/") || disk.ReadOnly {
				t.Errorf("%s: %+v", path, disk)
			}
		}
		if disk := facts.Disks["/proc/none"]; disk.Mount != "/proc" || disk.Free != 0 {
			t.Errorf("/proc: %+v", disk)
		}
	})
}

func TestScript_FindsFeaturesOfTheKernel(t *testing.T) {
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("proc/filesystems", "nodev\tsysfs\nnodev\tlookslikeit\n\tplainfs\n")
		s.write("evidence", "")
		facts := s.look(blueprint.Requirements{Kernel: []blueprint.Feature{
			{Name: "lookslikeit"},
			{Name: "plainfs"},
			{Name: "plain"},
			{Name: "seen", Evidence: filepath.Join(s.root, "evidence")},
			{Name: "unseen", Evidence: filepath.Join(s.root, "nothing here")},
		}})
		for name, want := range map[string]string{"lookslikeit": "loaded", "plainfs": "loaded", "seen": "loaded", "unseen": "missing"} {
			if facts.Features[name] != want {
				t.Errorf("%s is %q, want %s", name, facts.Features[name], want)
			}
		}
		if how := facts.Features["plain"]; how != "missing" && how != "unknown" { // as this machine has a list of its modules or not
			t.Errorf("plain is %q", how)
		}
	})
}

// The kernel's list of options decides about what is built in.
func TestScript_ReadsTheKernelsOptions(t *testing.T) {
	eachShell(t, func(t *testing.T, s *sandbox) {
		if matches, _ := filepath.Glob("/boot/config-*"); len(matches) > 0 {
			t.Skip("this machine has its options in /boot")
		}
		s.write("proc/config", "CONFIG_YES=y\n# CONFIG_NO is not set\nCONFIG_YESTERDAY=m\n")
		if out, err := exec.Command("gzip", filepath.Join(s.root, "proc/config")).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		facts := s.look(blueprint.Requirements{Kernel: []blueprint.Feature{
			{Name: "nosuch1", Config: "YES"}, {Name: "nosuch2", Config: "NO"}, {Name: "nosuch3", Config: "YESTERDAY"},
		}})
		if diff := cmp.Diff(map[string]string{"nosuch1": "built-in", "nosuch2": "missing", "nosuch3": "missing"}, facts.Features); diff != "" {
			t.Error(diff)
		}
	})
}

const tcpTable = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0000000000000000 100 0 0 10 0
   1: 0100007F:192B 0100007F:E0F0 01 00000000:00000000 00:00000000 00000000     0        0 102 1 0000000000000000 20 4 30 10 -1
12345: 0B0112C6:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 103 1 0000000000000000 100 0 0 10 0
`

func TestScript_FindsWhoHasAPort(t *testing.T) {
	eachShell(t, func(t *testing.T, s *sandbox) {
		s.write("proc/net/tcp", tcpTable)
		s.write("proc/net/tcp6", strings.ReplaceAll(tcpTable, "0100007F:192B 00000000", "00000000000000000000000000000000:192B 00000000000000000000000000000000"))
		s.write("proc/net/udp", "  sl  local\n14974: 00000000:2118 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 104 2 0000 0\n")
		s.process("7", "evil \\n== end", "12:pids:/x.service\n1:name=systemd:/user.slice/session-3.scope\n", "101")
		s.process("71", "web", "0::/system.slice/system-web.slice/web@1.service/inner\n", "103")
		facts := s.look(blueprint.Requirements{Ports: []blueprint.Port{{Number: 6443}, {Number: 80}, {Number: 8472}}})
		got := []string{}
		for _, socket := range facts.Sockets {
			line := socket.Protocol + " " + socket.Address.String()
			for _, pid := range socket.PIDs {
				line += " " + facts.Processes[pid].Name + " in " + facts.Processes[pid].Unit
			}
			got = append(got, line)
		}
		slices.Sort(got)
		want := []string{
			"tcp 127.0.0.1:6443 evil \\n== end in session-3.scope",
			"tcp 198.18.1.11:80 web in web@1.service",
			"tcp 198.18.1.11:80 web in web@1.service",
			"tcp [::]:6443 evil \\n== end in session-3.scope",
			"udp 0.0.0.0:8472",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// process makes a process that has sockets open.
func (s *sandbox) process(pid, name, groups string, inodes ...string) {
	s.t.Helper()
	s.write("proc/"+pid+"/comm", name+"\n")
	s.write("proc/"+pid+"/cgroup", groups)
	s.write("proc/"+pid+"/fd/0", "")
	for _, inode := range inodes {
		if err := os.Symlink("socket:["+inode+"]", filepath.Join(s.root, "proc", pid, "fd", inode)); err != nil {
			s.t.Fatal(err)
		}
	}
	if other := filepath.Join(s.root, "proc", "9", "fd"); pid != "9" { // ls names folders only where there are two
		if err := os.MkdirAll(other, 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestScript_QuestionsThatEndEarlyGetNoWholeAnswer(t *testing.T) {
	eachShell(t, func(t *testing.T, s *sandbox) {
		stdout, stderr, err := s.feed([]byte("sh\n.\n/var"))
		if err == nil || !strings.Contains(stderr, "ended too early") {
			t.Errorf("%v, %q", err, stderr)
		}
		if _, err := parse([]byte(stdout)); err == nil || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("a cut answer is read as whole: %v", err)
		}
	})
}

// Whatever the other scripts call, the doctor looks for.
func TestOwnTools_AreThoseOfTheScripts(t *testing.T) {
	known := []string{
		"awk", "base64", "cat", "chmod", "chown", "cmp", "cp", "curl", "cut", "date", "dd", "df", "diff", "dirname", "env", "find", "flock",
		"grep", "gzip", "head", "hostname", "id", "ip", "journalctl", "ln", "ls", "mkdir", "mkfifo", "mktemp", "mv", "nsenter",
		"ps", "readlink", "rm", "rmdir", "sed", "sha256sum", "sleep", "sort", "stat", "sync", "systemctl", "systemd-run", "tail", "tee",
		"timeout", "touch", "tr", "uname", "uniq", "wc", "xargs",
	}
	scripts, err := filepath.Glob("../converge/*.sh")
	if err != nil || len(scripts) < 2 {
		t.Fatal(scripts, err)
	}
	for _, path := range append(scripts, "doctor.sh") {
		for word := range commands(t, path) {
			if slices.Contains(known, word) && !slices.Contains(ownTools(), word) {
				t.Errorf("%s calls %s, which the doctor does not look for", path, word)
			}
		}
	}
}

// commands yields the words that stand where a script calls programs, and some
// that are none.
func commands(t *testing.T, path string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, part := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("|;&(){}`\n", r) }) {
			for _, word := range strings.Fields(part) {
				if strings.Contains(word, "=") || slices.Contains([]string{"!", "if", "then", "else", "while", "until", "do", "exec"}, word) {
					continue
				}
				words[word] = true
				break
			}
		}
	}
	return words
}
