# Ends a process with all that it started: asks first, then kills. Neither its
# process group nor its session tell what that is: timeout(1) makes a group of
# its own, and not every SSH server a session. Argument: the process, a number.
# POSIX sh; Linux's /proc.
family=" $1 "

# Prints the parent of the process whose stat, proc(5), is in $line.
parent() {
	rest=${line##*) }
	rest=${rest#* }
	echo "${rest%% *}"
}

# Those above: sudo stands still when what it runs does, and nothing wakes it.
above=
process=$1
while { IFS= read -r line <"/proc/$process/stat"; } 2>/dev/null; do
	process=$(parent)
	[ "$process" -gt 1 ] || break
	above="$above $process"
done

# Adds the children of the family to it, standing still so that they have none
# in the meantime.
grow() {
	for stat in /proc/[0-9]*/stat; do
		{ IFS= read -r line <"$stat"; } 2>/dev/null || continue
		process=${line%% *}
		case $family in *" $process "*) continue ;; esac
		case $family in
		*" $(parent) "*)
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
	signal=$1
	shift
	for process; do kill "-$signal" "$process" 2>/dev/null; done
}

kill -STOP "$1" 2>/dev/null || exit 0
grew=yes
while [ "$grew" = yes ]; do
	grew=no
	grow
done
# shellcheck disable=SC2086 # lists of numbers
signal TERM $family
# shellcheck disable=SC2086
signal CONT $family $above
tries=0
while alive && [ "$tries" -le 20 ]; do
	tries=$((tries + 1))
	sleep 0.1 2>/dev/null || sleep 1
done
# shellcheck disable=SC2086
! alive || signal KILL $family
# shellcheck disable=SC2086
signal CONT $above
