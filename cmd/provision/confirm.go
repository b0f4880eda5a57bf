package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"provision/pkg/converge"
)

// disturbance counts the running services that a plan stops or restarts, and
// the hosts that they run on.
func disturbance(plan *converge.Plan) (services, hosts int) {
	for _, host := range plan.Hosts {
		before := services
		for _, change := range host.Changes() {
			if change.Disturbing() {
				services++
			}
		}
		if services > before {
			hosts++
		}
	}
	return services, hosts
}

// errDeclined is the operator's no.
var errDeclined = errors.New("nothing was changed: you said no")

// confirm asks before running services are disturbed. Where nobody can be asked,
// that has to have been said before.
func (f *flags) confirm(ctx context.Context, plan *converge.Plan, terminal func() (*os.File, error)) error {
	services, hosts := disturbance(plan)
	if services == 0 {
		return nil
	}
	question := fmt.Sprintf("%s on %s would be restarted or stopped", counted(services, "running service"), counted(hosts, "host"))
	tty, err := terminal()
	if err != nil {
		return usageError(fmt.Errorf("%s: say --yes to agree, or --no-restart to do the rest; nothing was changed", question))
	}
	defer tty.Close()
	fmt.Fprintf(tty, "%s. Go on? [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // ends with the line, or with the terminal
		line, _ := bufio.NewReader(tty).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case line := <-answer:
		if line == "y" || line == "yes" {
			return nil
		}
		return errDeclined
	case <-ctx.Done():
		return &exitStatus{code: exitInterrupted}
	}
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
