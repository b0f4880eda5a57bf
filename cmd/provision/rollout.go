package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"provision/pkg/converge"
)

// rollout is how many hosts a run may disturb at once, and how many may fail.
type rollout struct {
	maxUnavailable string
	maxFail        int
	serial         bool

	limit converge.Limit
}

func (r *rollout) addFlags(command *cobra.Command) {
	command.Flags().StringVar(&r.maxUnavailable, "max-unavailable", "", "how many `hosts` of a stage may restart what runs at the same time: a number, or a share as in 25% (default 1 or 10%, whichever is more)")
	command.Flags().BoolVar(&r.serial, "serial", false, "one host at a time restarts what runs, as --max-unavailable 1")
	command.Flags().IntVar(&r.maxFail, "max-fail", 0, "begin no other host once this `number` of hosts has failed (default no limit)")
}

// parse reads what the flags say.
func (r *rollout) parse() error {
	switch {
	case r.maxFail < 0:
		return usageError(fmt.Errorf("--max-fail %d: write 1 or more, or 0 for no limit", r.maxFail))
	case r.serial && r.maxUnavailable != "":
		return usageError(errors.New("--serial and --max-unavailable: write only one of them"))
	case r.serial:
		r.limit = converge.Limit{Number: 1}
	case r.maxUnavailable != "":
		limit, err := converge.ParseLimit(r.maxUnavailable)
		if err != nil {
			return usageError(fmt.Errorf("--max-unavailable: %w", err))
		}
		r.limit = limit
	}
	return nil
}
