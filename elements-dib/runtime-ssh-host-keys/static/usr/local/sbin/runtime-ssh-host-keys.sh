#!/bin/bash
# Makes the keys of this machine that are missing.
set -eu -o pipefail

missing=
for kind in rsa ecdsa ed25519; do
    [ -s "/etc/ssh/ssh_host_${kind}_key" ] || missing=yes
done
[ -z "$missing" ] || ssh-keygen -A
