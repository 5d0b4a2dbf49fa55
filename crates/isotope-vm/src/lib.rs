//! QEMU, QMP, seeds, guest checks
