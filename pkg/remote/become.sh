# Runs a command as root by sudo or, where there is none, by doas, and never asks
# for a password: there is no terminal. Arguments: the command. POSIX sh.
if command -v sudo >/dev/null 2>&1; then exec sudo -n -- "$@"; fi
if command -v doas >/dev/null 2>&1; then exec doas -n -- "$@"; fi
echo "neither sudo nor doas is installed" >&2
exit 127
