# Answers in one run all that the doctor asks about a host, and changes nothing.
# Standard input holds the questions: sections in a fixed order, a question a
# line, each section ended by a line with a dot. Standard output holds a section
# of answers for each. POSIX sh; what it calls beyond that may be missing, which
# is an answer too.
set -uf
shell=${SHELL:-}
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
# The clock is read first and told at once: the time until then is its error.
echo "== begin $(date +%s.%N 2>/dev/null)"
exec 3<&0 </dev/null
proc=/proc
release=$(uname -r)
newline='
'

# Takes the next question; fails at the end of a section.
next() {
	IFS= read -r question <&3 || {
		echo "the questions ended too early; was the connection cut?" >&2
		exit 1
	}
	[ "$question" != . ]
}

# What a host says may hold anything, such as a backslash that echo acts on.
say() { printf '%s\n' "$*"; }

has() { command -v "$1" >/dev/null 2>&1; }

about_login() {
	echo "== login"
	say "uid $(id -u 2>/dev/null)"
	user=${SUDO_USER:-$(id -un 2>/dev/null)}
	say "user $user"
	while IFS=: read -r name _ _ _ _ _ program; do
		[ "$name" != "$user" ] || shell=$program
	done </etc/passwd
	say "shell $shell"
	say "sh $(readlink -f /bin/sh 2>/dev/null)"
}

about_system() {
	echo "== system"
	say "architecture $(uname -m)"
	say "linux $release"
	for file in /etc/os-release /usr/lib/os-release; do
		[ -r "$file" ] || continue
		while IFS= read -r line; do
			case $line in ID=* | PRETTY_NAME=*) say "${line%%=*} ${line#*=}" ;; esac
		done <"$file"
		break
	done
	init=
	[ ! -r "$proc/1/comm" ] || IFS= read -r init <"$proc/1/comm"
	say "init $init"
	[ ! -d /run/systemd/system ] || echo "systemd yes"
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo "cgroup 2"; else echo "cgroup 1"; fi
	[ ! -r "$proc/swaps" ] || while read -r name _ size _; do
		[ "$name" = Filename ] || say "swap $size $name"
	done <"$proc/swaps"
}

# A question is names of programs of which one is needed.
about_tools() {
	echo "== tools"
	while next; do
		missing=yes
		for tool in $question; do
			if has "$tool"; then
				missing=no
				break
			fi
		done
		[ "$missing" = no ] || say "$question"
	done
}

# The first directory that is there, on the way up.
existing() {
	found=$1
	while [ -n "$found" ] && [ ! -e "$found" ]; do found=${found%/*}; done
	found=${found:-/}
}

# A line for each path, then what df says of them in the same order.
about_disks() {
	echo "== disks"
	set --
	while next; do
		existing "$question"
		access=read-only
		[ ! -w "$found" ] || access=writable
		say "path $access $question"
		set -- "$@" "$found"
	done
	echo "== df"
	[ $# -eq 0 ] || df -Pk -- "$@" 2>/dev/null
}

# The kernel's own list of what was built into it and what as modules.
options() {
	[ -z "$options" ] || return 0
	options=none
	if [ -r "/boot/config-$release" ]; then
		options=$(grep -E '^CONFIG_[A-Z0-9_]*=[ym]$' "/boot/config-$release")
	elif [ -r "$proc/config.gz" ]; then
		options=$(gzip -dc "$proc/config.gz" 2>/dev/null | grep -E '^CONFIG_[A-Z0-9_]*=[ym]$')
	fi
	options=$newline${options:-none}$newline
}

# feature NAME CONFIG EVIDENCE: $how the kernel has it.
feature() {
	how=loaded
	if [ "$3" != - ] && [ -e "$3" ]; then return; fi
	[ ! -d "/sys/module/$1" ] || return 0
	case $filesystems in *"	$1$newline"*) return ;; esac
	options
	how=built-in
	case $options in *"${newline}CONFIG_$2=y$newline"*) return ;; esac
	how=loadable
	if [ -d "/lib/modules/$release" ] && has modprobe; then
		modprobe -n -q -- "$1" 2>/dev/null || how=missing
		return
	fi
	how=missing
	[ "$3" = - ] || return 0
	case $options in
	*"${newline}CONFIG_$2=m$newline"*) ;;
	"${newline}none$newline") how=unknown ;;
	*) [ "$2" != - ] || how=unknown ;;
	esac
}

# A question is NAME CONFIG EVIDENCE; a dash stands for none.
about_kernel() {
	echo "== kernel"
	options=
	filesystems=
	[ ! -r "$proc/filesystems" ] || filesystems=$(cat "$proc/filesystems")$newline
	while next; do
		name=${question%% *}
		rest=${question#* }
		feature "$name" "${rest%% *}" "${rest#* }"
		say "$name $how"
	done
}

# A question is a port in hexadecimal, as the kernel's tables have it. Sockets
# are told by table, address, port and inode; then which processes have them.
about_ports() {
	echo "== sockets"
	ports=
	while next; do ports=$ports${ports:+|}$question; done
	[ -n "$ports" ] || return 0
	inodes=' '
	for table in tcp tcp6 udp udp6; do
		case $table in tcp*) state=0A ;; *) state=07 ;; esac
		found=$(grep -sE "^ *[0-9]+: [0-9A-F]+:($ports) [0-9A-F]+:0000 $state " "$proc/net/$table")
		[ -n "$found" ] || continue
		while read -r _ local _ _ _ _ _ _ _ inode _; do
			say "$table $local $inode"
			inodes="$inodes$inode "
		done <<-END
			$found
		END
	done
	echo "== processes"
	[ "$inodes" != ' ' ] || return 0
	about_processes
}

# Lists the sockets of all processes, as INODE PID.
holders() {
	set +f
	# shellcheck disable=SC2012 # the names in fd are numbers
	ls -ln "$proc"/[0-9]*/fd 2>/dev/null |
		sed -n -e '/^\/.*\/fd:$/h' -e '/ -> socket:\[[0-9]*\]$/{G;s/.*socket:\[\([0-9]*\)\]\n.*\/\([0-9]*\)\/fd:$/\1 \2/p;}'
}

about_processes() {
	seen=' '
	holders | while read -r inode pid; do
		case $inodes in *" $inode "*) ;; *) continue ;; esac
		say "holds $inode $pid"
		case $seen in *" $pid "*) continue ;; esac
		seen="$seen$pid "
		name=
		[ ! -r "$proc/$pid/comm" ] || IFS= read -r name <"$proc/$pid/comm"
		say "name $pid $name"
		[ ! -r "$proc/$pid/cgroup" ] || while IFS= read -r line; do
			case $line in 0::* | *:name=systemd:*) say "group $pid $line" ;; esac
		done <"$proc/$pid/cgroup"
	done
}

about_login
about_system
about_tools
about_disks
about_kernel
about_ports
echo "== end"
