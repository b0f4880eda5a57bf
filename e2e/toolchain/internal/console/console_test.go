package console

import (
	"strings"
	"testing"
	"time"
)

// clock moves a second with every look at it.
func clock() func() time.Time {
	now := time.Unix(0, 0)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

func TestConsole_PlainLinesWithoutATerminal(t *testing.T) {
	var out strings.Builder
	c := New(&out, false, clock())
	c.Expect(2)
	c.Start("etcd")
	c.Finish("etcd", 24_700_000)
	c.Say("that's %s", "all")
	c.Close()
	want := "building etcd\nbuilt etcd                         1.0s   24.7 MB  [1/2]\nthat's all\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

func TestConsole_StatusLineIsErasedOnATerminal(t *testing.T) {
	var out strings.Builder
	c := New(&out, true, clock())
	c.Start("etcd")
	c.Say("note")
	c.Abandon("etcd")
	c.Close()
	text := out.String()
	if !strings.Contains(text, "building [0/0] etcd 1s") {
		t.Errorf("no status line in %q", text)
	}
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, " \r") {
		t.Errorf("the status line stays: %q", text)
	}
}
