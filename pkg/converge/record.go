package converge

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"provision/pkg/resource"
)

// recordVersion is the version of the record's format.
const recordVersion = 1

// Record is what a host remembers of the last run that changed it. It holds
// sums and attributes, never a secret.
type Record struct {
	Version int `json:"version"`
	// Run identifies the run that wrote the record.
	Run Run `json:"run"`
	// Resources holds the state that was applied, by resource.ID.String.
	Resources map[string]resource.State `json:"resources"`
	// Places are what is to be removed when a resource is no longer declared
	// (resource.Places). What has none is only forgotten then.
	Places map[string][]string `json:"places,omitempty"`
}

// Run says which run it was.
type Run struct {
	ID string `json:"id"`
	// By is user@machine of who ran it.
	By   string    `json:"by"`
	Time time.Time `json:"time"`
	// Inventory is the SHA-256 of the inventory file.
	Inventory string `json:"inventory"`
}

// parseRecord reads a host's record. A host without one is a new host.
func parseRecord(text string) (*Record, error) {
	record := &Record{Resources: map[string]resource.State{}}
	if text == "" {
		return record, nil
	}
	if err := json.Unmarshal([]byte(text), record); err != nil {
		return nil, fmt.Errorf("read /var/lib/provision/record.json: %w; if it is damaged, remove it: the next run writes it anew", err)
	}
	if record.Version != recordVersion {
		return nil, fmt.Errorf("/var/lib/provision/record.json has version %d, this provision knows version %d: use the provision that wrote it, or a newer one", record.Version, recordVersion)
	}
	if record.Resources == nil { // a host may answer anything
		record.Resources = map[string]resource.State{}
	}
	return record, nil
}

// Last is what was last applied to a resource, nil when never.
func (r *Record) Last(id resource.ID) resource.State {
	if r == nil {
		return nil
	}
	return r.Resources[id.String()]
}

// next starts the record that a run writes, from this one.
func (r *Record) next(run Run) *Record {
	next := &Record{Version: recordVersion, Run: run, Resources: maps.Clone(r.Resources), Places: maps.Clone(r.Places)}
	if next.Places == nil {
		next.Places = map[string][]string{}
	}
	return next
}

// op writes the record on its host.
func (r *Record) op() (resource.Op, error) {
	content, err := json.Marshal(r)
	if err != nil {
		return resource.Op{}, fmt.Errorf("write record: %w", err)
	}
	return resource.RecordOp(content), nil
}
