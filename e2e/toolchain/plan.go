package main

import (
	"encoding/json"
	"fmt"

	"provision/e2e/toolchain/internal/recipe"
)

// A plan is everything that is to be there in the end.
type plan struct {
	root   string
	target recipe.Target
	jobs   []recipe.Job
	images []recipe.ImageJob
	key    string
}

func newPlan(root string, target recipe.Target, programs []recipe.Program, images []recipe.Image) (plan, error) {
	p := plan{root: root, target: target}
	var err error
	if p.jobs, err = recipe.Jobs(root, target, programs); err != nil {
		return plan{}, err
	}
	if p.images, err = recipe.ImageJobs(images, p.jobs); err != nil {
		return plan{}, err
	}
	keys := map[string]string{}
	for _, job := range p.jobs {
		keys[job.Name] = job.Key
	}
	for _, image := range p.images {
		keys[image.Name] = image.Key
	}
	p.key = recipe.SetKey(keys)
	return p, nil
}

// published are the names in the output directory, without the sums and versions.
func (p plan) published() []string {
	var names []string
	for _, job := range p.jobs {
		if !job.Private {
			names = append(names, job.Name)
		}
	}
	for _, image := range p.images {
		names = append(names, image.Name)
	}
	return names
}

// lanes are the jobs by component, in order. Programs of one component share
// most packages: built one after the other they compile each once.
func (p plan) lanes(wanted map[string]bool) [][]recipe.Job {
	var lanes [][]recipe.Job
	index := map[string]int{}
	for _, job := range p.jobs {
		if !wanted[job.Name] {
			continue
		}
		i, ok := index[job.Component]
		if !ok {
			i = len(lanes)
			index[job.Component] = i
			lanes = append(lanes, nil)
		}
		lanes[i] = append(lanes[i], job)
	}
	return lanes
}

// version is an entry of versions.json.
type version struct {
	Version string `json:"version"`
	Module  string `json:"module"`
	// Tag is an image's name in its archive.
	Tag string `json:"tag,omitempty"`
}

// versions is the text of versions.json.
func (p plan) versions() ([]byte, error) {
	all := map[string]version{}
	for _, job := range p.jobs {
		if !job.Private {
			all[job.Name] = version{Version: job.Version, Module: job.Module}
		}
	}
	for _, image := range p.images {
		all[image.Name] = version{Version: image.Job.Version, Module: image.Job.Module, Tag: image.Tag}
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	return append(text, '\n'), nil
}
