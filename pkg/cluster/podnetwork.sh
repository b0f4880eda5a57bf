#!/bin/sh
# Prints what the pod network of this slave looks like: flannel's lease, the CNI
# configuration, the IPv4 addresses and the links; of each its size in bytes on a
# line, then its bytes. What is not there is empty.
set -u
section() {
	size=$(printf %s "$1" | wc -c)
	printf '%d\n%s' "$((size))" "$1"
}
section "$(cat /run/flannel/subnet.env 2>/dev/null)"
section "$(cat /etc/cni/net.d/10-flannel.conflist 2>/dev/null)"
section "$(ip -o -4 address show)"
section "$(ip -o link show)"
