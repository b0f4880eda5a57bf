# Ends a process with all that it started: asks first, then kills. Neither its
# process group nor its session tell what that is: timeout(1) makes a group of
# its own, and not every SSH server a session. Argument: the process, a number.
# POSIX sh; Linux's /proc.
family=" $1 "

# Adds the children of the family to it, standing still so that they have none
# in the meantime.
grow() {
	for stat in /proc/[0-9]*/stat; do
		{ IFS= read -r line <"$stat"; } 2>/dev/null || continue
		process=${line%% *}
		parent=${line##*) }
		parent=${parent#* }
		parent=${parent%% *}
		case $family in *" $process "*) continue ;; esac
		case $family in
		*" $parent "*)
			kill -STOP "$process" 2>/dev/null
			family="$family$process "
			grew=yes
			;;
		esac
	done
}

alive() {
	for process in $family; do
		{ IFS= read -r line <"/proc/$process/stat"; } 2>/dev/null || continue
		case ${line##*) } in Z* | X*) ;; *) return 0 ;; esac
	done
	return 1
}

signal() {
	for process in $family; do kill "-$1" "$process" 2>/dev/null; done
}

kill -STOP "$1" 2>/dev/null || exit 0
grew=yes
while [ "$grew" = yes ]; do
	grew=no
	grow
done
signal TERM
signal CONT
tries=0
while alive; do
	tries=$((tries + 1))
	if [ "$tries" -gt 20 ]; then
		signal KILL
		exit 0
	fi
	sleep 0.1 2>/dev/null || sleep 1
done
