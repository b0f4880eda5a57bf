package converge

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"provision/pkg/resource"
)

//go:embed journal.sh
var journalScript string

//go:embed apply.sh
var operationsScript string

// applyScript is what runs on a host.
var applyScript = journalScript + operationsScript //nolint:gochecknoglobals // as embedded

// script gathers the operations that one command brings about on a host.
type script struct {
	ops []resource.Op
}

// newScript begins with the proof that the run still holds the host's lock, and
// with its journal. A run without a name keeps none.
func newScript(by Run) *script {
	s := &script{ops: []resource.Op{{Verb: "guarded", Args: []string{by.ID}}}}
	if about, err := json.Marshal(by); err == nil && by.ID != "" {
		s.ops = append(s.ops, resource.Op{Verb: "journal", Args: []string{by.ID, string(about)}})
	}
	return s
}

// stage begins what is put back as one.
func (s *script) stage(name string) {
	s.ops = append(s.ops, resource.Op{Verb: "stage", Args: []string{name}})
}

// add appends a change's operations. Packages that follow each other are
// installed together: a package manager takes its time each time it is called.
func (s *script) add(change Change, ops []resource.Op) {
	begin := resource.Op{Verb: "begin", Args: []string{change.Resource.String(), string(change.Action), string(change.Cause)}}
	if change.stays() {
		begin.Args = append(begin.Args, "stays")
	}
	s.ops = append(s.ops, begin)
	for _, op := range ops {
		if previous := s.lastPackage(); op.Verb == "package" && previous != nil && previous.Args[0] == op.Args[0] {
			previous.Args = append(previous.Args, op.Args[1:]...)
			continue
		}
		s.ops = append(s.ops, op)
	}
}

// lastPackage is the package operation that only resources which were begun
// follow.
func (s *script) lastPackage() *resource.Op {
	for i := len(s.ops) - 1; i >= 0; i-- {
		switch s.ops[i].Verb {
		case "begin":
		case "package":
			return &s.ops[i]
		default:
			return nil
		}
	}
	return nil
}

func (s *script) record(record *Record) error {
	op, err := record.op()
	if err != nil {
		return err
	}
	s.ops = append(s.ops, op)
	return nil
}

// reader is the script in the form that apply.sh reads. An argument that is not
// one line would be taken for operations.
func (s *script) reader() (io.Reader, error) {
	var out bytes.Buffer
	for _, op := range append(slices.Clone(s.ops), resource.Op{Verb: "end"}) {
		fmt.Fprintf(&out, "%s\n%s\n", op.Verb, strconv.Itoa(len(op.Args)))
		for i, arg := range op.Args {
			if !oneLine(arg) {
				return nil, fmt.Errorf("argument %d of operation %s is not one line", i+1, op.Verb)
			}
			out.WriteString(arg)
			out.WriteByte('\n')
		}
	}
	return &out, nil
}

// follower reads what apply.sh prints while it runs.
type follower struct {
	begun func(resource.ID)
	// last is the resource begun last, ended whether the script came to its
	// end.
	last  resource.ID
	ended bool
	// count is how many resources were begun.
	count int
	// sick is a unit that ran before and does not any more; back and down are
	// those that run again with their old files, and that don't.
	sick       string
	back, down []string
	line       []byte
}

// longestLine is more than the name of any resource takes. A host that prints
// without end fills no memory.
const longestLine = 64 << 10

// Write takes output in any pieces.
func (f *follower) Write(output []byte) (int, error) {
	f.line = append(f.line, output...)
	for {
		line, rest, found := bytes.Cut(f.line, []byte("\n"))
		if !found {
			f.line = f.line[:min(len(f.line), longestLine)]
			return len(output), nil
		}
		f.line = rest
		text := string(line)
		if text == "end" {
			f.ended = true
			continue
		}
		word, name, _ := strings.Cut(text, " ")
		switch word {
		case "begin":
			if id, err := resource.ParseID(name); err == nil {
				f.last = id
				f.count++
				f.begun(id)
			}
		case "sick":
			f.sick = name
		case "back":
			f.back = append(f.back, name)
		case "down":
			f.down = append(f.down, name)
		}
	}
}
