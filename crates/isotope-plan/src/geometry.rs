//! Where partitions lie: a layout and the size of what goes into it, placed on sectors. Pure; touches no disk.
//!
//! * The first partition starts at 1 MiB or at the first multiple of the alignment behind the table, whichever is later: what lies
//!   before it is the table and, on MBR disks, the gap for GRUB's core image.
//! * GPT keeps 33 sectors of 512 bytes (5 of 4096) at the end of the disk for its second copy.
//! * `Fixed` is rounded up to the alignment, `Percent` (of the space between the first partition and the end of the last) down.
//! * `Auto` is what [`overhead::comfortable`] says. `Rest` takes what the others leave, and on a disk of size auto its `Auto` size.
//! * A disk of size auto ends right behind its last partition (and second table), rounded up to whole MiB.

pub mod overhead;

use crate::layout::{
    DiskSize, Filesystem, FilesystemKind, Layout, Partition, PartitionKind, PartitionSize, SectorSize, Table,
};
use isotope_element::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const MIB: u64 = 1 << 20;
/// Sizes beyond this are refused, which keeps every sum below in range.
const LARGEST: u64 = 1 << 50;
/// A whole, in the unit of [`PartitionSize::Percent`].
const WHOLE: u64 = 10_000;
/// A GPT of 128 entries of 128 bytes.
const GPT_ENTRIES_BYTES: u64 = 128 * 128;

/// What goes into the filesystems, by mount point (`/`, `/boot`, …), each without what lies in a nested mount point.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContentSizes {
    /// Content of each mount point; a mount point that is not named has none.
    pub mounts: BTreeMap<String, Content>,
}

impl ContentSizes {
    /// What goes into a partition: nothing, if it is not mounted.
    #[must_use]
    pub fn of(&self, filesystem: &Filesystem) -> Content {
        let mount = filesystem.mount.as_ref();
        mount.and_then(|mount| self.mounts.get(&mount.path)).copied().unwrap_or_default()
    }
}

/// Content of one filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Content {
    /// Blocks of files, directories and long links, each rounded up to 4 KiB.
    pub bytes: Bytes,
    /// Files, directories, links and nodes; a file with several names counts once.
    pub inodes: u64,
}

/// A layout placed on sectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    /// Logical sector size.
    pub sector_size: SectorSize,
    /// Sectors of the whole disk.
    pub total_sectors: u64,
    /// In disk order.
    pub partitions: Vec<Placed>,
}

/// A partition placed on sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Its number, from 1.
    pub number: u32,
    /// Its first sector.
    pub first_lba: u64,
    /// Its last sector.
    pub last_lba: u64,
}

impl Placed {
    /// Its length in sectors.
    #[must_use]
    pub const fn sectors(&self) -> u64 {
        self.last_lba - self.first_lba + 1
    }
}

impl Geometry {
    /// Size of the whole disk.
    #[must_use]
    pub fn total_bytes(&self) -> Bytes {
        Bytes(self.total_sectors * self.sector_size.bytes())
    }

    /// The partition with this number.
    #[must_use]
    pub fn partition(&self, number: u32) -> Option<&Placed> {
        self.partitions.iter().find(|placed| placed.number == number)
    }

    /// First byte of a partition.
    #[must_use]
    pub fn offset(&self, placed: &Placed) -> u64 {
        placed.first_lba * self.sector_size.bytes()
    }

    /// Length of a partition in bytes.
    #[must_use]
    pub fn length(&self, placed: &Placed) -> u64 {
        placed.sectors() * self.sector_size.bytes()
    }
}

/// Why a layout cannot be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// The partitions together are larger than the disk.
    #[error("the partitions ({list}) need a disk of {needs}, but its size is fixed at {has}; make it larger or `auto`")]
    DiskTooSmall {
        /// Smallest disk that would do.
        needs: Bytes,
        /// Size of the disk.
        has: Bytes,
        /// The partitions with their sizes.
        list: String,
    },
    /// A partition cannot hold what goes into it.
    #[error("partition `{name}` needs {needs} for {what}, but gets {has}; give it more, or size `auto`")]
    PartitionTooSmall {
        /// The partition.
        name: String,
        /// What it must hold.
        what: String,
        /// Smallest size that would do.
        needs: Bytes,
        /// What it gets.
        has: Bytes,
    },
    /// A partition of size auto that has nothing to be sized from.
    #[error("partition `{name}` has size `auto`, but {why}; give it a size")]
    NoAutoSize {
        /// The partition.
        name: String,
        /// What is missing.
        why: &'static str,
    },
    /// Percentages leave nothing for the partitions beside them.
    #[error("the partitions sized in percent take {}.{:02} % of the disk, and others stand beside them; together they may take less than 100 %", hundredths / 100, hundredths % 100)]
    TooManyPercent {
        /// Their sum in hundredths of a percent.
        hundredths: u64,
    },
    /// More than one partition takes the rest.
    #[error("partitions `{first}` and `{second}` both have size `rest`; only one can take what the others leave")]
    TwoRests {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// More partitions than the table holds.
    #[error("a {table} table holds {limit} partitions, not {count}")]
    TooManyPartitions {
        /// `GPT` or `MBR`.
        table: &'static str,
        /// How many there are.
        count: usize,
        /// How many it holds.
        limit: usize,
    },
    /// The alignment is not a multiple of the sector size.
    #[error("the alignment of {align} is not a multiple of the sector size of {sector} bytes")]
    Alignment {
        /// Alignment asked for.
        align: Bytes,
        /// Sector size.
        sector: u64,
    },
    /// The disk does not end at the end of a sector.
    #[error("the disk size of {} bytes is not a multiple of the sector size of {sector} bytes", size.0)]
    NotWholeSectors {
        /// Size asked for.
        size: Bytes,
        /// Sector size.
        sector: u64,
    },
    /// Larger than the table can say, or than anything sensible.
    #[error("{what} is {size}; at most {limit} is possible here")]
    TooLarge {
        /// A partition or the disk.
        what: String,
        /// How large it would be.
        size: Bytes,
        /// How large it may be.
        limit: Bytes,
    },
}

/// Places `layout` on sectors.
///
/// # Errors
/// Something does not fit; the error names the partition, what it needs and what there is.
pub fn place(layout: &Layout, content: &ContentSizes) -> Result<Geometry, GeometryError> {
    let frame = Frame::of(layout)?;
    let wants =
        layout.partitions.iter().map(|p| Want::of(p, layout, content, &frame)).collect::<Result<Vec<_>, _>>()?;
    let rests: Vec<_> = wants.iter().filter(|want| want.size == Size::Rest).collect();
    if let [first, second, ..] = rests[..] {
        return Err(GeometryError::TwoRests { first: first.name.to_owned(), second: second.name.to_owned() });
    }
    let total = match layout.size {
        DiskSize::Fixed(size) => frame.check_fixed(size)?,
        DiskSize::Auto => frame.disk_for(frame.span_for(&wants)?),
    };
    let sizes = frame.divide(&wants, total)?;
    let sector = frame.sector;
    let mut next = frame.first;
    let mut partitions = Vec::with_capacity(sizes.len());
    for (partition, size) in layout.partitions.iter().zip(sizes) {
        partitions.push(Placed {
            number: partition.number,
            first_lba: next / sector,
            last_lba: (next + size) / sector - 1,
        });
        next += size;
    }
    if layout.table == Table::Mbr && total / sector > u64::from(u32::MAX) {
        let limit = Bytes(u64::from(u32::MAX) * sector);
        return Err(GeometryError::TooLarge { what: "a disk with an MBR table".into(), size: Bytes(total), limit });
    }
    Ok(Geometry { sector_size: layout.sector_size, total_sectors: total / sector, partitions })
}

/// The fixed parts of the disk, in bytes.
struct Frame {
    sector: u64,
    align: u64,
    /// Start of the first partition.
    first: u64,
    /// Kept behind the last partition.
    tail: u64,
}

impl Frame {
    fn of(layout: &Layout) -> Result<Self, GeometryError> {
        let sector = layout.sector_size.bytes();
        let align = layout.align.0;
        if align == 0 || !align.is_multiple_of(sector) {
            return Err(GeometryError::Alignment { align: layout.align, sector });
        }
        if align > LARGEST {
            return Err(GeometryError::TooLarge {
                what: "the alignment".into(),
                size: layout.align,
                limit: Bytes(LARGEST),
            });
        }
        let (table, limit, tail) = match layout.table {
            Table::Gpt => ("GPT", 128, GPT_ENTRIES_BYTES + sector),
            Table::Mbr => ("MBR", 4, 0),
        };
        let count = layout.partitions.len();
        if count > limit {
            return Err(GeometryError::TooManyPartitions { table, count, limit });
        }
        Ok(Self { sector, align, first: MIB.next_multiple_of(align), tail })
    }

    fn check_fixed(&self, size: Bytes) -> Result<u64, GeometryError> {
        if !size.0.is_multiple_of(self.sector) {
            return Err(GeometryError::NotWholeSectors { size, sector: self.sector });
        }
        within_reason("the disk", size)
    }

    /// The smallest disk whose partitions span `span`.
    fn disk_for(&self, span: u64) -> u64 {
        (self.first + span + self.tail).next_multiple_of(MIB)
    }

    /// The aligned space for partitions on a disk of `total` bytes.
    fn span_on(&self, total: u64) -> u64 {
        let end = total.saturating_sub(self.tail);
        (end - end % self.align).saturating_sub(self.first)
    }

    /// The space that partitions need on a disk of size auto.
    fn span_for(&self, wants: &[Want<'_>]) -> Result<u64, GeometryError> {
        let percent: u64 = wants.iter().map(Want::percent).sum();
        let others: u64 = wants.iter().map(|want| want.absolute(want.comfortable)).sum();
        if percent > WHOLE || (percent == WHOLE && others > 0) {
            return Err(GeometryError::TooManyPercent { hundredths: percent });
        }
        let beside = if percent < WHOLE { scale(others, WHOLE, WHOLE - percent) } else { 0 };
        let within = |want: &Want<'_>| match want.size {
            Size::Percent(part) if part > 0 => scale(want.needs.max(self.align), WHOLE, part),
            _ => 0,
        };
        let span = wants.iter().map(within).fold(beside, u64::max);
        // Each share is rounded down to the alignment: one more unit makes up for it.
        let slack = if percent > 0 {
            self.align
                * (1 + scale(1, WHOLE, wants.iter().map(Want::percent).filter(|p| *p > 0).min().unwrap_or(WHOLE)))
        } else {
            0
        };
        within_reason("the disk", Bytes(span.saturating_add(slack).next_multiple_of(self.align)))
    }

    fn divide(&self, wants: &[Want<'_>], total: u64) -> Result<Vec<u64>, GeometryError> {
        let span = self.span_on(total);
        let share = |part| {
            let size = scale(span, part, WHOLE);
            size - size % self.align
        };
        let sized = |want: &Want<'_>| match want.size {
            Size::Bytes(bytes) => bytes,
            Size::Percent(part) => share(part),
            Size::Rest => 0,
        };
        let taken: u64 = wants.iter().map(sized).sum();
        let least: u64 = wants
            .iter()
            .map(|w| if w.size == Size::Rest { w.needs.next_multiple_of(self.align) } else { sized(w) })
            .sum();
        if least > span {
            let list: Vec<_> = wants.iter().map(|want| want.describe(sized(want))).collect();
            let needs = Bytes(self.disk_for(least));
            return Err(GeometryError::DiskTooSmall { needs, has: Bytes(total), list: list.join(", ") });
        }
        wants
            .iter()
            .map(|want| {
                let size = if want.size == Size::Rest { span - taken } else { sized(want) };
                if size < want.needs.max(self.align) {
                    let needs = Bytes(want.needs.max(self.align).next_multiple_of(self.align));
                    let (name, what) = (want.name.to_owned(), want.what.clone());
                    return Err(GeometryError::PartitionTooSmall { name, what, needs, has: Bytes(size) });
                }
                Ok(size)
            })
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// Aligned.
    Bytes(u64),
    Percent(u64),
    Rest,
}

/// What one partition asks for.
struct Want<'a> {
    name: &'a str,
    size: Size,
    /// Below this its content does not fit.
    needs: u64,
    /// What `auto` gives it, aligned.
    comfortable: u64,
    /// Its content, in words.
    what: String,
}

impl<'a> Want<'a> {
    fn of(
        partition: &'a Partition,
        layout: &Layout,
        content: &ContentSizes,
        frame: &Frame,
    ) -> Result<Self, GeometryError> {
        let name = partition.name.as_str();
        let content = partition.filesystem.as_ref().map(|filesystem| (filesystem, content.of(filesystem)));
        let needs = content.map_or(0, |(filesystem, content)| overhead::least(filesystem.kind, content).0);
        let auto = || {
            let auto = match (partition.kind, content) {
                (PartitionKind::BiosBoot, None) => Bytes(MIB),
                (_, None) => return Err(GeometryError::NoAutoSize { name: name.to_owned(), why: "has no filesystem" }),
                (_, Some((Filesystem { kind: FilesystemKind::Swap, .. }, _))) => {
                    return Err(GeometryError::NoAutoSize {
                        name: name.to_owned(),
                        why: "swap has no content to be sized from",
                    });
                }
                (kind, Some((filesystem, content))) => {
                    overhead::comfortable(kind, filesystem.kind, content, layout.sector_size)
                }
            };
            within_reason(&format!("partition `{name}`"), auto).map(|bytes| bytes.next_multiple_of(frame.align))
        };
        let (size, comfortable) = match (partition.size, layout.size) {
            (PartitionSize::Fixed(bytes), _) => {
                let bytes = within_reason(&format!("partition `{name}`"), bytes)?.next_multiple_of(frame.align);
                (Size::Bytes(bytes), bytes)
            }
            (PartitionSize::Percent(part), _) => (Size::Percent(part.into()), 0),
            (PartitionSize::Auto, _) => auto().map(|bytes| (Size::Bytes(bytes), bytes))?,
            (PartitionSize::Rest, DiskSize::Auto) => (Size::Rest, auto()?),
            (PartitionSize::Rest, DiskSize::Fixed(_)) => (Size::Rest, 0),
        };
        let what = match content {
            Some((filesystem, content)) if content != Content::default() => {
                format!(
                    "{} of content in {} files on {}",
                    content.bytes,
                    content.inodes,
                    overhead::name(filesystem.kind)
                )
            }
            Some((filesystem, _)) => format!("an empty {}", overhead::name(filesystem.kind)),
            None => "itself".to_owned(),
        };
        Ok(Self { name, size, needs, comfortable, what })
    }

    fn percent(&self) -> u64 {
        if let Size::Percent(part) = self.size { part } else { 0 }
    }

    /// Its size where it is absolute; `rest` where it takes the rest.
    fn absolute(&self, rest: u64) -> u64 {
        match self.size {
            Size::Bytes(bytes) => bytes,
            Size::Percent(_) => 0,
            Size::Rest => rest,
        }
    }

    fn describe(&self, sized: u64) -> String {
        match self.size {
            Size::Rest if self.needs > 0 => format!("`{}` the rest, at least {}", self.name, Bytes(self.needs)),
            Size::Rest => format!("`{}` the rest", self.name),
            _ => format!("`{}` {}", self.name, Bytes(sized)),
        }
    }
}

fn within_reason(what: &str, size: Bytes) -> Result<u64, GeometryError> {
    if size.0 > LARGEST {
        return Err(GeometryError::TooLarge { what: what.to_owned(), size, limit: Bytes(LARGEST) });
    }
    Ok(size.0)
}

/// `value × numerator / denominator`, rounded up where it grows and down where it shrinks, saturating.
fn scale(value: u64, numerator: u64, denominator: u64) -> u64 {
    let product = u128::from(value) * u128::from(numerator);
    let denominator = u128::from(denominator);
    let scaled = if numerator > u64::try_from(denominator).unwrap_or(0) {
        product.div_ceil(denominator)
    } else {
        product / denominator
    };
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
