package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"provision/pkg/blueprint"
	"provision/pkg/remote"
)

// standIn answers as a host would.
type standIn struct {
	answer string
	err    error
	sftp   error
	frozen bool
	execs  atomic.Int32
}

func (s *standIn) Run(ctx context.Context, command remote.Command) (remote.Result, error) {
	s.execs.Add(1)
	if !command.Privileged {
		return remote.Result{}, errors.New("not as root")
	}
	if s.frozen {
		<-ctx.Done()
		return remote.Result{}, &remote.CommandError{Host: "h", Command: command.String(), Status: -1, Err: context.Cause(ctx)}
	}
	for _, part := range strings.SplitAfter(s.answer, "\n") {
		if _, err := command.Stdout.Write([]byte(part)); err != nil {
			return remote.Result{}, err
		}
	}
	return remote.Result{}, s.err
}

func (s *standIn) CheckSFTP(ctx context.Context) error {
	if s.frozen {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return s.sftp
}

// examineOne examines one host, with no requirements.
func examineOne(host *standIn, unreachable error) Result {
	connections := map[string]Connection{}
	if host != nil {
		connections["h"] = host
	}
	return Examine(context.Background(), []blueprint.Requirements{{Host: "h"}}, connections, map[string]error{"h": unreachable}).Hosts[0]
}

func TestExamine_AsksOnce(t *testing.T) {
	host := &standIn{answer: wholeAnswer}
	result := examineOne(host, nil)
	if host.execs.Load() != 1 || !result.Reached {
		t.Errorf("%d execs, %+v", host.execs.Load(), result)
	}
	for _, check := range Checks() {
		if level := result.Level(check); level == Unchecked {
			t.Errorf("%s was not checked", check)
		}
	}
}

func TestExamine_SaysWhereItEnded(t *testing.T) {
	refused := &remote.AuthError{User: "ops", Offered: []string{"a key"}}
	unknown := &remote.HostKeyError{Type: "ssh-ed25519", Fingerprint: "SHA256:x", File: "known_hosts"}
	tests := map[string]struct {
		host        *standIn
		unreachable error
		check       string
		level       Level
		found, next string
		reached     bool
	}{
		"no route":      {nil, fmt.Errorf("connect to h: %w", &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}), CheckReach, Failure, "no route to host", "start the host", false},
		"no answer":     {nil, fmt.Errorf("connect to h: %w", context.DeadlineExceeded), CheckReach, Failure, "deadline exceeded", "start the host", false},
		"no key file":   {nil, &fs.PathError{Op: "open", Path: "key", Err: fs.ErrNotExist}, CheckAuth, Failure, "open key", "ssh.identityFile", false},
		"locked key":    {nil, errors.New("the key is protected: load it"), CheckReach, Failure, "load it", "", false},
		"login refused": {nil, fmt.Errorf("connect: %w", refused), CheckAuth, Failure, "refused the login of ops\n  offered: a key", "add one of these keys", false},
		"host key":      {nil, fmt.Errorf("connect: %w", unknown), CheckAuth, Failure, "has no key for it", "ssh-keyscan", false},
		"no sudo": {
			&standIn{err: &remote.CommandError{Status: 1, Stderr: "sudo: a password is required", Hint: "allow it without"}},
			nil, CheckRoot, Failure, "sudo: a password is required", "allow it without", true,
		},
		"no shell":      {&standIn{err: &remote.CommandError{Status: 1, Stdout: "not available"}}, nil, CheckShell, Failure, "exit status 1: not available", "echo works", true},
		"killed":        {&standIn{err: &remote.CommandError{Status: -1, Signal: "KILL"}}, nil, CheckShell, Failure, "killed by signal KILL", "echo works", true},
		"talks instead": {&standIn{answer: "Hello\n"}, nil, CheckShell, Failure, `it printed "Hello\n"`, "echo works", true},
		"too much":      {&standIn{answer: strings.Repeat("x", mostAnswer+1)}, nil, CheckShell, Failure, "more than", "echo works", true},
		"no SFTP":       {&standIn{answer: wholeAnswer, sftp: errors.New("sshd has no SFTP")}, nil, CheckSFTP, Warning, "sshd has no SFTP", "internal-sftp", true},
		"greets":        {&standIn{answer: "Hi\n" + wholeAnswer}, nil, CheckShell, Warning, `"Hi\n"`, ".bashrc", true},
		"lost": {
			&standIn{err: &remote.CommandError{Status: -1, Err: errors.New("the host ended the connection")}},
			nil, CheckReach, Failure, "the host ended the connection", "", false,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			result := examineOne(tt.host, tt.unreachable)
			found := result.of(tt.check)
			f := found[len(found)-1]
			if f.Level != tt.level || !strings.Contains(f.Found, tt.found) || !strings.Contains(f.Next, tt.next) || result.Reached != tt.reached {
				t.Errorf("%+v", result)
			}
			if result.Level(tt.check) != tt.level {
				t.Errorf("%s is %s", tt.check, result.Level(tt.check))
			}
		})
	}
}

func TestExamine_AFrozenHostHoldsUpNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		e := Examine(t.Context(), []blueprint.Requirements{{Host: "a"}, {Host: "b"}},
			map[string]Connection{"a": &standIn{frozen: true}, "b": &standIn{answer: wholeAnswer}}, nil)
		if took := time.Since(start); took != Patience {
			t.Errorf("took %v", took)
		}
		if e.Hosts[0].Reached || !e.Hosts[1].Reached || e.Unreachable() != 1 {
			t.Errorf("%+v", e)
		}
		f := e.Hosts[0].of(CheckReach)
		if !strings.Contains(f[len(f)-1].Found, "no answer within 10s") || e.Hosts[0].Level(CheckPorts) != Unchecked {
			t.Errorf("%+v", e.Hosts[0])
		}
	})
}

func TestExamine_HostsOfAnotherArchitecture(t *testing.T) {
	answer := func(architecture string) *standIn {
		return &standIn{answer: strings.Replace(wholeAnswer, "cgroup 2", "architecture "+architecture, 1)}
	}
	e := Examine(t.Context(), []blueprint.Requirements{{Host: "down"}, {Host: "a"}, {Host: "b"}, {Host: "c"}},
		map[string]Connection{"a": answer("x86_64"), "b": answer("aarch64"), "c": answer("x86_64")}, nil)
	for i, want := range []bool{false, false, true, false} {
		got := false
		for _, f := range e.Hosts[i].of(CheckOS) {
			got = got || f.Subject == "architecture" && f.Found == "aarch64, but a is x86_64"
		}
		if got != want {
			t.Errorf("%+v", e.Hosts[i])
		}
	}
}

func TestEncode_RefusesWhatIsNotALine(t *testing.T) {
	for _, path := range []string{"/a\nb", "."} {
		if _, err := encode(blueprint.Requirements{Disk: []blueprint.Space{{Path: path}}}); err == nil {
			t.Errorf("%q is asked for", path)
		}
	}
}

func TestResult_TheWorstFindingCounts(t *testing.T) {
	result := Result{Reached: true, Findings: []Finding{{Check: CheckDisk, Level: Failure}, {Check: CheckDisk, Level: OK}, {Check: CheckOS, Level: Warning}}}
	result.complete()
	if result.Level(CheckDisk) != Failure || result.Level(CheckOS) != Warning || result.Level(CheckPorts) != Unchecked || result.Worst() != Failure {
		t.Errorf("%+v", result)
	}
	if len(result.Findings) != len(Checks())+1 || result.Findings[0].Check != CheckReach {
		t.Errorf("%+v", result.Findings)
	}
	e := Examination{Hosts: []Result{result, {}, {Reached: true}}}
	if e.Count(Failure) != 1 || e.Count(OK) != 1 || e.Unreachable() != 1 {
		t.Error(e.Count(Failure), e.Count(OK), e.Unreachable())
	}
}

func TestDocs_ListEveryCheck(t *testing.T) {
	text, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for _, check := range Checks() {
		at := strings.Index(string(text), "\n| `"+check+"` |")
		if at < last {
			t.Errorf("%s is not documented, or not in its place", check)
		}
		last = at
	}
}
