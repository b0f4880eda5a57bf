#!/bin/sh
# Boots a lab host and boots it again whenever it reboots, until it powers off or is killed.
#
#   launch.sh start COMMAND...       go to the background and supervise
#   launch.sh supervise COMMAND...   run COMMAND until it ends by anything but a reboot
#   launch.sh boot COMMAND...        become COMMAND
#
# LAB_CGROUPS lists the host's control groups, one in each hierarchy. The host lives in their "machine" child. This script
# lives in "launch" beside it, as version 2 allows no process in a group that has children.
set -eu

# $$ is that of the script also in a subshell, so this works in the script itself only.
join() {
	for group in $LAB_CGROUPS; do
		echo "$$" >"$group/$1/cgroup.procs"
	done
}

# A machine that boots has no control groups left from its last boot.
clear() {
	for group in $LAB_CGROUPS; do
		find "$group/machine" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
}

mode=$1
shift
case $mode in
start)
	# Only in its control groups can the host be found and ended, so it is there before anyone counts on it. Descriptor 3
	# is the lab's lock: it is held until then even if the lab's owner is killed this moment.
	join launch
	exec setsid --fork sh "$0" supervise "$@" 3>&-
	;;
supervise)
	while :; do
		clear
		status=0
		sh "$0" boot "$@" || status=$?
		echo "lab: the host's container ended with status $status"
		# systemd-nspawn --keep-unit leaves it to its caller to start it again when the host reboots, and says so by 133.
		[ "$status" -eq 133 ] || exit "$status"
	done
	;;
boot)
	join machine
	exec "$@"
	;;
esac
