# first_boot=0|1
[ -d /etc/ssh ] || { echo "the image has no SSH server"; exit 77; }
booted=$(awk '$1 == "btime" { print $2 }' /proc/stat)
count=0
bad=0
for key in /etc/ssh/ssh_host_*_key; do
    [ -e "$key" ] || continue
    count=$((count + 1))
    mode=$(stat -c %a "$key")
    case $mode in
        600 | 640 | 400) ;;
        *) echo "$key has mode $mode, expected 600"; bad=1 ;;
    esac
    made=$(stat -c %Y "$key")
    if [ "$first_boot" = 1 ] && [ "$made" -lt $((booted - 5)) ]; then
        echo "$key is $((booted - made)) s older than this first boot: the image brought it along"
        bad=1
    fi
done
[ $count -gt 0 ] || { echo "there is no /etc/ssh/ssh_host_*_key"; exit 1; }
exit $bad
