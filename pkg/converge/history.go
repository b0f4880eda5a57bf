package converge

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"provision/pkg/remote"
	"provision/pkg/resource"
)

//go:embed history.sh
var historyScript string

// HostHistory is what a host remembers of the runs that changed it, the oldest
// first.
type HostHistory struct {
	Host string
	Runs []PastRun
	// Err tells why nothing is known: the host could not be reached or read.
	Err error

	// record is the host's present one, before the one that it had before the run
	// that was asked for.
	record, before *Record
	recordSum      string
}

// PastRun is a run that changed a host, from its journal there.
type PastRun struct {
	Run

	Changes []PastChange

	// paths are the files that the run changed, restarts the units that it
	// restarted or stopped and that ran before.
	paths, restarts []string
}

// PastChange is what a run did to a resource.
type PastChange struct {
	Stage    string
	Resource resource.ID
	Action   Action
	Cause    Cause
	// RolledBack tells that the run itself has put the stage back.
	RolledBack bool
}

// History looks at the journals of all hosts at the same time. Of the run with
// this id, it knows enough for a rollback.
func History(ctx context.Context, desired []resource.Host, hosts map[string]Connection, unreachable map[string]error, run string) []HostHistory {
	histories := make([]HostHistory, len(desired))
	var group sync.WaitGroup
	for i, host := range desired {
		histories[i].Host = host.Name
		if err := unreachable[host.Name]; err != nil {
			histories[i].Err = err
			continue
		}
		group.Go(func() {
			if err := histories[i].look(ctx, hosts[host.Name], run); err != nil {
				histories[i].Err = fmt.Errorf("look at the journals: %w", err)
			}
		})
	}
	group.Wait()
	return histories
}

// runPattern fits the names of runs: they are names of folders.
var runPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*$`)

func (h *HostHistory) look(ctx context.Context, host Connection, run string) error {
	if !runPattern.MatchString(run) {
		run = "-"
	}
	result, err := host.Run(ctx, remote.Command{
		Args: []string{"/bin/sh", "-c", historyScript, "history", run}, Name: "history", Privileged: true,
	})
	if err != nil {
		return err
	}
	parts, err := sections(result.Stdout)
	if err != nil {
		return err
	}
	if h.record, err = parseRecord(strings.Join(parts["record"], "\n")); err != nil {
		return err
	}
	if h.before, err = parseRecord(strings.Join(parts["before"], "\n")); err != nil {
		return err
	}
	h.recordSum, _, _ = strings.Cut(strings.Join(parts["record-sum"], ""), " ")
	for _, id := range parts["order"] {
		lines := parts["run "+id]
		if len(lines) == 0 {
			continue // it was cut short before it did anything
		}
		past := PastRun{}
		if err := json.Unmarshal([]byte(lines[0]), &past.Run); err != nil {
			return fmt.Errorf("read the journal of run %s: %w", id, err)
		}
		past.read(lines[1:])
		h.Runs = append(h.Runs, past)
	}
	return nil
}

// read reads a log; journal.sh says what its lines are.
func (p *PastRun) read(lines []string) {
	ran := map[string]bool{}
	stage, begun, paths, restarts := "", 0, 0, 0
	for _, line := range lines {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "stage":
			stage, begun, paths, restarts = rest, len(p.Changes), len(p.paths), len(p.restarts)
		case "did":
			if fields := strings.SplitN(rest, " ", 3); len(fields) == 3 {
				if id, err := resource.ParseID(fields[2]); err == nil {
					p.Changes = append(p.Changes, PastChange{Stage: stage, Resource: id, Action: Action(fields[0]), Cause: Cause(fields[1])})
				}
			}
		case "file", "absent", "attributes", "made", "directory", "sysctl":
			if at := strings.IndexByte(rest, '/'); at >= 0 {
				p.paths = append(p.paths, rest[at:])
			}
		case "unit":
			if fields := strings.Fields(rest); len(fields) == 3 {
				ran[fields[2]] = fields[0] == "active"
			}
		case "restarted", "stopped":
			if ran[rest] && !slices.Contains(p.restarts, rest) {
				p.restarts = append(p.restarts, rest)
			}
		case "reverted":
			for i := begun; i < len(p.Changes); i++ {
				p.Changes[i].RolledBack = true
			}
			p.paths, p.restarts = p.paths[:paths], p.restarts[:restarts]
		}
	}
}
