package converge

import (
	"context"
	"sync"

	"provision/pkg/resource"
)

// Observe looks at every host once, all at the same time. A host without a
// connection keeps the error given for it.
func Observe(ctx context.Context, desired []resource.Host, hosts map[string]Connection, unreachable map[string]error) map[string]Observation {
	observed := make(map[string]Observation, len(desired))
	var mutex sync.Mutex
	var group sync.WaitGroup
	for _, host := range desired {
		if err := unreachable[host.Name]; err != nil {
			mutex.Lock()
			observed[host.Name] = Observation{Err: err}
			mutex.Unlock()
			continue
		}
		group.Go(func() {
			observation, err := probe(ctx, hosts[host.Name], resource.NewQuestions(host.Resources()))
			if err != nil {
				observation = Observation{Err: err}
			}
			mutex.Lock()
			defer mutex.Unlock()
			observed[host.Name] = observation
		})
	}
	group.Wait()
	return observed
}
