# Exit status of `cloud-init status`: 0 done, 1 error, 2 done but with recoverable errors.
command -v cloud-init >/dev/null || { echo "the image has no cloud-init"; exit 77; }
cloud-init status --wait >/dev/null
status=$?
[ "$status" = 0 ] && exit 0
echo "cloud-init status ended with $status, expected 0"
cloud-init status --long
exit 1
