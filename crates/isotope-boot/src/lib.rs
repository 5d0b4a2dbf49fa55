//! GRUB images, BLS entries and grub.cfg, written without grub-install
