# first_boot=0|1  image_id=the image's own, or empty
id=$(cat /etc/machine-id) || exit 1
case $id in
    *[!0-9a-f]* | "") echo "/etc/machine-id is '$id', expected 32 hexadecimal digits"; exit 1 ;;
esac
[ ${#id} = 32 ] || { echo "/etc/machine-id has ${#id} digits, expected 32"; exit 1; }
[ "$id" != "$image_id" ] || { echo "the machine-id $id is the image's own: every machine would have it"; exit 1; }
[ "$first_boot" = 1 ] || exit 0
booted=$(awk '$1 == "btime" { print $2 }' /proc/stat)
made=$(stat -c %Y /etc/machine-id)
[ "$made" -ge $((booted - 5)) ] && exit 0
echo "/etc/machine-id is $((booted - made)) s older than this first boot: the image brought it along"
exit 1
