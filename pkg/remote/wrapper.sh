# Tells the process group of a command before it becomes it: the group is how a
# command with all that it started is ended. The line on standard error also
# says that the command has begun, and that what came before was someone else's.
# Arguments: the mark, the command and its arguments. POSIX sh; Linux's /proc.
read -r _ _ _ _ group _ </proc/$$/stat
echo "$1 $group" >&2
shift
exec "$@"
