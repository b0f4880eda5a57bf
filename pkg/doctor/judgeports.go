package doctor

import (
	"fmt"
	"regexp"
	"strings"

	"provision/pkg/blueprint"
)

func judgePorts(facts *Facts, ports []blueprint.Port) []Finding {
	var findings []Finding
	for _, port := range ports {
		finding := judgePort(facts, port)
		finding.Check, finding.Subject = CheckPorts, port.String()
		findings = append(findings, finding)
	}
	if len(findings) == 0 {
		findings = append(findings, Finding{Check: CheckPorts, Level: OK, Found: "none is asked for"})
	}
	return findings
}

// judgePort says who listens: nobody, the unit that is supposed to, or another.
func judgePort(facts *Facts, port blueprint.Port) Finding {
	var strangers []Socket
	for _, socket := range facts.Sockets {
		if socket.Protocol != port.Protocol || socket.Address.Port() != port.Number {
			continue
		}
		for _, pid := range socket.PIDs {
			if facts.Processes[pid].Unit == port.Unit {
				return Finding{Level: OK, Found: "held by " + port.Unit}
			}
		}
		if len(socket.PIDs) == 0 && port.Kernel {
			return Finding{Level: OK, Found: "held by the kernel for " + port.Unit}
		}
		strangers = append(strangers, socket)
	}
	if len(strangers) == 0 {
		return Finding{Level: OK, Found: "free"}
	}
	return taken(facts, strangers[0], port)
}

// plainUnit fits the names of units that may be shown in a command to copy.
var plainUnit = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]*\.(service|socket)$`)

// taken names who has the socket and how to be rid of it.
func taken(facts *Facts, socket Socket, port blueprint.Port) Finding {
	finding := Finding{Level: Failure}
	if len(socket.PIDs) == 0 {
		finding.Found = fmt.Sprintf("taken by the kernel itself on %s; %s needs it", socket.Address.Addr(), port.Unit)
		finding.Next = "find out what has the kernel listen, such as an NFS server or a tunnel, and turn it off"
		return finding
	}
	// Process 1 has the sockets that it starts services for; another says more.
	pid := socket.PIDs[len(socket.PIDs)-1]
	process := facts.Processes[pid]
	who := fmt.Sprintf("pid %d", pid)
	if process.Unit != "" {
		who += ", " + process.Unit
	}
	finding.Found = fmt.Sprintf("taken by %s (%s) on %s; %s needs it", orDash(process.Name), who, socket.Address.Addr(), port.Unit)
	finding.Next = "end that program and keep it from being started again"
	if plainUnit.MatchString(process.Unit) && !strings.HasPrefix(process.Unit, "user@") {
		finding.Next = "systemctl disable --now " + process.Unit
	}
	return finding
}
