# Brings resources about on a host. Standard input holds the operations: a verb,
# the number of its arguments, and the arguments, each on a line of its own.
# The last verb is end: what is cut short before it leaves nothing half done.
# Standard output tells how far it came; the first failure ends the run, and
# standard error says what failed. POSIX sh; needs coreutils (or busybox) and
# systemctl.
set -eu
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DEBIAN_FRONTEND=noninteractive
export LC_ALL PATH DEBIAN_FRONTEND
umask 077
exec 3<&0 </dev/null
home=/var/lib/provision
run=/run/provision
newline='
'
written=
forgotten=
reload=no
removed=no
stays=no

fail() {
	echo "$*" >&2
	exit 1
}

# Takes the next line of the operations. Where they end too early, what did not
# arrive whole does not run.
take() { IFS= read -r "$1" <&3 || fail "the operations ended too early; was the connection cut?"; }

# The name ends in no way that a program which reads whole folders looks for.
temporary() { temp=${1%/*}/.${1##*/}.provision~; }

parent() {
	dir=${1%/*}
	[ -z "$dir" ] || [ -d "$dir" ] || (umask 022 && mkdir -p -- "$dir")
}

# guarded RUN: leaves its number where the guard of the run finds it, and only
# then looks whether the guard is still there. A script that arrives late, from a
# run that was taken for dead, goes no further.
do_guarded() {
	script=$run/$1.script
	id=$1
	read -r stat <"/proc/$$/stat"
	# shellcheck disable=SC2086 # numbers in words, proc(5)
	set -- ${stat##*) }
	trap 'rm -f -- "$script"' EXIT
	if ! echo "$$ $3 ${20}" >"$script" || ! grep -qxF -- "run $id" "$run/lock"; then
		fail "this run does not hold the host's lock any more; was it cut off? Run again"
	fi
}

do_attributes() {
	chown -- "$3:$4" "$1"
	chmod -- "$2" "$1"
}

# directory PATH MODE OWNER GROUP
do_directory() {
	parent "$1"
	if [ -d "$1" ]; then
		keep_attributes attributes "$1"
	else
		mkdir -- "$1"
		note "made $1"
	fi
	do_attributes "$@"
}

# write PATH MODE OWNER GROUP BASE64: the content stands beside its target until
# commit, so that files that belong together change together.
do_write() {
	[ ! -d "$1" ] || fail "$1 is a directory; move it away first"
	parent "$1"
	temporary "$1"
	rm -f -- "$temp"
	set -C # the file is a new one, and no link to another
	printf %s "$5" | base64 -d >"$temp"
	set +C
	do_attributes "$temp" "$2" "$3" "$4"
	written=$written$1$newline
	[ "$stays" = no ] || forgotten=$forgotten$1$newline
}

flush() { sync -- "$@" 2>/dev/null || sync; }

# commit puts in place all that was written since the last commit.
commit() {
	[ -n "$written" ] || return 0
	set --
	while IFS= read -r path; do
		keep "$path"
		temporary "$path"
		[ -L "$temp" ] || set -- "$@" "$temp"
	done <<-END
		${written%"$newline"}
	END
	[ -z "$journal" ] || set -- "$@" "$journal/log" "$journal/files/"
	flush "$@"
	set --
	while IFS= read -r path; do
		temporary "$path"
		mv -f -- "$temp" "$path"
		set -- "$@" "${path%/*}/"
		case $path in */systemd/system/*) reload=yes ;; esac
	done <<-END
		${written%"$newline"}
	END
	flush "$@"
	written=
}

# install PATH MODE OWNER GROUP SHA256 UPLOADED STAMP
do_install() {
	[ ! -d "$1" ] || fail "$1 is a directory; move it away first"
	parent "$1"
	temporary "$1"
	mv -f -- "$6" "$temp"
	sum=$(sha256sum -- "$temp")
	if [ "${sum%% *}" != "$5" ]; then
		rm -f -- "$temp"
		fail "$1 arrived with the sum ${sum%% *} instead of $5; is its file being changed?"
	fi
	do_attributes "$temp" "$2" "$3" "$4"
	keep "$1"
	set -- "$@" "$temp"
	[ -z "$journal" ] || set -- "$@" "$journal/log" "$journal/files/"
	path=$1 sum=$5 stamp=$7
	shift 7
	flush "$@"
	mv -f -- "$temp" "$path"
	write_stamp "$path" "$sum" "$stamp"
}

# write_stamp PATH SHA256 STAMP: what stat says of a program with that sum.
write_stamp() {
	mkdir -p "$home/stamps"
	{
		stat -c '%i %s %y %z %n' -- "$1"
		echo "$2"
	} >"$home/stamps/.new"
	mv -f "$home/stamps/.new" "$home/stamps/$3"
}

# remove PATH
do_remove() {
	if [ ! -e "$1" ] && [ ! -L "$1" ]; then return 0; fi
	[ ! -d "$1" ] || [ -L "$1" ] || fail "$1 is a directory; it should be a file that provision made. Look at it, and move it away"
	keep "$1"
	[ -z "$journal" ] || flush "$journal/log" "$journal/files/"
	rm -f -- "$1"
	case $1 in */systemd/system/*) reload=yes removed=yes ;; esac
}

# remove-directory PATH: only if nothing is in it.
do_remove_directory() {
	if [ ! -d "$1" ] || [ -L "$1" ]; then return 0; fi
	was=$(stat -c '%a %u %g' -- "$1")
	rmdir -- "$1" 2>/dev/null || return 0
	note "directory $was $1"
}

# record BASE64: what was applied, for the next run to compare with.
do_record() {
	mkdir -p "$home"
	do_write "$home/record.json" 0600 root root "$1"
	commit
}

# Tries again after what may be in the way: packages that were left half
# configured when an earlier run was ended, and lists that are too old.
mend_packages() {
	dpkg --configure -a || true
	apt-get -q update && "$@"
}

# package TOOL NAME...
do_package() {
	tool=$1
	shift
	case $tool in
	apt-get)
		set -- apt-get -q -y -o DPkg::Lock::Timeout=120 --no-install-recommends install "$@"
		"$@" >"$home/package.log" 2>&1 || mend_packages "$@" >>"$home/package.log" 2>&1 ||
			fail "$* failed: $(tail -n 15 "$home/package.log")"
		;;
	*)
		"$tool" -q -y install "$@" >"$home/package.log" 2>&1 ||
			fail "$tool install $* failed: $(tail -n 15 "$home/package.log")"
		;;
	esac
	rm -f "$home/package.log"
}

# sysctl PATH VALUE
do_sysctl() {
	[ -e "$1" ] || fail "the kernel has no $1; is a module missing?"
	note "sysctl $1 $(head -c 4096 -- "$1" | tr -d '\0\n')"
	printf '%s\n' "$2" >"$1"
}

# module NAME
do_module() { modprobe -- "$1"; }

diagnose() {
	{
		systemctl status --no-pager --lines 0 -- "$1" | head -n 12
		journalctl --no-pager --quiet --output cat --lines 20 --unit "$1"
	} >&2 2>/dev/null || true
	exit 1
}

# unit-load UNIT: systemd sees the unit as it is on disk, and may start it.
do_unit_load() {
	keep_unit "$1"
	case $(systemctl show --no-pager --property LoadState,NeedDaemonReload -- "$1") in
	*masked*) systemctl --quiet unmask -- "$1" ;;
	*NeedDaemonReload=yes*) reload=yes ;;
	esac
	[ "$reload" = no ] || systemctl daemon-reload
	reload=no
}

# unit-enable UNIT
do_unit_enable() { systemctl --quiet enable -- "$1"; }

# unit-restart UNIT
do_unit_restart() {
	restarted=$1
	# shellcheck disable=SC2034 # journal.sh tells by it
	ran=no
	# shellcheck disable=SC2034 # the same
	! systemctl --quiet is-active -- "$1" || ran=yes
	note "restarted $1"
	systemctl reset-failed -- "$1" 2>/dev/null || true
	systemctl restart -- "$1" || sick "$1"
	systemctl --quiet is-active -- "$1" || sick "$1"
}

# unit-stop UNIT
do_unit_stop() {
	keep_unit "$1"
	note "stopped $1"
	systemctl --quiet disable --now -- "$1"
}

# unit-retire UNIT: the same for one that may be gone already, or can't be disabled.
do_unit_retire() {
	[ "$(property LoadState "$1")" != not-found ] || return 0
	do_unit_stop "$1" || systemctl --quiet stop -- "$1"
}

# Seconds since the host started: its clock may be set while a command waits.
now() {
	read -r up rest </proc/uptime
	echo "${up%.*}"
}

# Runs a command, until $deadline where there is one.
bounded() {
	[ "$seconds" -gt 0 ] || exec "$@"
	left=$((deadline - $(now)))
	[ "$left" -gt 0 ] || left=1
	exec timeout "$left" "$@"
}

# A service that does not get ready shows what it logged last.
give_up() {
	if [ "$verb" != run ] && [ -n "$restarted" ]; then
		echo "$1" >&2
		sick "$restarted"
	fi
	fail "$1"
}

# Repeats a command that takes its input from $input until it succeeds or
# $seconds have passed.
repeat() {
	deadline=$(($(now) + seconds))
	until output=$(printf %s "$input" | base64 -d | bounded "$@" 2>&1); do
		status=$?
		[ "$(now)" -lt "$deadline" ] || give_up "$*: ${output:-exit status $status}"
		sleep 0.1 2>/dev/null || sleep 1
	done
}

# wait SECONDS COMMAND...
do_wait() {
	seconds=$1
	input=
	shift
	repeat "$@"
}

# watch UNIT SECONDS COMMAND...: wait, for a unit that ran before and has settled.
do_watch() {
	restarted=$1
	# shellcheck disable=SC2034 # journal.sh tells by it
	ran=yes
	shift
	do_wait "$@"
}

# run SECONDS BASE64 COMMAND...
do_run() {
	seconds=$1
	input=$2
	shift 2
	repeat "$@"
}

mkdir -p "$home"
verb='' count='' argument=''
while :; do
	take verb
	take count
	set --
	while [ $# -lt "$count" ]; do
		take argument
		set -- "$@" "$argument"
	done
	case $verb in
	begin)
		stays=${4:-no}
		printf 'begin %s\n' "$1"
		[ $# -lt 3 ] || note "did $2 $3 $1"
		;;
	stage) note "stage $1" ;;
	journal) do_journal "$@" ;;
	guarded) do_guarded "$@" ;;
	end)
		commit
		[ "$removed" = no ] || systemctl daemon-reload
		echo end
		exit 0
		;;
	write) do_write "$@" ;;
	directory) do_directory "$@" ;;
	*)
		commit
		case $verb in
		attributes)
			keep_attributes attributes "$1"
			do_attributes "$@"
			;;
		install) do_install "$@" ;;
		remove) do_remove "$@" ;;
		remove-directory) do_remove_directory "$@" ;;
		revert) do_revert "$@" ;;
		undo) do_undo "$@" ;;
		settle) do_settle "$@" ;;
		record) do_record "$@" ;;
		package) do_package "$@" ;;
		sysctl) do_sysctl "$@" ;;
		module) do_module "$@" ;;
		unit-load) do_unit_load "$@" ;;
		unit-enable) do_unit_enable "$@" ;;
		unit-restart) do_unit_restart "$@" ;;
		unit-stop) do_unit_stop "$@" ;;
		unit-retire) do_unit_retire "$@" ;;
		wait) do_wait "$@" ;;
		watch) do_watch "$@" ;;
		run) do_run "$@" ;;
		*) fail "provision sent an operation that this script does not know: $verb" ;;
		esac
		;;
	esac
done
