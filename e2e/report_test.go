//go:build lab

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// eventLine is the part of an event that the tests look at.
type eventLine struct {
	Format, Event, Host, Stage, Resource, Error string
	Exit                                        *int
}

func readEvents(t *testing.T, path string) []eventLine {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var events []eventLine
	for line := range bytes.Lines(text) {
		var event eventLine
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // is being written
		}
		if err := json.Unmarshal(line, &event); err != nil || event.Format != "provision.event/1" {
			t.Fatalf("%v in %q", err, line)
		}
		events = append(events, event)
	}
	return events
}

// runReport is the part of a report that the tests look at.
type runReport struct {
	Format  string
	Exit    int
	Summary struct{ Hosts, Changed, Failed, OK, Skipped int }
	Hosts   []struct{ Host, State, Error string }
}

func readReport(t *testing.T, path string) (report runReport) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	return report
}

func TestReport_TellsOfARunThatIsInterrupted(t *testing.T) {
	s := cluster(t)
	release := s.hold(t, "master", "kube-scheduler")
	s.sh(t, "master", "echo '# by hand' >>/etc/kubernetes/scheduler")
	folder := t.TempDir()
	data, page, told := filepath.Join(folder, "run.json"), filepath.Join(folder, "run.html"), filepath.Join(folder, "events")
	stderr, err := os.Create(told)
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	run := exec.Command(s.binary, "-i", s.inventory, "--yes", "--report", data, "--report", page, "--log-format", "json")
	run.Stderr = stderr
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = run.Process.Kill() })
	eventually(t, time.Minute, "the run restarts the service", func() bool {
		for _, event := range readEvents(t, told) {
			if event.Event == "resource-begun" && event.Resource == "service kube-scheduler.service" {
				return true
			}
		}
		return false
	})
	if err := run.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = run.Wait()
	if code := run.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	report := readReport(t, data)
	if report.Format != "provision.run/1" || report.Exit != 130 || report.Summary.Failed != 1 || report.Hosts[0].State != "failed" {
		t.Errorf("got %+v", report)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "Interrupted: 1 of 4 hosts") {
		t.Errorf("the page does not tell of it: %v", err)
	}
	events := readEvents(t, told)
	if first, last := events[0], events[len(events)-1]; first.Event != "run-started" || last.Event != "run-ended" || last.Exit == nil || *last.Exit != 130 {
		t.Errorf("the events begin with %+v and end with %+v", first, last)
	}
	release()

	s.must(t, 0, "apply", "--skip-verify", "--report", data)
	if report := readReport(t, data); report.Exit != 0 || report.Summary.Changed != 1 || report.Summary.OK != 3 {
		t.Errorf("after it: %+v", report)
	}
	if planned := s.planned(t); len(planned) > 0 {
		t.Errorf("left: %q", planned)
	}
}
