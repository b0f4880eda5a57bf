package converge

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"provision/pkg/resource"
)

// follow gives output to a follower in pieces of some size.
func follow(output string, size int) (*follower, []string) {
	var begun []string
	f := &follower{begun: func(id resource.ID) { begun = append(begun, id.String()) }}
	for len(output) > 0 {
		n := min(size, len(output))
		fmt.Fprint(f, output[:n])
		output = output[n:]
	}
	return f, begun
}

func TestFollower_TakesOutputInAnyPieces(t *testing.T) {
	output := "Welcome!\nbegin file /etc/a b\nnoise\nbegin service web.service\nend\n"
	for size := 1; size <= len(output); size++ {
		f, begun := follow(output, size)
		if strings.Join(begun, "|") != "file /etc/a b|service web.service" || !f.ended || f.last.Name != "web.service" {
			t.Fatalf("in pieces of %d: begun %q, ended %v", size, begun, f.ended)
		}
	}
}

func TestFollower_UnfinishedLineIsNoEnd(t *testing.T) {
	for _, output := range []string{"begin file /x\nend", "ended\n", " end\n", "begin end\n"} {
		if f, _ := follow(output, 4); f.ended {
			t.Errorf("%q is taken for the end", output)
		}
	}
}

func TestFollower_EndlessLineFillsNoMemory(t *testing.T) {
	f := &follower{begun: func(resource.ID) {}}
	for range 64 {
		if n, err := f.Write(bytes.Repeat([]byte("x"), 1<<16)); n != 1<<16 || err != nil {
			t.Fatal(n, err)
		}
	}
	if len(f.line) > longestLine {
		t.Errorf("it keeps %d bytes", len(f.line))
	}
	if fmt.Fprint(f, "\nend\n"); !f.ended {
		t.Error("the end after it is not seen")
	}
}

// What a host is sent is a protocol of lines: an argument with a line end in it
// would be taken for operations, and an argument of another for a verb.
func TestScript_ArgumentOfTwoLinesIsRefused(t *testing.T) {
	for _, arg := range []string{"/x\nremove\n1\n/etc/passwd", "\n", "a\x00b"} {
		script := newScript(Run{})
		script.add(Change{Resource: resource.ID{Kind: "file", Name: "/x"}}, []resource.Op{op("remove", arg)})
		if _, err := script.reader(); err == nil || strings.Contains(err.Error(), "passwd") {
			t.Errorf("%q: %v", arg, err)
		}
	}
}

func TestApply_ArgumentOfTwoLinesReachesNoHost(t *testing.T) {
	desired := []resource.Host{{Name: "a", Stages: []resource.Stage{{Name: "s", Resources: file("/x\nend\n0")}}}}
	connections, hosts := fleetOf(desired)
	if err := Apply(t.Context(), NewPlan(now, desired, allBare(desired)), Options{Hosts: connections}).Err(); err == nil || len(hosts["a"].execs) != 0 {
		t.Errorf("%v; execs %q", err, hosts["a"].execs)
	}
}
