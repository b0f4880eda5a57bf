# Ends a process group: asks first, then kills. Argument: the group, a number:
# dash and busybox know no -- here. POSIX sh.
kill -TERM "-$1" 2>/dev/null || exit 0
tries=0
while kill -0 "-$1" 2>/dev/null; do
	tries=$((tries + 1))
	if [ "$tries" -gt 20 ]; then
		kill -KILL "-$1"
		exit
	fi
	sleep 0.1 2>/dev/null || sleep 1
done
