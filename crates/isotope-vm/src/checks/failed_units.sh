command -v systemctl >/dev/null || { echo "no systemd"; exit 77; }
failed=$(systemctl --failed --plain --no-legend --no-pager)
[ -z "$failed" ] && exit 0
echo "$failed"
for unit in $(echo "$failed" | awk '{ print $1 }'); do
    systemctl status --no-pager --full --lines=15 "$unit"
done
exit 1
