package resource

import (
	"testing"
	"time"
)

func command() Command {
	return Command{
		Name: "network", Check: []string{"etcdctl", "get", "/k"}, Expect: "v",
		Do: []string{"etcdctl", "put", "/k"}, Input: "v\n", Within: 30 * time.Second,
	}
}

func checked(status int, output string) View {
	v := seeing(nil)
	v.Facts.Checks = map[string]CheckFact{command().Name: {Status: status, Sum: Sum([]byte(output))}}
	return v
}

func TestCommand_CheckDecides(t *testing.T) {
	expected, other := Sum([]byte("v\n")), Sum([]byte("w\n"))
	checkDiffering(t, command(), seeing(nil), "check:  -> passes", "output:  -> "+expected)
	checkDiffering(t, command(), checked(0, "v\n"))
	checkDiffering(t, command(), checked(0, "w\n"), "output: "+other+" -> "+expected)
	checkDiffering(t, command(), checked(4, "v\n"), "check: fails with status 4 -> passes", "output:  -> "+expected)
}

func TestCommand_WithoutExpectAnyOutputWillDo(t *testing.T) {
	c := command()
	c.Expect = ""
	checkDiffering(t, c, checked(0, "anything\n"))
	checkDiffering(t, c, checked(1, ""), "check: fails with status 1 -> passes")
}

// The host's shell drops line ends at the end of an output.
func TestCommand_LineEndsAtTheEndMeanNothing(t *testing.T) {
	c := command()
	c.Expect = "v\n\n"
	checkDiffering(t, c, checked(0, "v\n"))
}

func TestCommand_ChecksAgainAfterwards(t *testing.T) {
	checkBring(t, command(), seeing(nil), "run 30 dgo= etcdctl put /k", "run 0  etcdctl get /k")
	c := command()
	c.Within = 0
	checkBring(t, c, seeing(nil), "run 0 dgo= etcdctl put /k", "run 0  etcdctl get /k")
	c.Within = 200 * time.Millisecond
	checkBring(t, c, seeing(nil), "run 1 dgo= etcdctl put /k", "run 0  etcdctl get /k")
}

func image() Image {
	return Image{
		Repository: "k8s/pause", Tag: "3.10", Source: "pause.tar", Sum: sumA,
		Storage: "/var/lib/registry", Endpoint: "10.25.31.102:5000", Authority: "cluster",
	}
}

const linkPath = "/var/lib/registry/docker/registry/v2/repositories/k8s/pause/_manifests/tags/3.10/current/link"

func TestImage_IsKnownByWhatWasPushed(t *testing.T) {
	link := FileFact{Type: "file", Sum: Sum([]byte("sha256:" + sumB))}
	applied, err := image().Bring(seeing(nil), materials{})
	if err != nil || applied.Ops != nil {
		t.Fatal(applied, err)
	}
	pushed := seeing(map[string]FileFact{linkPath: link})
	pushed.Last = applied.Applied
	checkDiffering(t, image(), pushed)

	newer := image()
	newer.Sum = sumB
	checkDiffering(t, newer, pushed, "source: "+sumA+" -> "+sumB)

	gone := seeing(nil)
	gone.Last = applied.Applied
	checkDiffering(t, image(), gone, "source:  -> "+sumA, "manifest:  -> "+link.Sum)

	moved := seeing(map[string]FileFact{linkPath: {Type: "file", Sum: sumA}})
	moved.Last = applied.Applied
	checkDiffering(t, image(), moved, "manifest: "+sumA+" -> "+link.Sum)

	unknown := seeing(map[string]FileFact{linkPath: link})
	checkDiffering(t, image(), unknown, "source:  -> "+sumA, "manifest: "+link.Sum+" -> ")
	checkBring(t, image(), unknown)
}

func TestImage_AsksForItsTagsLink(t *testing.T) {
	if q := NewQuestions([]Resource{image()}); len(q.Sums) != 1 || q.Sums[0] != linkPath {
		t.Errorf("asks for %v", q.Sums)
	}
}
