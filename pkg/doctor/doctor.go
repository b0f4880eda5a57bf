// Package doctor looks at hosts before and after they are provisioned and says
// what stands in the way, and what to do about it. It knows hosts and what is
// required of them; what Kubernetes needs stands in the template sets.
package doctor

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"provision/pkg/blueprint"
	"provision/pkg/remote"
)

//go:embed doctor.sh
var doctorScript string

// Connection is an open connection to one host.
type Connection interface {
	// Run runs a command on the host and waits for its end.
	Run(ctx context.Context, command remote.Command) (remote.Result, error)
	// CheckSFTP tells whether the host serves SFTP, and if not, why.
	CheckSFTP(ctx context.Context) error
}

// Patience is how long a host has to answer once it is connected.
const Patience = 10 * time.Second

// clock tells the time; the skew of a host is measured by it.
type clock func() time.Time

// Examine looks at all hosts at the same time, each with one command over its
// connection. unreachable says why there is none. A host that does not answer
// holds up no other.
func Examine(ctx context.Context, hosts []blueprint.Requirements, connections map[string]Connection, unreachable map[string]error) Examination {
	examination := Examination{Hosts: make([]Result, len(hosts))}
	architectures := make([]string, len(hosts))
	var work sync.WaitGroup
	for i, required := range hosts {
		work.Go(func() {
			connection := connections[required.Host]
			if connection == nil {
				examination.Hosts[i] = notConnected(required.Host, unreachable[required.Host])
				return
			}
			examination.Hosts[i], architectures[i] = examine(ctx, connection, required, time.Now)
		})
	}
	work.Wait()
	compareArchitectures(&examination, architectures)
	for i := range examination.Hosts {
		examination.Hosts[i].complete()
	}
	return examination
}

// notConnected tells a host that can't be reached from one that lets nobody in,
// and from a key that is not there to ask with.
func notConnected(host string, err error) Result {
	result := Result{Host: host}
	if err == nil {
		err = errors.New("there is no connection")
	}
	switch {
	case errors.As(err, new(*remote.AuthError)), errors.As(err, new(*remote.HostKeyError)):
		result.Findings = append(result.Findings, reached(), failure(CheckAuth, err))
	case errors.As(err, new(*fs.PathError)):
		finding := failure(CheckAuth, err)
		finding.Next = "write the path of a file that is there: ssh.identityFile and ssh.knownHosts of the inventory"
		result.Findings = append(result.Findings, finding)
	default:
		result.Findings = append(result.Findings, failure(CheckReach, err))
	}
	return result
}

// examine looks at one host and judges what it says.
func examine(ctx context.Context, connection Connection, required blueprint.Requirements, now clock) (result Result, architecture string) {
	ctx, cancel := context.WithTimeoutCause(ctx, Patience, fmt.Errorf("no answer within %v, the host may be frozen or overloaded: %w", Patience, context.DeadlineExceeded))
	defer cancel()
	result = Result{Host: required.Host, Findings: []Finding{{Check: CheckAuth, Level: OK, Found: "its host key is known, and the login accepted"}}}
	var sftp error
	var work sync.WaitGroup
	work.Go(func() { sftp = connection.CheckSFTP(ctx) })
	facts, err := ask(ctx, connection, required, now)
	work.Wait()
	// What the host refuses it has heard; what it doesn't finish it may not have.
	result.Reached = answered(err)
	if result.Reached {
		result.Findings = append(result.Findings, reached(), judgeSFTP(sftp))
	}
	if err != nil {
		result.Findings = append(result.Findings, notAnswered(err))
		return result, ""
	}
	result.Findings = append(result.Findings, judge(facts, required)...)
	return result, facts.System.Architecture
}

// reached is the finding that there is an SSH server.
func reached() Finding { return Finding{Check: CheckReach, Level: OK, Found: "an SSH server answers"} }

// ask runs the script on a host.
func ask(ctx context.Context, connection Connection, required blueprint.Requirements, now clock) (*Facts, error) {
	questions, err := encode(required)
	if err != nil {
		return nil, err
	}
	answer := &answer{now: now}
	sent := now()
	_, err = connection.Run(ctx, remote.Command{
		Name:       "doctor",
		Args:       []string{"/bin/sh", "-c", doctorScript},
		Stdin:      bytes.NewReader(questions),
		Stdout:     answer,
		Privileged: true,
	})
	if err != nil {
		return nil, err
	}
	facts, err := parse(answer.text.Bytes())
	if err != nil {
		return nil, err
	}
	facts.Clock.between(sent, answer.begun)
	return facts, nil
}

// mostAnswer bounds what a host may say.
const mostAnswer = 4 << 20

// answer is a script's output, and when its first line came.
type answer struct {
	now   clock
	text  bytes.Buffer
	begun time.Time
}

// Write implements io.Writer.
func (a *answer) Write(p []byte) (int, error) {
	if a.text.Len()+len(p) > mostAnswer {
		return 0, fmt.Errorf("the host answered more than %d bytes", mostAnswer)
	}
	a.text.Write(p)
	if a.begun.IsZero() && beginning(a.text.Bytes()) >= 0 {
		a.begun = a.now()
	}
	return len(p), nil
}

// answered tells whether a host said no rather than nothing.
func answered(err error) bool {
	var command *remote.CommandError
	return !errors.As(err, &command) || command.Err == nil
}
