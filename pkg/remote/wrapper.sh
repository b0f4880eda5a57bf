# Tells the session of a command before it becomes it: by the session a command
# is ended with all that it started. The line on standard error also says that
# the command has begun, and that what came before was someone else's.
# Arguments: the mark, the command and its arguments. POSIX sh; Linux's /proc.
read -r _ _ _ _ _ session _ </proc/$$/stat
echo "$1 $session" >&2
shift
exec "$@"
