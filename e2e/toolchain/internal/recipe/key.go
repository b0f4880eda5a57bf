package recipe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sort"
	"strings"
)

// A Target is the machine to build for and the Go to build with; it is part of
// every key.
type Target struct {
	GoVersion string
	OS, Arch  string
}

// A Job is a program with its version looked up and its key computed.
type Job struct {
	Program
	// LinkerFlags are the whole -ldflags, placeholders filled in.
	LinkerFlags string
	// Key changes when, and only when, the binary may.
	Key string
}

// keyFormat is counted up when the way of building changes in a manner that no
// recipe shows.
const keyFormat = "1"

// Jobs looks up every program's version below root, the toolchain's folder.
func Jobs(root string, target Target, programs []Program) ([]Job, error) {
	pins := map[string]Pin{}
	jobs := make([]Job, 0, len(programs))
	for _, p := range programs {
		pin, ok := pins[p.Component]
		if !ok {
			var err error
			if pin, err = pinOf(root, p); err != nil {
				return nil, err
			}
			if p.Component != "." {
				pins[p.Component] = pin
			}
		}
		job, err := newJob(p, pin, target)
		if err != nil {
			return nil, fmt.Errorf("recipe of %s: %w", p.Name, err)
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// pinOf is the component's go.mod or, for a program of our own (standard
// library only), just its source.
func pinOf(root string, p Program) (Pin, error) {
	if p.Component != "." {
		return ReadPin(filepath.Join(root, p.Component))
	}
	facts, err := sourceFacts(filepath.Join(root, p.Package))
	return Pin{Facts: facts}, err
}

func newJob(p Program, pin Pin, target Target) (Job, error) {
	if p.Version == "" {
		p.Version = pin.Versions[p.Module]
	}
	if p.Version == "" {
		return Job{}, fmt.Errorf("%s/go.mod doesn't require %s", p.Component, p.Module)
	}
	flags, err := linkerFlags(p, pin)
	if err != nil {
		return Job{}, err
	}
	return Job{Program: p, LinkerFlags: flags, Key: hash(
		"format "+keyFormat,
		"target "+target.GoVersion+" "+target.OS+" "+target.Arch,
		"package "+p.Package+" "+p.Version,
		fmt.Sprintf("cgo %t tags %q needs %q", p.Cgo, p.Tags, p.Needs),
		"link "+flags,
		strings.Join(pin.Facts, "\n"),
	)}, nil
}

func linkerFlags(p Program, pin Pin) (string, error) {
	flags := []string{"-s", "-w"}
	if p.Cgo {
		flags = append(flags, "-linkmode=external", "-extldflags=-static")
	}
	bare := strings.TrimPrefix(p.Version, "v")
	parts := append(strings.SplitN(bare, ".", 3), "", "")
	fill := []string{"{version}", p.Version, "{bare}", bare, "{major}", parts[0], "{minor}", parts[1]}
	if strings.Contains(strings.Join(p.Variables, " "), "{sum}") {
		sum, err := pin.sumHex(p.Module, p.Version)
		if err != nil {
			return "", err
		}
		fill = append(fill, "{sum}", sum)
	}
	for _, v := range p.Variables {
		flags = append(flags, "-X="+strings.NewReplacer(fill...).Replace(v))
	}
	return strings.Join(flags, " "), nil
}

// An ImageJob is an image with the program that goes into it and its key.
type ImageJob struct {
	Image
	Job Job
	Key string
}

// ImageJobs finds every image's program among jobs.
func ImageJobs(images []Image, jobs []Job) ([]ImageJob, error) {
	var out []ImageJob
	for _, image := range images {
		job, ok := findJob(jobs, image.Program)
		if !ok {
			return nil, fmt.Errorf("image %s: no program %q", image.Name, image.Program)
		}
		image.Tag = strings.ReplaceAll(image.Tag, "{version}", job.Version)
		spec, err := json.Marshal(image)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", image.Name, err)
		}
		out = append(out, ImageJob{Image: image, Job: job, Key: hash("format "+keyFormat, string(spec), job.Key)})
	}
	return out, nil
}

func findJob(jobs []Job, name string) (Job, bool) {
	for _, j := range jobs {
		if j.Name == name {
			return j, true
		}
	}
	return Job{}, false
}

// SetKey is the key of a whole output directory, from its artifacts' keys by
// name.
func SetKey(keys map[string]string) string {
	lines := make([]string, 0, len(keys))
	for name, key := range keys {
		lines = append(lines, name+" "+key)
	}
	sort.Strings(lines)
	return hash(append([]string{"format " + keyFormat}, lines...)...)
}

// hash is short enough for a folder's name and long enough not to collide.
func hash(lines ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:])[:20]
}
