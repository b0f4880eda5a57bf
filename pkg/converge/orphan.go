package converge

import (
	"path"
	"slices"
	"strings"

	"provision/pkg/resource"
)

// The stages of what is no longer declared: units end before anything else
// happens, and files go when all else has been brought about.
const (
	retireStage = "retire"
	orphanStage = "orphans"
)

// orphan is a resource that the host remembers and that is no longer declared.
// The host isn't asked whether it is still there: removing it twice does no harm.
type orphan struct {
	id     resource.ID
	places []string
}

var _ resource.Resource = orphan{}

// ID is that of the resource.
func (o orphan) ID() resource.ID { return o.id }

// Validate finds nothing: what was made once can be named.
func (o orphan) Validate() error { return nil }

// Digest is that of what isn't there.
func (o orphan) Digest() string { return "" }

// Ask asks nothing.
func (o orphan) Ask(*resource.Questions) {}

// Want is nothing.
func (o orphan) Want(resource.View) resource.State { return nil }

// Have is what was last applied.
func (o orphan) Have(v resource.View) resource.State { return v.Last }

// Bring stops a unit, or removes files, and directories that are empty.
func (o orphan) Bring(resource.View, resource.Materials) (resource.Operations, error) {
	verb := "remove"
	switch o.id.Kind {
	case "service":
		verb = "unit-retire"
	case "directory":
		verb = "remove-directory"
	}
	var ops []resource.Op
	for _, place := range o.places {
		ops = append(ops, resource.Op{Verb: verb, Args: []string{place}})
	}
	return resource.Operations{Ops: ops}, nil
}

func (o orphan) change() Change {
	return Change{Resource: o.id, Action: ActionRemove, Cause: CauseOrphan, Differences: []resource.Difference{}, resource: o}
}

// planOrphans adds the removal of what the host's record has and the inventory
// no longer declares.
func (p *HostPlan) planOrphans(declared []resource.Resource) {
	if p.last == nil {
		return
	}
	wanted, kept := map[string]bool{}, []string{}
	for _, r := range declared {
		wanted[r.ID().String()] = true
		kept = append(kept, resource.Paths(r)...)
	}
	var units, files, directories []Change
	for name := range p.last.Resources {
		id, err := resource.ParseID(name)
		if wanted[name] || err != nil {
			continue
		}
		places := slices.DeleteFunc(slices.Clone(p.last.Places[name]), func(place string) bool { return inUse(id.Kind, place, kept) })
		if len(places) == 0 {
			p.forgotten = append(p.forgotten, name)
			continue
		}
		change := orphan{id: id, places: places}.change()
		switch id.Kind {
		case "service":
			units = append(units, change)
		case "directory":
			directories = append(directories, change)
		default:
			files = append(files, change)
		}
	}
	byName := func(a, b Change) int { return strings.Compare(a.Resource.String(), b.Resource.String()) }
	slices.SortFunc(units, byName)
	slices.SortFunc(files, byName)
	slices.SortFunc(directories, func(a, b Change) int { return byName(b, a) }) // what is in another one first
	if len(units) > 0 {
		p.Stages = append([]StagePlan{{Name: retireStage, Changes: units}}, p.Stages...)
	}
	if files = append(files, directories...); len(files) > 0 {
		p.Stages = append(p.Stages, StagePlan{Name: orphanStage, Changes: files})
	}
}

// inUse tells whether a place belongs to something that is still declared: a
// path under another kind, or a directory with declared files in it.
func inUse(kind, place string, kept []string) bool {
	return kind != "service" && slices.ContainsFunc(kept, func(other string) bool {
		return other == place || kind == "directory" && strings.HasPrefix(path.Dir(other)+"/", place+"/")
	})
}
