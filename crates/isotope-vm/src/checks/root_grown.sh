# The partition of / must end where its disk ends, and the filesystem must fill the partition.
source=$(awk '$5 == "/" { for (i = 7; i < NF; i++) if ($i == "-") print $(i + 2) }' /proc/self/mountinfo | tail -n 1)
device=$(readlink -f "$source")
if [ -b "$device" ]; then
    node=/sys/class/block/$(basename "$device")
else
    node=/sys/dev/block/$(awk '$5 == "/" { print $3 }' /proc/self/mountinfo | tail -n 1)
fi
[ -e "$node" ] || { echo "/ is on '$source', which is no block device"; exit 77; }
node=$(readlink -f "$node")
size=$(cat "$node/size")
if [ -e "$node/partition" ]; then
    start=$(cat "$node/start")
    disk=$(cat "$(dirname "$node")/size")
    left=$((disk - start - size))
    # Sectors of 512 bytes: growpart keeps 1 MiB and the second GPT free.
    if [ $left -gt 6144 ]; then
        echo "$((left / 2048)) MiB are unused behind the partition of / ($source, $((size / 2048)) of $((disk / 2048)) MiB)"
        exit 1
    fi
fi
filesystem=$(df -B512 -P / | awk 'NR == 2 { print $2 }')
# A filesystem's own structures take a few percent.
[ "$filesystem" -ge $((size / 100 * 88)) ] && exit 0
echo "the filesystem of / has $((filesystem / 2048)) MiB, its partition $((size / 2048)) MiB"
exit 1
