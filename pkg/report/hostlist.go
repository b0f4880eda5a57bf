package report

import (
	"fmt"
	"strconv"
	"strings"
)

// namedHosts is how many hosts are named in the middle of a line.
const namedHosts = 3

// onHosts says where something is: "on slave1, slave2", "on 200 hosts", "on 12
// of 200 hosts".
func onHosts(hosts []string, of int) string {
	switch {
	case len(hosts) <= namedHosts:
		return "on " + strings.Join(hosts, ", ")
	case len(hosts) < of:
		return fmt.Sprintf("on %d of %d hosts", len(hosts), of)
	}
	return "on " + count(len(hosts), "host")
}

// hostNames lists hosts, three and more in a row as a range: "master,
// slave1..slave200".
func hostNames(hosts []string) string {
	var parts []string
	for start := 0; start < len(hosts); {
		end := start + 1
		for end < len(hosts) && follows(hosts[end-1], hosts[end]) {
			end++
		}
		if end-start >= 3 {
			parts = append(parts, hosts[start]+".."+hosts[end-1])
		} else {
			parts = append(parts, hosts[start:end]...)
		}
		start = end
	}
	return strings.Join(parts, ", ")
}

// follows tells whether b is the name after a: slave9, slave10.
func follows(a, b string) bool {
	stemA, numberA := splitNumber(a)
	stemB, numberB := splitNumber(b)
	if stemA != stemB || numberA == "" || numberB == "" || len(numberA) > 9 || len(numberB) > 9 {
		return false
	}
	m, errM := strconv.Atoi(numberA)
	n, errN := strconv.Atoi(numberB)
	padded := len(numberA) == len(numberB) || numberB[0] != '0' && numberA[0] != '0'
	return errM == nil && errN == nil && n == m+1 && padded
}

func splitNumber(name string) (stem, number string) {
	stem = strings.TrimRight(name, "0123456789")
	return stem, name[len(stem):]
}
