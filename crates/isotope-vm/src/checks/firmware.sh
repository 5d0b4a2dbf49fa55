# firmware=bios|uefi|secure-boot
efi=/sys/firmware/efi
if [ "$firmware" = bios ]; then
    [ -d $efi ] || exit 0
    echo "$efi exists: the guest was booted by UEFI, expected BIOS"
    exit 1
fi
[ -d $efi ] || { echo "$efi does not exist: the guest was booted by BIOS, expected UEFI"; exit 1; }
[ "$firmware" = uefi ] && exit 0
mountpoint -q $efi/efivars || mount -t efivarfs efivarfs $efi/efivars
variable=$efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
state=$(od -An -tu1 -j4 -N1 "$variable" | tr -d ' ')
[ "$state" = 1 ] || { echo "the variable SecureBoot is '$state', expected 1"; exit 1; }
lockdown=$(cat /sys/kernel/security/lockdown 2>/dev/null)
case $lockdown in
    *"[integrity]"* | *"[confidentiality]"*) exit 0 ;;
    "") echo "Secure Boot is on; the kernel knows no lockdown"; exit 0 ;;
esac
echo "Secure Boot is on, but the kernel is not locked down: $lockdown"
exit 1
