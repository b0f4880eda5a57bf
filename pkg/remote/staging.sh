# Makes a private directory for uploads and tells of what earlier ones left.
# Argument: the directory to make it in. Prints
#   dir PATH
#   free KIBIBYTES
#   part SIZE PATH   for each file that the same user began to upload, if nobody
#                    has written to it for ten seconds: it may be in use
# What is older than a day is removed: nobody goes on with it. POSIX sh; needs
# mktemp, find, stat and df (coreutils and findutils, or busybox).
set -eu
LC_ALL=C
export LC_ALL
umask 077

ours() { find "$1" -maxdepth 1 -type d -name 'provision-*' -user "$(id -u)" -perm 700 "$2" "$3"; }

ours "$1" -mtime +0 | while IFS= read -r old; do rm -rf -- "$old"; done
now=$(date +%s)
ours "$1" -mtime -1 | while IFS= read -r old; do
	for part in "$old"/*.part; do
		[ -f "$part" ] || continue
		seen=$(stat -c '%Y %s' -- "$part") || continue
		[ $((now - ${seen% *})) -lt 10 ] || echo "part ${seen#* } $part"
	done
done
dir=$(mktemp -d -- "$1/provision-XXXXXXXXXX")
echo "dir $dir"
df -Pk -- "$dir" | {
	read -r _
	read -r _ _ _ free _
	echo "free $free"
}
