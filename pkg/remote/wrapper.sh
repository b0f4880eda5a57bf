# Tells its process before that becomes a command: so the command can be ended
# with all that it started. The line on standard error also says that the
# command has begun, and that what came before was someone else's.
# Arguments: the mark, the command and its arguments. POSIX sh.
echo "$1 $$" >&2
shift
exec "$@"
