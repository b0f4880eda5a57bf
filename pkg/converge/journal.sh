# The journal of a run: what was done to each resource, and what stood there
# before, so that it can be put back. Functions of apply.sh, which this file goes
# before. A log is lines of a word and what it is about:
#   stage NAME, did ACTION CAUSE RESOURCE      what was done
#   file NUMBER PATH, absent PATH              files/NUMBER is the old self
#   attributes MODE UID GID PATH, sysctl PATH VALUE
#   made PATH, directory MODE UID GID PATH     was not there, was there
#   unit ACTIVE BOOT UNIT, restarted UNIT, stopped UNIT
#   reverted                                   the stage was put back
# shellcheck disable=SC2154 # home, newline and forgotten are of apply.sh
# shellcheck disable=SC2034 # reload and written too

# The folder of this run's journal; empty where none is kept.
journal=
number=0
# The units that were restarted, and whether the last one ran before.
restarted=
ran=no

# What a shell says of a full disk is "I/O error": look before.
journal_room() {
	free=$(df -Pk -- "$home" | { read -r _ && read -r _ _ _ free _ && echo "$free"; }) || return 0
	[ "$free" -ge 1024 ] || fail "there is no room in $home for what this run changes: $free KiB are free, 1024 are needed; make room"
}

# journal RUN ABOUT: begins the journal of a run, or goes on with it. The five
# newest are kept. What the list of runs does not name was cut short while it was
# removed.
do_journal() {
	journal_room
	journal=$home/runs/$1
	if [ ! -f "$journal/log" ]; then
		mkdir -p "$home/runs"
		{
			[ ! -f "$home/runs/order" ] || grep -vxF -- "$1" "$home/runs/order" | tail -n 4
			echo "$1"
		} >"$home/runs/.order"
		flush "$home/runs/.order"
		mv -f "$home/runs/.order" "$home/runs/order"
		for old in "$home"/runs/*/; do
			old=${old%/}
			grep -qxF -- "${old##*/}" "$home/runs/order" || rm -rf -- "$old"
		done
		mkdir -p "$journal/files"
		printf '%s\n' "$2" >"$journal/run.json"
		[ ! -f "$home/record.json" ] || ln -- "$home/record.json" "$journal/record.json"
		: >"$journal/log"
	fi
	set -- "$journal"/files/*
	[ ! -e "$1" ] && [ ! -L "$1" ] || number=$#
}

note() { [ -z "$journal" ] || printf '%s\n' "$*" >>"$journal/log"; }

# keep PATH: notes what stands at a path, and keeps it, before it is changed. A
# hard link costs nothing: nothing here writes into a file that stands already.
# What stays is not kept: the key of an authority, with which others may have been
# signed, and files that are written once.
keep() {
	[ -n "$journal" ] || return 0
	case $1 in "$home"/*) return 0 ;; esac
	case $newline$forgotten in *"$newline$1$newline"*) return 0 ;; esac
	if [ ! -e "$1" ] && [ ! -L "$1" ]; then
		note "absent $1"
		return 0
	fi
	number=$((number + 1))
	if [ -L "$1" ] || ! ln -- "$1" "$journal/files/$number" 2>/dev/null; then
		rm -f -- "$journal/files/$number" # never written into: it may be a link to what runs
		cp -P -p -- "$1" "$journal/files/$number" || fail "$1 could not be kept in $journal, so it was not replaced; is there room?"
		[ -L "$1" ] || flush "$journal/files/$number"
	fi
	note "file $number $1"
}

# keep_attributes WORD PATH
keep_attributes() { [ -z "$journal" ] || note "$1 $(stat -c '%a %u %g' -- "$2") $2"; }

property() { systemctl show --no-pager --property "$1" -- "$2" | sed -n "s/^$1=//p"; }

# keep_unit UNIT: notes how a unit was.
keep_unit() {
	[ -n "$journal" ] || return 0
	active=$(property ActiveState "$1")
	boot=$(property UnitFileState "$1")
	note "unit ${active:--} ${boot:--} $1"
}

# sick UNIT: a unit does not run as it should. That it ran before is what makes
# provision put back the old files.
sick() {
	[ "$ran" = no ] || printf 'sick %s\n' "$1"
	diagnose "$1"
}

# What changes when systemd starts a unit again by itself.
starts() { echo "$1 $(property NRestarts "$1") $(property ActiveEnterTimestampMonotonic "$1")"; }

# settle SECONDS UNIT...: units that ran before must stay up for that long.
do_settle() {
	last=$(($(now) + $1))
	shift
	ran=yes
	before=$newline
	for unit; do before=$before$(starts "$unit")$newline; done
	while :; do
		for unit; do
			systemctl --quiet is-active -- "$unit" || sick "$unit"
			case $before in *"$newline$(starts "$unit")$newline"*) continue ;; esac
			echo "$unit ended, and systemd started it again" >&2
			sick "$unit"
		done
		[ "$(now)" -lt "$last" ] || return 0
		sleep 0.5 2>/dev/null || sleep 1
	done
}

# Prints the lines of a log, without the stages that were put back.
effective() {
	section=
	while IFS= read -r line; do
		case $line in
		"stage "*)
			printf %s "$section"
			section=
			;;
		reverted) section= ;;
		*) section=$section$line$newline ;;
		esac
	done <"$1/log"
	printf %s "$section"
}

# revert PATH...: puts back what the last stage of this run has changed, and
# those paths that an earlier one has, and tells of each unit whether it runs
# again.
do_revert() {
	wanted=$newline
	for path; do wanted=$wanted$path$newline; done
	earlier='' stage='' picked=''
	while IFS= read -r line; do
		case $line in
		"stage "*)
			earlier=$earlier$picked
			stage='' picked=''
			continue
			;;
		"file "* | "absent "* | "attributes "*)
			case $wanted in *"$newline/${line#*/}$newline"*) picked=$picked$line$newline ;; esac
			;;
		esac
		stage=$stage$line$newline
	done <"$journal/log"
	lines=$earlier${stage%"$newline"}
	put_back "$journal"
	start_again tell
	note reverted
}

# undo RUN: puts back what a whole run has changed, as a change of this one.
do_undo() {
	[ -f "$home/runs/$1/log" ] || fail "the journal of run $1 is gone; only the last five runs are kept"
	lines=$(effective "$home/runs/$1")
	put_back "$home/runs/$1"
	start_again must
}

# put_back JOURNAL: undoes what $lines say, the last first. Units that did not
# run then end before their files go.
put_back() {
	from=$1
	back=
	while IFS= read -r line; do
		back=$line$newline$back
	done <<-END
		$lines
	END
	while IFS= read -r line; do
		rest=${line#* }
		case $line in
		"unit active disabled "*)
			keep_unit "${rest##* }"
			systemctl --quiet disable -- "${rest##* }" || true
			;;
		"unit active "* | "unit reloading "*) ;;
		"unit "*)
			keep_unit "${rest##* }"
			note "stopped ${rest##* }"
			systemctl --quiet stop -- "${rest##* }" || true
			case $rest in *" enabled "*) ;; *) systemctl --quiet disable -- "${rest##* }" 2>/dev/null || true ;; esac
			;;
		"file "*) put_file "$from/files/${rest%% *}" "${rest#* }" ;;
		"absent "*) do_remove "$rest" ;;
		"attributes "*) put_attributes "$rest" ;;
		"directory "*) put_directory "$rest" ;;
		"made "*) do_remove_directory "$rest" ;;
		"sysctl "*) do_sysctl "${rest%% *}" "${rest#* }" ;;
		esac
	done <<-END
		$back
	END
	commit
	stamp_again
}

# put_file OLD PATH: beside its place, until commit.
put_file() {
	parent "$2"
	temporary "$2"
	rm -f -- "$temp"
	cp -P -p -- "$1" "$temp"
	written=$written$2$newline
}

# put_attributes MODE UID GID PATH, in one word.
put_attributes() {
	path=${1#* * * }
	[ -e "$path" ] || return 0
	keep_attributes attributes "$path"
	# shellcheck disable=SC2086 # numbers in words, stat(1)
	set -- ${1%%/*}
	do_attributes "$path" "$1" "$2" "$3"
}

# put_directory MODE UID GID PATH, in one word.
put_directory() {
	path=${1#* * * }
	# shellcheck disable=SC2086 # numbers in words, stat(1)
	set -- ${1%%/*}
	do_directory "$path" "$1" "$2" "$3"
}

# The sums of programs that were put back: their stamps are those of the new ones.
stamp_again() {
	while IFS= read -r line; do
		case $line in "file "*) ;; *) continue ;; esac
		line=${line#* }
		path=${line#* }
		stamp=$(printf %s "${path#/}" | tr / '!')
		if [ ! -f "$home/stamps/$stamp" ] || [ ! -f "$path" ]; then continue; fi
		sum=$(sha256sum -- "$path")
		write_stamp "$path" "${sum%% *}" "$stamp"
	done <<-END
		$lines
	END
}

# start_again tell|must: starts the units that ran, with their old files. Where
# that must succeed, the first one that does not is the run's failure.
start_again() {
	[ "$reload" = no ] || systemctl daemon-reload
	reload=no
	tried=
	while IFS= read -r line; do
		case $line in "unit active "* | "unit reloading "*) ;; *) continue ;; esac
		unit=${line##* }
		case $newline$lines$newline in *"${newline}restarted $unit$newline"* | *"${newline}stopped $unit$newline"*) ;; *) continue ;; esac
		keep_unit "$unit"
		case $line in *" enabled "*) systemctl --quiet enable -- "$unit" || true ;; esac
		if [ "$1" = must ]; then
			do_unit_restart "$unit"
			continue
		fi
		systemctl reset-failed -- "$unit" 2>/dev/null || true
		systemctl restart -- "$unit" || true
		tried="$tried $unit"
	done <<-END
		$lines
	END
	[ -n "$tried" ] || return 0
	sleep 1
	for unit in $tried; do
		if systemctl --quiet is-active -- "$unit"; then echo "back $unit"; else echo "down $unit"; fi
	done
}
