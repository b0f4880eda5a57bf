#!/bin/sh
# Makes a booting container into a host that a kubelet can live on and that has its address. Run once, before anything else.
set -eu

# A kubelet and a container runtime pass mounts on to their containers.
mount --make-rshared /

# systemd-nspawn mounts the control groups read-only in places; this host's subtree is its own to write to.
for dir in /sys/fs/cgroup /sys/fs/cgroup/*/; do
	dir=${dir%/}
	if mountpoint -q "$dir" && [ -e "$dir/cgroup.procs" ]; then
		mount -o remount,bind,rw "$dir"
	fi
done

ip link set lo up
ip link set host0 up
ip address replace "$LAB_ADDRESS" dev host0
ip route replace default via "$LAB_GATEWAY"
