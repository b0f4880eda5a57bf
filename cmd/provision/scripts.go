package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"provision/pkg/converge"
	"provision/pkg/remote"
)

// loggedConnection logs, for --debug, what the scripts do that run on a host:
// each operation with what it is done to, and never contents. The engine keeps
// the input of its scripts from every log; this shows of it only what is known
// to be no secret.
type loggedConnection struct {
	converge.Connection
	host string
	log  *slog.Logger
}

// logged wraps connections.
func logged(connections map[string]converge.Connection, log *slog.Logger) map[string]converge.Connection {
	wrapped := make(map[string]converge.Connection, len(connections))
	for host, connection := range connections {
		wrapped[host] = &loggedConnection{connection, host, log.With("host", host)}
	}
	return wrapped
}

// Run logs the operations of the engine's scripts before it runs them.
func (c *loggedConnection) Run(ctx context.Context, command remote.Command) (remote.Result, error) {
	if !strings.HasPrefix(command.Name, "apply ") || command.Stdin == nil {
		return c.Connection.Run(ctx, command)
	}
	input, err := io.ReadAll(command.Stdin)
	if err != nil {
		return remote.Result{}, fmt.Errorf("read the operations of %s: %w", command.Name, err)
	}
	command.Stdin = bytes.NewReader(input)
	for _, operation := range shownOperations(string(input)) {
		c.log.DebugContext(ctx, "operation", "script", command.Name, "does", operation)
	}
	return c.Connection.Run(ctx, command)
}

// shownArguments is how many arguments of an operation are shown: paths, modes,
// owners, names. What follows are contents, sums and the like; of an operation
// that is not listed nothing is shown but its name.
func shownArguments(verb string) int {
	switch verb {
	case "begin", "guarded", "remove", "module", "unit-load", "unit-enable", "unit-restart", "unit-stop":
		return 1
	case "sysctl":
		return 2
	case "write", "attributes", "directory", "install":
		return 4
	case "package", "wait":
		return 1000
	}
	return 0
}

// shownOperations reads what apply.sh is told to do: a verb, a number, and as
// many arguments, a line each.
func shownOperations(input string) []string {
	lines := strings.Split(strings.TrimSuffix(input, "\n"), "\n")
	var operations []string
	for len(lines) >= 2 {
		verb := lines[0]
		n, err := strconv.Atoi(lines[1])
		if err != nil || n < 0 || n > len(lines)-2 {
			break
		}
		arguments := lines[2 : 2+n]
		lines = lines[2+n:]
		operations = append(operations, shownOperation(verb, arguments))
	}
	return operations
}

func shownOperation(verb string, arguments []string) string {
	shown := min(shownArguments(verb), len(arguments))
	words := append([]string{verb}, arguments[:shown]...)
	if verb == "run" && len(arguments) > 2 { // seconds, what it reads, and the command
		words = append(words, arguments[2:]...)
		arguments = arguments[:2]
	}
	hidden := 0
	for _, argument := range arguments[shown:] {
		hidden += len(argument)
	}
	if hidden > 0 {
		words = append(words, fmt.Sprintf("(%d bytes not shown)", hidden))
	}
	return strings.Join(words, " ")
}
