# expected=the name in the seed
name=$(cat /proc/sys/kernel/hostname)
[ "$name" = "$expected" ] && exit 0
echo "the host name is '$name', expected '$expected'"
exit 1
