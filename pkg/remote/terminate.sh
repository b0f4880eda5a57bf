# Ends all processes of a session: asks first, then kills. sshd starts each
# command in a session of its own; process groups don't do, as timeout(1) makes
# new ones. Argument: the session, a number. POSIX sh; Linux's /proc.
members() {
	for stat in /proc/[0-9]*/stat; do
		line=
		{ IFS= read -r line <"$stat"; } 2>/dev/null || continue
		rest=${line##*) }
		# shellcheck disable=SC2086 # the fields are numbers and a letter
		set -- "$1" $rest
		case $2 in Z | X) continue ;; esac
		[ "$5" != "$1" ] || echo "${line%% *}"
	done
}

signal() {
	# shellcheck disable=SC2046 # a list of numbers
	kill "-$1" $(members "$2") 2>/dev/null || true
}

signal TERM "$1"
tries=0
while [ -n "$(members "$1")" ]; do
	tries=$((tries + 1))
	if [ "$tries" -gt 20 ]; then
		signal KILL "$1"
		exit
	fi
	sleep 0.1 2>/dev/null || sleep 1
done
