//! diskimage-builder's contract with elements, point by point (facts/diskimage-builder.md §1.7, docs/diskimage-builder.md), through
//! `disk-image-create`; and the same record of it from diskimage-builder itself, with every difference listed.

mod compare;
mod points;
mod user;
mod world;
