//! Image containers: sparse reading, qcow2, FAT, checksums, conversions, outputs that get their name when complete
