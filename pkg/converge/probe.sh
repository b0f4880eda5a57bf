# Answers in one run all that provision asks about a host, and changes nothing.
# Standard input holds the questions: sections in a fixed order, a question a
# line, each section ended by a line with a dot. Standard output holds a section
# of answers for each. POSIX sh; needs coreutils (or busybox) and systemctl.
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
exec 3<&0 </dev/null
home=/var/lib/provision
newline='
'

# Takes the next question; fails at the end of a section. What is cut short gets
# no whole answer: a question that did not arrive is not a thing that isn't there.
next() {
	IFS= read -r question <&3 || {
		echo "the questions ended too early; was the connection cut?" >&2
		exit 1
	}
	[ "$question" != . ]
}

about_host() {
	echo "== host"
	for tool in apt-get dnf yum; do
		if command -v "$tool" >/dev/null; then
			echo "packages $tool"
			break
		fi
	done
	while read -r first second; do echo "filesystem ${second:-$first}"; done </proc/filesystems
	# Who was there, for when something has been changed: nobody where no last(1) is.
	last -w -F -n 3 2>/dev/null | while IFS= read -r line; do
		case $line in '' | reboot* | wtmp*) ;; *) echo "login $line" ;; esac
	done
}

# The sum comes first: a record that is replaced meanwhile has another one, and
# the plan is refused.
about_record() {
	echo "== record-sum"
	[ ! -r "$home/record.json" ] || sha256sum <"$home/record.json"
	echo "== record"
	[ ! -r "$home/record.json" ] || cat "$home/record.json"
	echo
}

about_files() {
	echo "== files"
	set --
	while next; do
		if [ -e "$question" ] || [ -L "$question" ]; then set -- "$@" "$question"; fi
	done
	[ $# -eq 0 ] || stat -c '%f %a %U %G %Z %n' -- "$@"
}

about_sums() {
	echo "== sums"
	set --
	while next; do
		if [ -f "$question" ] && [ ! -L "$question" ]; then set -- "$@" "$question"; fi
	done
	sums=
	[ $# -eq 0 ] || sums=$(sha256sum -- "$@")
	printf '%s\n' "$sums"
}

# A stamp is the line that stat printed when the program's sum was last known.
about_programs() {
	echo "== stamps"
	stamps=$(cat "$home"/stamps/* 2>/dev/null)
	printf '%s\n' "$stamps"
	echo "== programs"
	set --
	while next; do
		if [ -f "$question" ] && [ ! -L "$question" ]; then set -- "$@" "$question"; fi
	done
	[ $# -gt 0 ] || return 0
	stat -c '%i %s %y %z %n' -- "$@" | while IFS= read -r line; do
		printf '%s\n' "$line"
		case $newline$stamps$newline in
		*"$newline$line$newline"*) ;;
		*) sha256sum -- "/${line#*/}" ;;
		esac
	done
}

about_contents() {
	echo "== contents"
	while next; do
		path=/${question#*/}
		case $newline$sums$newline in
		*"$newline$question$newline"*) ;;
		*"  $path$newline"*)
			printf '%s ' "$path"
			head -c 262144 -- "$path" | base64 | tr -d '\n'
			echo
			;;
		esac
	done
}

about_units() {
	echo "== units"
	set --
	while next; do set -- "$@" "$question"; done
	[ $# -eq 0 ] || systemctl show --no-pager \
		--property LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,Result -- "$@"
}

# The kernel gives a value only whole, to one read(2): too much for read in sh.
about_sysctls() {
	echo "== sysctls"
	set --
	while next; do
		if [ -r "$question" ]; then set -- "$@" "$question"; fi
	done
	[ $# -eq 0 ] || grep -H '' -- "$@"
}

about_packages() {
	echo "== packages"
	set --
	while next; do set -- "$@" "$question"; done
	[ $# -gt 0 ] || return 0
	if command -v dpkg-query >/dev/null; then
		# shellcheck disable=SC2016 # dpkg-query's own variables
		dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' -- "$@" 2>/dev/null
	elif command -v rpm >/dev/null; then
		rpm -q --queryformat 'ii %{NAME} %{VERSION}-%{RELEASE}\n' -- "$@" 2>/dev/null | grep '^ii '
	fi
	return 0
}

# A check is its name, the number of its arguments, and the arguments.
about_checks() {
	echo "== checks"
	while next; do
		name=$question
		next
		count=$question
		set --
		while [ $# -lt "$count" ] && next; do set -- "$@" "$question"; done
		output=$(timeout 10 "$@" 2>/dev/null)
		status=$?
		sum=$(printf '%s\n' "$output" | sha256sum)
		echo "$name $status ${sum%% *}"
	done
}

echo "== begin"
about_host
about_record
about_files
about_sums
about_programs
about_contents
about_units
about_sysctls
about_packages
about_checks
echo "== end"
