package converge

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"provision/pkg/resource"
)

//go:embed apply.sh
var applyScript string

// script gathers the operations that one command brings about on a host.
type script struct {
	ops []resource.Op
}

// newScript begins with the proof that the run still holds the host's lock.
func newScript(by Run) *script {
	return &script{ops: []resource.Op{{Verb: "guarded", Args: []string{by.ID}}}}
}

// add appends a resource's operations. Packages that follow each other are
// installed together: a package manager takes its time each time it is called.
func (s *script) add(id resource.ID, ops []resource.Op) {
	s.ops = append(s.ops, resource.Op{Verb: "begin", Args: []string{id.String()}})
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
	line  []byte
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
		name, ok := strings.CutPrefix(text, "begin ")
		if !ok {
			continue
		}
		if id, err := resource.ParseID(name); err == nil {
			f.last = id
			f.begun(id)
		}
	}
}
