//! What a partition is for, in the words of each table: type GUIDs (UAPI.2, Discoverable Partitions) and MBR type bytes.

use isotope_plan::Arch;
use isotope_plan::layout::{FilesystemKind, Layout, Partition, PartitionKind};
use serde::{Serialize, Serializer};
use std::fmt;
use uuid::{Uuid, uuid};

const BIOS_BOOT: Uuid = uuid!("21686148-6449-6e6f-744e-656564454649");
const ESP: Uuid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
const SWAP: Uuid = uuid!("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f");
const ROOT_X86_64: Uuid = uuid!("4f68bce3-e8cd-4db1-96e7-fbcaf984b709");
const ROOT_AARCH64: Uuid = uuid!("b921b045-1df0-41c3-af44-4c6f280d3fae");
const XBOOTLDR: Uuid = uuid!("bc13c2ff-59e6-4262-a352-b275fd6f7172");
const LINUX: Uuid = uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4");
const HOME: Uuid = uuid!("933ac7e1-2eb4-4f13-b844-0e14e2aef915");
const SRV: Uuid = uuid!("3b8f8425-20e0-4f3b-907f-1a25a76f98e8");
const VAR: Uuid = uuid!("4d21b016-b534-45c2-a9fb-5c16e091fd2d");
const VAR_TMP: Uuid = uuid!("7ec6f557-3bc5-4aca-b293-16ef5df639d1");

/// The type of a partition as its table says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionType {
    /// GPT type GUID.
    Gpt(Uuid),
    /// MBR type byte.
    Mbr(u8),
}

impl PartitionType {
    /// Its name for people, where it is a usual one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gpt(BIOS_BOOT) => "BIOS boot",
            Self::Gpt(ESP) | Self::Mbr(0xEF) => "EFI system",
            Self::Gpt(SWAP) | Self::Mbr(0x82) => "Linux swap",
            Self::Gpt(ROOT_X86_64) => "Linux root (x86-64)",
            Self::Gpt(ROOT_AARCH64) => "Linux root (ARM-64)",
            Self::Gpt(XBOOTLDR) => "Linux extended boot",
            Self::Gpt(HOME) => "Linux home",
            Self::Gpt(SRV) => "Linux server data",
            Self::Gpt(VAR) => "Linux variable data",
            Self::Gpt(VAR_TMP) => "Linux temporary data",
            Self::Gpt(LINUX) | Self::Mbr(0x83) => "Linux filesystem",
            Self::Mbr(0x0B | 0x0C | 0x0E | 0x06) => "FAT",
            Self::Mbr(0x05 | 0x0F) => "extended",
            Self::Mbr(0xEE) => "GPT protective",
            _ => "unknown",
        }
    }
}

impl fmt::Display for PartitionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gpt(guid) => write!(f, "{guid}"),
            Self::Mbr(byte) => write!(f, "0x{byte:02x}"),
        }
    }
}

impl Serialize for PartitionType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The GPT type GUID of a partition.
#[must_use]
pub fn gpt_type(partition: &Partition, arch: Arch) -> Uuid {
    let mount =
        partition.filesystem.as_ref().and_then(|filesystem| filesystem.mount.as_ref()).map(|mount| mount.path.as_str());
    match (partition.kind, arch, mount) {
        (PartitionKind::BiosBoot, _, _) => BIOS_BOOT,
        (PartitionKind::Esp, _, _) => ESP,
        (PartitionKind::Swap, _, _) => SWAP,
        (PartitionKind::Root, Arch::X86_64, _) => ROOT_X86_64,
        (PartitionKind::Root, Arch::Aarch64, _) => ROOT_AARCH64,
        (PartitionKind::Boot, _, _) => XBOOTLDR,
        (PartitionKind::Linux, _, Some("/home")) => HOME,
        (PartitionKind::Linux, _, Some("/srv")) => SRV,
        (PartitionKind::Linux, _, Some("/var")) => VAR,
        (PartitionKind::Linux, _, Some("/var/tmp")) => VAR_TMP,
        (PartitionKind::Linux, _, _) => LINUX,
    }
}

/// The MBR type byte of a partition; `None` for a BIOS boot partition, which only a GPT needs.
#[must_use]
pub fn mbr_type(partition: &Partition) -> Option<u8> {
    let fat = partition.filesystem.as_ref().is_some_and(|filesystem| filesystem.kind == FilesystemKind::Fat);
    match partition.kind {
        PartitionKind::BiosBoot => None,
        PartitionKind::Esp => Some(0xEF),
        PartitionKind::Swap => Some(0x82),
        _ if fat => Some(0x0C),
        PartitionKind::Root | PartitionKind::Boot | PartitionKind::Linux => Some(0x83),
    }
}

/// The MBR disk signature: the first eight hexadecimal digits of the disk's GUID, so that `PARTUUID=` of its partitions is those
/// digits and the number.
#[must_use]
pub fn disk_signature(layout: &Layout) -> u32 {
    layout.disk_id.as_fields().0
}
