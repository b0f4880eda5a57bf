package cluster

import "time"

// The few objects of the Kubernetes API (v1) that are read, with the few fields
// of them: https://kubernetes.io/docs/reference/kubernetes-api/.

type meta struct {
	Name              string            `json:"name,omitempty"`
	Labels            map[string]string `json:"labels,omitempty"`
	CreationTimestamp *time.Time        `json:"creationTimestamp,omitempty"`
}

type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

type node struct {
	Metadata meta `json:"metadata"`
	Status   struct {
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
		Phase             string      `json:"phase"`
		PodIP             string      `json:"podIP"`
		Conditions        []condition `json:"conditions"`
		ContainerStatuses []struct {
			State struct {
				Waiting *struct {
					Reason  string `json:"reason"`
					Message string `json:"message"`
				} `json:"waiting"`
			} `json:"state"`
		} `json:"containerStatuses"`
	} `json:"status"`
}

func (p pod) ready() bool { return p.Status.PodIP != "" && isTrue(p.Status.Conditions, "Ready") }

// trouble says why a pod is not ready, as far as the API knows.
func (p pod) trouble() string {
	for _, container := range p.Status.ContainerStatuses {
		if waiting := container.State.Waiting; waiting != nil {
			return waiting.Reason + ": " + waiting.Message
		}
	}
	for _, condition := range p.Status.Conditions {
		if condition.Status != "True" && condition.Message != "" {
			return condition.Message
		}
	}
	return p.Status.Phase
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
