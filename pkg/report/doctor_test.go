package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"provision/pkg/doctor"
)

// examined is a host with some findings; every other check is well.
func examined(host string, findings ...doctor.Finding) doctor.Result {
	result := doctor.Result{Host: host, Reached: true}
	for _, check := range doctor.Checks() {
		found := false
		for _, f := range findings {
			if f.Check == check {
				result.Findings = append(result.Findings, f)
				found = true
			}
		}
		if !found {
			result.Findings = append(result.Findings, doctor.Finding{Check: check, Level: doctor.OK, Found: "as it should be"})
		}
	}
	return result
}

// unreached is a host that gave no answer.
func unreached(host string) doctor.Result {
	result := doctor.Result{Host: host}
	for _, check := range doctor.Checks() {
		f := doctor.Finding{Check: check, Level: doctor.Unchecked}
		if check == doctor.CheckReach {
			f.Level = doctor.Failure
			f.Found = fmt.Sprintf("connect to %s (root@198.18.1.12:22): no success within 5s: context deadline exceeded", host)
			f.Next = "start the host, look at its console, and compare its address and port with the inventory's and the firewall's"
		}
		result.Findings = append(result.Findings, f)
	}
	return result
}

func cgroupV1() doctor.Finding {
	return doctor.Finding{
		Check: doctor.CheckCgroup, Level: doctor.Warning, Found: "the host has cgroup v1, v2 is asked for",
		Next: "boot with systemd.unified_cgroup_hierarchy=1. From 1.35 on the kubelet starts on cgroup v1 only with components.kubelet.config.failCgroupV1: false",
	}
}

func takenPort(pid int) doctor.Finding {
	return doctor.Finding{
		Check: doctor.CheckPorts, Level: doctor.Failure, Subject: "10250/tcp",
		Found: fmt.Sprintf("taken by nginx (pid %d, nginx.service) on 0.0.0.0; kubelet.service needs it", pid), Next: "systemctl disable --now nginx.service",
	}
}

func fullDisk(host string, free int) doctor.Finding {
	return doctor.Finding{
		Check: doctor.CheckDisk, Level: doctor.Failure, Subject: "/var/lib/containerd",
		Found: fmt.Sprintf("%d MiB free on /srv/%s, 5.0 GiB needed", free, host), Next: "make room on /srv/" + host,
	}
}

// fourHosts have a problem each but the master.
func fourHosts() doctor.Examination {
	return doctor.Examination{Hosts: []doctor.Result{
		examined("master"), examined("slave1", cgroupV1(), takenPort(812)), unreached("slave2"), examined("registry", cgroupV1()),
	}}
}

// manyHosts are slaves of which some have problems, each in its own numbers.
func manyHosts(n int) doctor.Examination {
	hosts := []doctor.Result{examined("master")}
	for i := 1; i < n; i++ {
		name := fmt.Sprintf("slave%d", i)
		switch {
		case i%7 == 3:
			hosts = append(hosts, examined(name, cgroupV1(), takenPort(800+i)))
		case i%13 == 5:
			hosts = append(hosts, examined(name, cgroupV1(), fullDisk(name, 10*i)))
		case i == 9:
			hosts = append(hosts, unreached(name))
		default:
			hosts = append(hosts, examined(name, cgroupV1()))
		}
	}
	return doctor.Examination{Hosts: hosts}
}

func TestDoctor_Golden(t *testing.T) {
	for name, e := range map[string]doctor.Examination{
		"doctor-fine": {Hosts: []doctor.Result{examined("master"), examined("slave1"), examined("slave2"), examined("registry")}},
		"doctor":      fourHosts(), "doctor-16": manyHosts(16), "doctor-200": manyHosts(200),
	} {
		t.Run(name, func(t *testing.T) {
			goldenStyles(t, name, func(w io.Writer, s Style) { WriteDoctor(w, e, s, DoctorOptions{}) })
		})
	}
	goldenStyles(t, "doctor-verbose", func(w io.Writer, s Style) { WriteDoctor(w, fourHosts(), s, DoctorOptions{Verbose: true}) })
}

func TestDoctorJSON_Golden(t *testing.T) {
	got, err := DoctorJSON(fourHosts())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "doctor-json", append(got, '\n'))
}

func TestDoctorJSON_CountsEachHostOnce(t *testing.T) {
	document := NewDoctorDocument(fourHosts())
	if document.OK || document.Summary != (DoctorSummary{Fine: 1, Warnings: 1, Failures: 1, Unreachable: 1}) {
		t.Errorf("%+v", document)
	}
	if !NewDoctorDocument(doctor.Examination{Hosts: []doctor.Result{examined("a", cgroupV1())}}).OK {
		t.Error("a warning is a failure")
	}
}

func TestDoctor_FitsIntoEightyColumns(t *testing.T) {
	long := examined(strings.Repeat("a", 60)+".example.com", takenPort(1))
	e := doctor.Examination{Hosts: append(manyHosts(40).Hosts, long, examined("registry", fullDisk("x", 3)))}
	for line := range strings.Lines(text(Style{Width: 80}, func(w io.Writer, s Style) { WriteDoctor(w, e, s, DoctorOptions{Verbose: true}) })) {
		if line = strings.TrimSuffix(line, "\n"); columns(line) > 80 && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("%d columns: %s", columns(line), line)
		}
	}
}

func TestDoctor_HostileTextStaysText(t *testing.T) {
	e := doctor.Examination{Hosts: []doctor.Result{
		examined("a"+evil, doctor.Finding{Check: doctor.CheckPorts, Level: doctor.Failure, Subject: evil, Found: evil + "\n" + evil, Next: evil}),
		examined("b"+evil, doctor.Finding{Check: doctor.CheckOS, Level: doctor.OK, Subject: evil, Found: evil}),
	}}
	for _, style := range []Style{{}, {Width: 80}} {
		for _, got := range []string{
			text(style, func(w io.Writer, s Style) { WriteDoctor(w, e, s, DoctorOptions{Verbose: true}) }),
			text(style, func(w io.Writer, _ Style) {
				text, _ := DoctorJSON(e)
				_, _ = w.Write(text)
			}),
		} {
			if strings.ContainsFunc(got, needsEscape) {
				t.Errorf("%q", got)
			}
		}
	}
	got, err := DoctorJSON(e)
	if err != nil || !json.Valid(got) {
		t.Error("not JSON", err)
	}
}
