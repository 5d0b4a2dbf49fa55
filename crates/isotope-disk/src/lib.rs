//! Partition tables, loop devices, mkfs, mounts, population, fstab
