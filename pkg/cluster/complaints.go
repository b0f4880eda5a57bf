package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// maxEvents bounds the events that are shown of a workload that does not run.
const maxEvents = 4

// complaints is what the cluster says about a workload that does not run: why
// its controller makes no pods, and its last warnings.
func (v *verifier) complaints(ctx context.Context, space *namespace) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	var errs []error
	var controller controllerStatus
	if err := v.api.do(ctx, http.MethodGet, space.path()+"/replicationcontrollers/web", nil, &controller); err == nil {
		for _, condition := range controller.Status.Conditions {
			if condition.Type == "ReplicaFailure" && condition.Status == "True" {
				errs = append(errs, fmt.Errorf("no pods are made: %s", condition.Message))
			}
		}
	}
	var events list[event]
	if err := v.api.do(ctx, http.MethodGet, space.path()+"/events", nil, &events); err == nil {
		errs = append(errs, warnings(events.Items)...)
	}
	return errors.Join(errs...)
}

// warnings are the last events that warn, each once, the newest last.
func warnings(events []event) []error {
	slices.SortStableFunc(events, func(a, b event) int { return b.last().Compare(a.last()) })
	said := map[string]bool{}
	var errs []error
	for _, e := range events {
		text := e.Reason + ": " + e.Message
		if e.Type != "Warning" || said[text] || len(errs) == maxEvents {
			continue
		}
		said[text] = true
		errs = append(errs, fmt.Errorf("event of %s: %s", cmp.Or(e.InvolvedObject.Name, "the workload"), text))
	}
	slices.Reverse(errs)
	return errs
}
