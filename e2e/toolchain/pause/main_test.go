package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestReap_CollectsEveryEndedChild(t *testing.T) {
	program, err := exec.LookPath("true")
	if err != nil {
		t.Skip("no true here")
	}
	var pids []int
	for range 3 {
		process, err := os.StartProcess(program, []string{"true"}, &os.ProcAttr{})
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, process.Pid)
	}
	deadline := time.Now().Add(5 * time.Second)
	for _, pid := range pids {
		// Signal 0 finds a process, zombies included, until it is reaped.
		for errors.Is(syscall.Kill(pid, 0), nil) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d is not reaped", pid)
			}
			reap()
			time.Sleep(5 * time.Millisecond)
		}
	}
}
