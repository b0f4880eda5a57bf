package blueprint

import (
	"errors"
	"fmt"
	"path"

	"provision/pkg/resource"
)

// linkServices resolves what services use to resources of their host, and gives
// each the identity of its inputs. A service can only use what stands before
// it: it would run with something else than what is recorded.
func linkServices(host resource.Host, uses map[resource.ID][]string) error {
	links := links{place: map[resource.ID]int{}, byName: map[string][]resource.Resource{}}
	for i, r := range host.Resources() {
		links.place[r.ID()] = i
		if _, ok := r.(resource.Service); !ok {
			links.byName[r.ID().Name] = append(links.byName[r.ID().Name], r)
		}
	}
	for _, stage := range host.Stages {
		for i, r := range stage.Resources {
			if service, ok := r.(resource.Service); ok {
				stage.Resources[i] = links.link(service, uses[service.ID()])
			}
		}
	}
	return errors.Join(links.errs...)
}

// links finds resources of a host, services left out, and collects errors.
type links struct {
	place  map[resource.ID]int
	byName map[string][]resource.Resource
	errs   []error
}

func (l *links) link(service resource.Service, uses []string) resource.Service {
	used := l.unitFiles(service.Unit)
	for _, name := range uses {
		switch found := l.byName[name]; len(found) {
		case 0:
			l.errs = append(l.errs, fmt.Errorf("%s uses %s, which the host does not have", service.ID(), name))
		case 1:
			used = append(used, found[0])
		default:
			l.errs = append(l.errs, fmt.Errorf("%s uses %s, which is the name of both %s and %s", service.ID(), name, found[0].ID(), found[1].ID()))
		}
	}
	linked := service.Using(used)
	for _, id := range linked.Uses {
		if l.place[id] > l.place[service.ID()] {
			l.errs = append(l.errs, fmt.Errorf("%s uses %s, which stands after it", service.ID(), id))
		}
	}
	return linked
}

// unitFiles are the files that systemd reads a unit from.
func (l *links) unitFiles(unit string) []resource.Resource {
	var files []resource.Resource
	for name, found := range l.byName {
		if path.IsAbs(name) && (path.Base(name) == unit || path.Base(path.Dir(name)) == unit+".d") {
			files = append(files, found...)
		}
	}
	return files
}
