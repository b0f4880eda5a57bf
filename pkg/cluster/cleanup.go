package cluster

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// leftoverAge is when a namespace of an earlier verification, one that was
// killed, is removed.
const leftoverAge = 10 * time.Minute

// cleanup removes the workload, also after an interrupt, and what an earlier
// verification left that was killed.
func (v *verifier) cleanup(ctx context.Context, space *namespace) Check {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	return v.check("cleanup", "", "kubectl delete namespace "+space.name, func() (string, error) {
		if err := v.remove(ctx, space.name); err != nil {
			return "", err
		}
		var all list[struct {
			Metadata meta `json:"metadata"`
		}]
		if err := v.api.do(ctx, http.MethodGet, "/api/v1/namespaces", nil, &all); err != nil {
			return "", err
		}
		detail := "the workload is removed"
		// The API's clock counts: the operator's may be wrong.
		now := space.created
		if now.IsZero() {
			now = time.Now()
		}
		for _, found := range all.Items {
			name, created := found.Metadata.Name, found.Metadata.CreationTimestamp
			if !strings.HasPrefix(name, namespacePrefix) || created == nil || now.Sub(*created) < leftoverAge {
				continue
			}
			if err := v.remove(ctx, name); err != nil {
				return "", err
			}
			detail += ", and " + name + ", left by an earlier verification"
		}
		return detail, nil
	})
}

// remove deletes a namespace, if it is there and is not being deleted already.
func (v *verifier) remove(ctx context.Context, name string) error {
	err := v.api.do(ctx, http.MethodDelete, "/api/v1/namespaces/"+name, nil, nil)
	if hasStatus(err, http.StatusNotFound) || hasStatus(err, http.StatusConflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove namespace %s: %w", name, err)
	}
	return nil
}
