# Runs a command as root by sudo or, where there is none, by doas. Nobody is at a
# terminal: sudo asks for a password on standard error and reads it from standard
# input, if the prompt is given; it speaks English, which provision reads.
# Arguments: the prompt or nothing, the command and its arguments. POSIX sh.
prompt=$1
shift
LC_ALL=C
export LC_ALL
if ! command -v sudo >/dev/null 2>&1; then
	if command -v doas >/dev/null 2>&1; then exec doas -n -- "$@"; fi
	echo "neither sudo nor doas is installed" >&2
	exit 127
fi
if [ -n "$prompt" ]; then exec sudo -S -p "$prompt" -- "$@"; fi
exec sudo -n -- "$@"
