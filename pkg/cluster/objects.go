package cluster

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// The few objects of the Kubernetes API (v1) that are read, with the few fields
// of them: https://kubernetes.io/docs/reference/kubernetes-api/.

type meta struct {
	Name              string            `json:"name,omitempty"`
	Labels            map[string]string `json:"labels,omitempty"`
	CreationTimestamp *time.Time        `json:"creationTimestamp,omitempty"`
	DeletionTimestamp *time.Time        `json:"deletionTimestamp,omitempty"`
}

type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

type node struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		Unschedulable bool `json:"unschedulable"`
	} `json:"spec"`
	Status struct {
		Conditions []condition `json:"conditions"`
		Addresses  []struct {
			Type    string `json:"type"`
			Address string `json:"address"`
		} `json:"addresses"`
	} `json:"status"`
}

// internalIP is the address that the node registered.
func (n node) internalIP() string {
	for _, address := range n.Status.Addresses {
		if address.Type == "InternalIP" {
			return address.Address
		}
	}
	return ""
}

type pod struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		NodeName string `json:"nodeName"`
	} `json:"spec"`
	Status struct {
		Phase             string            `json:"phase"`
		Reason            string            `json:"reason"`
		Message           string            `json:"message"`
		PodIP             string            `json:"podIP"`
		Conditions        []condition       `json:"conditions"`
		ContainerStatuses []containerStatus `json:"containerStatuses"`
	} `json:"status"`
}

type containerStatus struct {
	State     containerState `json:"state"`
	LastState containerState `json:"lastState"`
}

type containerState struct {
	Waiting *struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	} `json:"waiting"`
	Terminated *struct {
		ExitCode int    `json:"exitCode"`
		Reason   string `json:"reason"`
		Message  string `json:"message"`
	} `json:"terminated"`
}

func (p pod) ready() bool {
	return p.Metadata.DeletionTimestamp == nil && p.Status.PodIP != "" && isTrue(p.Status.Conditions, "Ready")
}

// trouble says why a pod is not ready, as far as the API knows.
func (p pod) trouble() string {
	for _, container := range p.Status.ContainerStatuses {
		if text := container.trouble(); text != "" {
			return text
		}
	}
	if p.Status.Reason != "" { // evicted, refused by the kubelet
		return p.Status.Reason + ": " + p.Status.Message
	}
	for _, condition := range p.Status.Conditions {
		if condition.Status != "True" && condition.Message != "" {
			return condition.Message
		}
	}
	return cmp.Or(p.Status.Phase, "not started yet")
}

func (c containerStatus) trouble() string {
	var parts []string
	if waiting := c.State.Waiting; waiting != nil {
		parts = append(parts, waiting.Reason+": "+waiting.Message)
	}
	for _, state := range []containerState{c.State, c.LastState} {
		if end := state.Terminated; end != nil {
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("it ended with exit code %d, %s %s", end.ExitCode, end.Reason, end.Message)))
		}
	}
	return strings.Join(parts, "; ")
}

func isTrue(conditions []condition, kind string) bool {
	for _, condition := range conditions {
		if condition.Type == kind {
			return condition.Status == "True"
		}
	}
	return false
}

type list[T any] struct {
	Items []T `json:"items"`
}

type service struct {
	Spec struct {
		ClusterIP string `json:"clusterIP"`
		Ports     []struct {
			NodePort int `json:"nodePort"`
		} `json:"ports"`
	} `json:"spec"`
}

type controllerStatus struct {
	Status struct {
		Conditions []condition `json:"conditions"`
	} `json:"status"`
}

type event struct {
	Metadata       meta   `json:"metadata"`
	Type           string `json:"type"`
	Reason         string `json:"reason"`
	Message        string `json:"message"`
	InvolvedObject struct {
		Name string `json:"name"`
	} `json:"involvedObject"`
	// One of them is set, by who made the event.
	LastTimestamp *time.Time `json:"lastTimestamp"`
	EventTime     *time.Time `json:"eventTime"`
}

// last is when the event last happened.
func (e event) last() time.Time {
	var last time.Time
	for _, at := range []*time.Time{e.Metadata.CreationTimestamp, e.EventTime, e.LastTimestamp} {
		if at != nil && at.After(last) {
			last = *at
		}
	}
	return last
}
