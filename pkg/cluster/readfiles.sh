#!/bin/sh
# Prints the files that are named: of each its size in bytes on a line, then its
# bytes. A file that is not there is a line "-".
set -eu
for file; do
	if ! [ -f "$file" ]; then
		echo -
		continue
	fi
	size=$(wc -c <"$file")
	echo "$((size))"
	cat <"$file"
done
