package doctor

import (
	"strings"
	"testing"
	"time"
)

const wholeAnswer = `== begin 1795521193.146983876
== login
uid 0
user root
== system
PRETTY_NAME "Debian GNU/Linux 12 (bookworm)"
ID='debian'
cgroup 2
== disks
path writable /var/lib/a b
path read-only /opt
== df
Filesystem     1024-blocks     Used Available Capacity Mounted on
//server/my share 264212084 32463796  63037468      34% /mnt/x y
tmpfs                    0        0         -1        - /
== kernel
== sockets
tcp 0100007F:192B 1
tcp 0100:192B 2
nonsense
== processes
holds 1 seven
name seven x
== end
`

func TestParse_ReadsAnAnswer(t *testing.T) {
	facts, err := parse([]byte("Welcome!\n" + wholeAnswer))
	if err != nil {
		t.Fatal(err)
	}
	if facts.Noise != "Welcome!\n" || !facts.Clock.Host.Equal(time.Unix(1795521193, 146983876)) {
		t.Errorf("noise %q, clock %v", facts.Noise, facts.Clock.Host)
	}
	if d := facts.Disks["/var/lib/a b"]; d != (Disk{Mount: "/mnt/x y", Free: 63037468 << 10, Known: true}) {
		t.Errorf("%+v", d)
	}
	if d := facts.Disks["/opt"]; d != (Disk{Mount: "/", Known: true, ReadOnly: true}) {
		t.Errorf("%+v", d)
	}
	if len(facts.Sockets) != 1 || len(facts.Sockets[0].PIDs) != 0 || len(facts.Processes) != 0 {
		t.Errorf("%+v %+v", facts.Sockets, facts.Processes)
	}
}

func TestParse_DiskIsUnknownWhereDFLeftALineOut(t *testing.T) {
	facts, err := parse([]byte(strings.Replace(wholeAnswer, "        -1        - /", " is gone", 1)))
	if err != nil || facts.Disks["/opt"].Known || facts.Disks["/var/lib/a b"].Known {
		t.Errorf("%+v, %v", facts, err)
	}
}

func TestParse_RefusesWhatIsNotWhole(t *testing.T) {
	for name, output := range map[string]string{
		"nothing":    "",
		"no script":  "This account is currently not available.\n",
		"cut off":    strings.TrimSuffix(wholeAnswer, "== end\n"),
		"cut inside": wholeAnswer[:20],
		"goes on":    wholeAnswer + "== more\n",
	} {
		if _, err := parse([]byte(output)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestParseTime_WithoutNanosecondsIsTheMiddleOfTheSecond(t *testing.T) {
	for text, want := range map[string]time.Time{
		"100.250000000": time.Unix(100, 250000000), "100.%N": time.Unix(100, 500000000), "100": time.Unix(100, 500000000),
		"": {}, "x.1": {}, "-5.000000000": {}, "99999999999999999": {},
	} {
		if got := parseTime(text); !got.Equal(want) {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

// A host may answer anything: that is an error or a finding, never a panic.
func FuzzParse(f *testing.F) {
	f.Add(wholeAnswer)
	f.Add("== begin \n== sockets\ntcp 0:0 1\n== processes\nholds 1 7\ngroup 7 0::/a.service/\n== end")
	f.Fuzz(func(t *testing.T, output string) {
		facts, err := parse([]byte(output))
		if err != nil {
			return
		}
		facts.Clock.between(noon, noon)
		_, required := healthy()
		if len(judge(facts, required)) == 0 {
			t.Error("nothing was found")
		}
	})
}
