# Waits until systemd has nothing left to start. "degraded" means a failed unit.
command -v systemctl >/dev/null || { echo "no systemd"; exit 77; }
state=$(systemctl is-system-running --wait)
[ "$state" = running ] && exit 0
echo "systemctl is-system-running says '$state', expected 'running'"
systemctl --failed --plain --no-legend --no-pager
systemctl list-jobs --no-legend --no-pager
exit 1
