package proc

import (
	"os"
	"os/exec"
	"slices"
	"testing"
)

func TestParseStat_NameWithBracketsAndBlanks(t *testing.T) {
	line := "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 10"
	start, state, err := parseStat([]byte(line))
	if err != nil || start != 98765 || state != "S" {
		t.Fatalf("got %d %q %v", start, state, err)
	}
}

func TestParseStat_Garbage(t *testing.T) {
	for _, line := range []string{"", "42", "42 (x) S 1"} {
		if _, _, err := parseStat([]byte(line)); err == nil {
			t.Errorf("%q is no stat line, but was read", line)
		}
	}
}

func TestSelf_IsAlive(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	if !self.Alive() {
		t.Fatal("this process is said to be dead")
	}
}

func TestAlive_EndedProcessIsDead(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	start, err := startTime(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	boot, err := BootID()
	if err != nil {
		t.Fatal(err)
	}
	child := Identity{PID: cmd.Process.Pid, Start: start, Boot: boot}
	if !child.Alive() {
		t.Fatal("a running process is said to be dead")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // tells only that it was killed
	if child.Alive() {
		t.Fatal("an ended process is said to be alive")
	}
}

func TestAlive_ReusedNumberIsAnotherProcess(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	self.Start++
	if self.Alive() {
		t.Fatal("another start time means another process")
	}
}

func TestAlive_EarlierBootIsOver(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	self.Boot = "00000000-0000-0000-0000-000000000000"
	if self.Alive() {
		t.Fatal("a process of an earlier boot cannot be alive")
	}
}

func TestIsFirstOfChild_OrdinaryProcessIsNot(t *testing.T) {
	first, err := IsFirstOfChild(os.Getpid())
	if err != nil || first {
		t.Fatalf("got %v, %v", first, err)
	}
}

func TestMountsBelow_LastFirstAndOnlyBelow(t *testing.T) {
	info := "30 1 254:0 / / rw - ext4 /dev/vda rw\n" +
		"31 30 0:30 / /lab/a rw - overlay lab rw\n" +
		"32 31 0:31 / /lab/a/x\\040y rw - tmpfs none rw\n" +
		"33 30 0:32 / /labor rw - tmpfs none rw\n"
	got := mountsBelow(info, "/lab")
	if want := []string{"/lab/a/x y", "/lab/a"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}
