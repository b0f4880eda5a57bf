package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"provision/pkg/converge"
	"provision/pkg/report"
)

// planFileFormat names the format of plan files.
const planFileFormat = "provision.planfile/1"

// planSuffix is what a plan file's name ends with.
const planSuffix = ".plan"

// planFile is a plan to be applied later, as it was shown. It holds no secrets
// and not what is to be written: that comes from the same inventory again, and
// has to lead to the same plan.
type planFile struct {
	Format    string    `json:"format"`
	Time      time.Time `json:"time"`
	By        string    `json:"by"`
	Version   string    `json:"version"`
	Inventory string    `json:"inventory"` // SHA-256 of its text
	Selection selection `json:"selection"`
	// Plan is what plan -o json prints.
	Plan json.RawMessage `json:"plan"`
}

// writePlanFile saves a plan.
func writePlanFile(name string, plan *converge.Plan, declared *declared) error {
	document, err := report.PlanJSON(plan)
	if err != nil {
		return err
	}
	text, err := json.Marshal(planFile{
		Format: planFileFormat, Time: time.Now().UTC().Truncate(time.Second), By: operator(), Version: version,
		Inventory: declared.sum, Selection: declared.selection, Plan: document,
	})
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	if err := os.WriteFile(name, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

func readPlanFile(name string) (*planFile, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, usageError(fmt.Errorf("read plan: %w", err))
	}
	var file planFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, usageError(fmt.Errorf("%s is no plan: %w; `provision plan -o FILE%s` writes one", name, err, planSuffix))
	}
	if file.Format != planFileFormat {
		return nil, usageError(fmt.Errorf("%s is no plan of this provision: its format is %q, not %s", name, file.Format, planFileFormat))
	}
	return &file, nil
}

// errPlanMoved is that what was planned is not what would be done now.
var errPlanMoved = errors.New("the plan no longer holds")

// holds tells whether the plan of now is the one in the file.
func (p *planFile) holds(plan *converge.Plan, declared *declared) error {
	if p.Inventory != declared.sum {
		return fmt.Errorf("%w: the inventory has changed since %s; plan again", errPlanMoved, p.Time.Format(time.DateTime))
	}
	now, err := report.PlanJSON(plan)
	if err != nil {
		return err
	}
	moved, err := movedHosts(p.Plan, now)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w; plan again", errPlanMoved, err)
	case len(moved) > 0:
		return fmt.Errorf("%w: other changes than those of %s are due on %s; plan again", errPlanMoved, p.Time.Format(time.DateTime), strings.Join(moved, ", "))
	}
	return nil
}

// movedHosts are the hosts of which two plans say different things.
func movedHosts(before, now []byte) ([]string, error) {
	planned, err := hostPlans(before)
	if err != nil {
		return nil, err
	}
	due, err := hostPlans(now)
	if err != nil {
		return nil, err
	}
	var moved []string
	for name, plan := range due {
		if !bytes.Equal(planned[name], plan) {
			moved = append(moved, name)
		}
	}
	for name := range planned {
		if _, there := due[name]; !there {
			moved = append(moved, name)
		}
	}
	slices.Sort(moved)
	return moved, nil
}

// hostPlans are the parts of a plan, by host and without white space.
func hostPlans(document []byte) (map[string][]byte, error) {
	var plan struct {
		Hosts []json.RawMessage `json:"hosts"`
	}
	if err := json.Unmarshal(document, &plan); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	parts := map[string][]byte{}
	for _, host := range plan.Hosts {
		var name struct {
			Host string `json:"host"`
		}
		var text bytes.Buffer
		if err := errors.Join(json.Unmarshal(host, &name), json.Compact(&text, host)); err != nil {
			return nil, fmt.Errorf("read plan: %w", err)
		}
		parts[name.Host] = text.Bytes()
	}
	return parts, nil
}
