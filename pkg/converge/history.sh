# Tells what the runs that a host remembers did to it, and changes nothing. The
# argument is a run whose old record is told as well, or "-". POSIX sh; needs
# coreutils (or busybox).
set -u
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
exec 3<&0 </dev/null
home=/var/lib/provision

echo "== begin"
echo "== record-sum"
[ ! -r "$home/record.json" ] || sha256sum <"$home/record.json"
echo "== record"
[ ! -r "$home/record.json" ] || cat "$home/record.json"
echo
echo "== before"
[ ! -r "$home/runs/$1/record.json" ] || cat "$home/runs/$1/record.json"
echo
echo "== order"
[ ! -r "$home/runs/order" ] || cat "$home/runs/order"
[ ! -r "$home/runs/order" ] || while IFS= read -r past; do
	[ -r "$home/runs/$past/log" ] || continue
	echo "== run $past"
	cat "$home/runs/$past/run.json" "$home/runs/$past/log"
done <"$home/runs/order"
echo "== end"
