# Makes a private directory for uploads and tells of what earlier ones left.
# Argument: the directory to make it in. Prints
#   dir PATH
#   free KIBIBYTES
#   part SIZE PATH   a file that the same user began to upload, for each
# What is older than a day is removed: nobody goes on with it. POSIX sh; needs
# mktemp, find and df (coreutils and findutils, or busybox).
set -eu
LC_ALL=C
export LC_ALL
umask 077

ours() { find "$1" -maxdepth 1 -type d -name 'provision-*' -user "$(id -u)" -perm 700 "$2" "$3"; }

ours "$1" -mtime +0 | while IFS= read -r old; do rm -rf -- "$old"; done
ours "$1" -mtime -1 | while IFS= read -r old; do
	for part in "$old"/*.part; do
		[ ! -f "$part" ] || echo "part $(($(wc -c <"$part"))) $part"
	done
done
dir=$(mktemp -d -- "$1/provision-XXXXXXXXXX")
echo "dir $dir"
df -Pk -- "$dir" | {
	read -r _
	read -r _ _ _ free _
	echo "free $free"
}
