//go:build lab

package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A host that has lost its memory gets it back, and nothing is restarted.
func TestAdopt_HostThatLostItsMemory(t *testing.T) {
	s := cluster(t)
	s.sh(t, "slave2", "mv /var/lib/provision/record.json /root/record.json")
	t.Cleanup(func() { s.must(t, 0, "apply", "--skip-verify") })
	if len(s.planned(t)) == 0 {
		t.Fatal("nothing is planned though nothing is remembered: this test proves nothing")
	}
	before := s.started(t, allHosts...)
	s.must(t, 0, "adopt", "--limit", "slave2")
	if diff := cmp.Diff([]string{}, s.planned(t)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{}, restarted(before, s.started(t, allHosts...))); diff != "" {
		t.Error(diff)
	}
}

func TestAdopt_WhatWasEditedIsKnownFromThenOn(t *testing.T) {
	s := cluster(t)
	t.Cleanup(func() { s.must(t, 0, "apply", "--skip-verify") })
	s.sh(t, "slave1", "sed -i 's/--config/--v=5 --config/' /etc/kubernetes/proxy")
	s.must(t, 0, "adopt")
	want := []string{"slave1: update file /etc/kubernetes/proxy (change)", "slave1: restart service kube-proxy.service (follows)"}
	if diff := cmp.Diff(want, s.planned(t)); diff != "" {
		t.Error(diff)
	}
	s.must(t, 0, "adopt") // there is nothing more to remember
}
