# Appends standard input to a file that only its owner can read. Argument: the
# file. POSIX sh.
umask 077
exec cat >>"$1"
