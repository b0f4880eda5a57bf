# Holds a host's lock for one run, for as long as provision sends a sign of life
# on standard input: when that ends, or is silent for too long, whatever of the
# run is still at work here is ended, and the lock goes with this process. What
# it has to tell is on standard output, in lines that begin with "guard".
# POSIX sh; needs coreutils (or busybox) and flock of util-linux.
set -eu
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077
exec 3<&0 </dev/null
home=/var/lib/provision
run=/run/provision
uploads=/var/tmp
# The seconds of silence after which provision is taken for dead, the sum of the
# record that the run was planned from, and who runs it.
silence=$1 seen=$2 id=$3 by=$4 since=$5

fail() {
	echo "$*" >&2
	exit 1
}

# Where the operator is, as sshd saw it. sudo does not hand that on, but has it
# in its own environment.
from() {
	client=${SSH_CONNECTION:-${SSH_CLIENT:-}}
	process=$PPID
	while [ -z "$client" ] && [ "$process" -gt 1 ] && read -r stat <"/proc/$process/stat"; do
		client=$(tr '\0' '\n' <"/proc/$process/environ" | sed -n 's/^SSH_CONNECTION=//p')
		stat=${stat##*) }
		stat=${stat#* }
		process=${stat%% *}
	done
	echo "${client%% *}"
}

# A lock whose holder is not written is one that is just being taken or let go.
acquire() {
	tries=0
	until flock -n 9; do
		if [ -s "$run/lock" ] || [ "$tries" -ge 10 ]; then
			echo "guard held"
			sed 's/^/guard /' "$run/lock"
			exit 0
		fi
		tries=$((tries + 1))
		sleep 1
	done
}

# The plan was made before the lock was there: it is worth nothing where another
# run has changed the host since.
check_record() {
	now=-
	[ ! -e "$home/record.json" ] || now=$(sha256sum <"$home/record.json")
	[ "${now%% *}" != "$seen" ] || return 0
	echo "guard changed"
	[ "$now" = - ] || { cat "$home/record.json" && echo; } | sed -n '
		h
		s/^{"version":[0-9]*,"run":{"id":"\([^"]*\)".*/guard run \1/p
		g
		s/^{[^{]*{"id":[^,]*,"by":"\([^"]*\)".*/guard by \1/p
		g
		s/^{[^{]*{"id":[^,]*,"by":[^,]*,"time":"\([^"]*\)".*/guard since \1/p
	'
	exit 0
}

# Prints the process groups of a process and of all that it started: timeout(1)
# makes a group of its own.
groups_of() {
	table=$(for stat in /proc/[0-9]*/stat; do
		read -r line 2>/dev/null <"$stat" || continue
		rest=${line##*) }
		rest=${rest#* }
		group=${rest#* }
		echo "${line%% *} ${rest%% *} ${group%% *}"
	done)
	family=" $1 "
	found=
	before=
	while [ "$family" != "$before" ]; do
		before=$family
		while read -r process parent group; do
			case $family in
			*" $process "*) ;;
			*" $parent "*) family="$family$process " ;;
			*) continue ;;
			esac
			case " $found " in *" $group "*) ;; *) found="$found $group" ;; esac
		done <<-END
			$table
		END
	done
	echo "$found"
}

signal() {
	name=$1
	shift
	alive=no
	for group; do
		! kill "-$name" "-$group" 2>/dev/null || alive=yes
	done
	[ "$alive" = yes ]
}

# Ends the script of this run, if one is at work. Its group stands still while
# its family is counted; a process that has its number and started at another
# time is another one.
end_script() {
	read -r script group started 2>/dev/null <"$run/$id.script" || return 0
	read -r stat 2>/dev/null <"/proc/$script/stat" || return 0
	# shellcheck disable=SC2086 # numbers in words, proc(5)
	set -- ${stat##*) }
	[ "${20}" = "$started" ] || return 0
	signal STOP "$group" || return 0
	# shellcheck disable=SC2046 # numbers in words
	set -- $(groups_of "$script")
	signal TERM "$@" || true
	signal CONT "$@" || true
	tries=0
	while [ "$tries" -lt 50 ] && signal 0 "$@"; do
		tries=$((tries + 1))
		sleep 0.1 2>/dev/null || sleep 1
	done
	signal KILL "$@" || true
}

# The holder's name goes first: a script that comes too late finds out by that,
# and one that does not has left its number here by then.
release() {
	trap '' HUP INT TERM
	: >"$run/lock"
	end_script
	rm -f -- "$run/$id.script"
}

# What dead runs have uploaded stays while this one may go on with it. The names
# are those of mktemp(1), and no run but this one is at work here.
clear_uploads() {
	for folder in $stale; do
		[ ! -d "$folder" ] || [ -L "$folder" ] || rm -rf -- "$folder"
	done
}

command -v flock >/dev/null || fail "the host has no flock(1), which keeps two runs apart; install util-linux"
[ -d "$run" ] || mkdir -- "$run"
exec 9>>"$run/lock"
acquire
check_record
rm -f -- "$run"/*.script # nobody may be ended for what a dead run left
stale=$(ls -d "$uploads"/provision-?????????? 2>/dev/null) || true
trap release EXIT
trap 'exit 1' HUP INT TERM
printf 'run %s\nby %s\nsince %s\nfrom %s\n' "$id" "$by" "$since" "$(from)" >"$run/lock"
echo "guard locked"
while :; do
	sign=$(
		exec 9>&-
		exec timeout "$silence" dd bs=512 count=1 <&3 2>/dev/null
	) || fail "provision was not heard from for $silence s"
	[ -n "$sign" ] || { clear_uploads && exit 0; }
done
