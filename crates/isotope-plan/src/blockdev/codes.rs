//! Types of GPT partitions by the codes of sgdisk, which block device configurations use (`EF00`, `8300`), and their GUIDs.
//!
//! The facts are those of `sgdisk -L` and `sgdisk -i` (1.0.9); a test of isotope-disk compares each with the sgdisk of the host.

use uuid::{Uuid, uuid};

/// What sgdisk takes where it does not know a code.
const LINUX: Uuid = uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4");

/// What a code or GUID means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// This type.
    Known(Uuid),
    /// A code that sgdisk does not know, and takes for a Linux filesystem.
    Unknown(Uuid),
}

/// Reads a code of up to four hexadecimal digits, or a GUID; `None`: neither.
pub(super) fn read(text: &str) -> Option<Code> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    if (1..=4).contains(&digits.len()) {
        let code = u16::from_str_radix(digits, 16).ok().filter(|_| digits.chars().all(|c| c.is_ascii_hexdigit()))?;
        return Some(guid(code).map_or(Code::Unknown(LINUX), Code::Known));
    }
    Uuid::try_parse(text).ok().map(Code::Known)
}

/// The GUID of a code.
#[must_use]
pub fn guid(code: u16) -> Option<Uuid> {
    CODES.binary_search_by_key(&code, |(code, _)| *code).ok().map(|index| CODES[index].1)
}

/// All codes, sorted.
pub const CODES: &[(u16, Uuid)] = &[
    (0x0700, uuid!("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")), // Microsoft basic data
    (0x0701, uuid!("558d43c5-a1ac-43c0-aac8-d1472b2923d1")), // Microsoft Storage Replica
    (0x0702, uuid!("90b6ff38-b98f-4358-a21f-48f35b4a8ad3")), // ArcaOS Type 1
    (0x0c01, uuid!("e3c9e316-0b5c-4db8-817d-f92df00215ae")), // Microsoft reserved
    (0x2700, uuid!("de94bba4-06d1-4d40-a16a-bfd50179d6ac")), // Windows RE
    (0x3000, uuid!("7412f7d5-a156-4b13-81dc-867174929325")), // ONIE boot
    (0x3001, uuid!("d4e6e2cd-4469-46f3-b5cb-1bff57afc149")), // ONIE config
    (0x3900, uuid!("c91818f9-8025-47af-89d2-f030d7000c2c")), // Plan 9
    (0x4100, uuid!("9e1a2d38-c612-4316-aa26-8b49521e5a8b")), // PowerPC PReP boot
    (0x4200, uuid!("af9b60a0-1431-4f62-bc68-3311714a69ad")), // Windows LDM data
    (0x4201, uuid!("5808c8aa-7e8f-42e0-85d2-e1e90434cfb3")), // Windows LDM metadata
    (0x4202, uuid!("e75caf8f-f680-4cee-afa3-b001e56efc2d")), // Windows Storage Spaces
    (0x7501, uuid!("37affc90-ef7d-4e96-91c3-2d7ae055b174")), // IBM GPFS
    (0x7f00, uuid!("fe3a2a5d-4f32-41a7-b725-accc3285a309")), // ChromeOS kernel
    (0x7f01, uuid!("3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec")), // ChromeOS root
    (0x7f02, uuid!("2e0a753d-9e48-43b0-8337-b15192cb1b5e")), // ChromeOS reserved
    (0x7f03, uuid!("cab6e88e-abf3-4102-a07a-d4bb9be3c1d3")), // ChromeOS firmware
    (0x7f04, uuid!("09845860-705f-4bb5-b16c-8a8a099caf52")), // ChromeOS mini-OS
    (0x7f05, uuid!("3f0f8318-f146-4e6b-8222-c28c8f02e0d5")), // ChromeOS hibernate
    (0x8200, uuid!("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f")), // Linux swap
    (0x8300, uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4")), // Linux filesystem
    (0x8301, uuid!("8da63339-0007-60c0-c436-083ac8230908")), // Linux reserved
    (0x8302, uuid!("933ac7e1-2eb4-4f13-b844-0e14e2aef915")), // Linux /home
    (0x8303, uuid!("44479540-f297-41b2-9af7-d131d5f0458a")), // Linux x86 root (/)
    (0x8304, uuid!("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")), // Linux x86-64 root (/)
    (0x8305, uuid!("b921b045-1df0-41c3-af44-4c6f280d3fae")), // Linux ARM64 root (/)
    (0x8306, uuid!("3b8f8425-20e0-4f3b-907f-1a25a76f98e8")), // Linux /srv
    (0x8307, uuid!("69dad710-2ce4-4e3c-b16c-21a1d49abed3")), // Linux ARM32 root (/)
    (0x8308, uuid!("7ffec5c9-2d00-49b7-8941-3ea10a5586b7")), // Linux dm-crypt
    (0x8309, uuid!("ca7d7ccb-63ed-4c53-861c-1742536059cc")), // Linux LUKS
    (0x830a, uuid!("993d8d3d-f80e-4225-855a-9daf8ed7ea97")), // Linux IA-64 root (/)
    (0x830b, uuid!("d13c5d3b-b5d1-422a-b29f-9454fdc89d76")), // Linux x86 root verity
    (0x830c, uuid!("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5")), // Linux x86-64 root verity
    (0x830d, uuid!("7386cdf2-203c-47a9-a498-f2ecce45a2d6")), // Linux ARM32 root verity
    (0x830e, uuid!("df3300ce-d69f-4c92-978c-9bfb0f38d820")), // Linux ARM64 root verity
    (0x830f, uuid!("86ed10d5-b607-45bb-8957-d350f23d0571")), // Linux IA-64 root verity
    (0x8310, uuid!("4d21b016-b534-45c2-a9fb-5c16e091fd2d")), // Linux /var
    (0x8311, uuid!("7ec6f557-3bc5-4aca-b293-16ef5df639d1")), // Linux /var/tmp
    (0x8312, uuid!("773f91ef-66d4-49b5-bd83-d683bf40ad16")), // Linux user's home
    (0x8313, uuid!("75250d76-8cc6-458e-bd66-bd47cc81a812")), // Linux x86 /usr
    (0x8314, uuid!("8484680c-9521-48c6-9c11-b0720656f69e")), // Linux x86-64 /usr
    (0x8315, uuid!("7d0359a3-02b3-4f0a-865c-654403e70625")), // Linux ARM32 /usr
    (0x8316, uuid!("b0e01050-ee5f-4390-949a-9101b17104e9")), // Linux ARM64 /usr
    (0x8317, uuid!("4301d2a6-4e3b-4b2a-bb94-9e0b2c4225ea")), // Linux IA-64 /usr
    (0x8318, uuid!("8f461b0d-14ee-4e81-9aa9-049b6fb97abd")), // Linux x86 /usr verity
    (0x8319, uuid!("77ff5f63-e7b6-4633-acf4-1565b864c0e6")), // Linux x86-64 /usr verity
    (0x831a, uuid!("c215d751-7bcd-4649-be90-6627490a4c05")), // Linux ARM32 /usr verity
    (0x831b, uuid!("6e11a4e7-fbca-4ded-b9e9-e1a512bb664e")), // Linux ARM64 /usr verity
    (0x831c, uuid!("6a491e03-3be7-4545-8e38-83320e0ea880")), // Linux IA-64 /usr verity
    (0x8400, uuid!("d3bfe2de-3daf-11df-ba40-e3a556d89593")), // Intel Rapid Start
    (0x8401, uuid!("7c5222bd-8f5d-4087-9c00-bf9843c7b58c")), // SPDK block device
    (0x8500, uuid!("5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6")), // Container Linux /usr
    (0x8501, uuid!("3884dd41-8582-4404-b9a8-e9b84f2df50e")), // Container Linux resizable rootfs
    (0x8502, uuid!("c95dc21a-df0e-4340-8d7b-26cbfa9a03e0")), // Container Linux /OEM customizations
    (0x8503, uuid!("be9067b9-ea49-4f15-b4f6-f36f8c9e1818")), // Container Linux root on RAID
    (0x8e00, uuid!("e6d6d379-f507-44c2-a23c-238f2a3df928")), // Linux LVM
    (0xa000, uuid!("2568845d-2332-4675-bc39-8fa5a4748d15")), // Android bootloader
    (0xa001, uuid!("114eaffe-1552-4022-b26e-9b053604cf84")), // Android bootloader 2
    (0xa002, uuid!("49a4d17f-93a3-45c1-a0de-f50b2ebe2599")), // Android boot 1
    (0xa003, uuid!("4177c722-9e92-4aab-8644-43502bfd5506")), // Android recovery 1
    (0xa004, uuid!("ef32a33b-a409-486c-9141-9ffb711f6266")), // Android misc
    (0xa005, uuid!("20ac26be-20b7-11e3-84c5-6cfdb94711e9")), // Android metadata
    (0xa006, uuid!("38f428e6-d326-425d-9140-6e0ea133647c")), // Android system 1
    (0xa007, uuid!("a893ef21-e428-470a-9e55-0668fd91a2d9")), // Android cache
    (0xa008, uuid!("dc76dda9-5ac1-491c-af42-a82591580c0d")), // Android data
    (0xa009, uuid!("ebc597d0-2053-4b15-8b64-e0aac75f4db1")), // Android persistent
    (0xa00a, uuid!("8f68cc74-c5e5-48da-be91-a0c8c15e9c80")), // Android factory
    (0xa00b, uuid!("767941d0-2085-11e3-ad3b-6cfdb94711e9")), // Android fastboot/tertiary
    (0xa00c, uuid!("ac6d7924-eb71-4df8-b48d-e267b27148ff")), // Android OEM
    (0xa00d, uuid!("c5a0aeec-13ea-11e5-a1b1-001e67ca0c3c")), // Android vendor
    (0xa00e, uuid!("bd59408b-4514-490d-bf12-9878d963f378")), // Android config
    (0xa00f, uuid!("9fdaa6ef-4b3f-40d2-ba8d-bff16bfb887b")), // Android factory (alt)
    (0xa010, uuid!("19a710a2-b3ca-11e4-b026-10604b889dcf")), // Android meta
    (0xa011, uuid!("193d1ea4-b3ca-11e4-b075-10604b889dcf")), // Android EXT
    (0xa012, uuid!("dea0ba2c-cbdd-4805-b4f9-f428251c3e98")), // Android SBL1
    (0xa013, uuid!("8c6b52ad-8a9e-4398-ad09-ae916e53ae2d")), // Android SBL2
    (0xa014, uuid!("05e044df-92f1-4325-b69e-374a82e97d6e")), // Android SBL3
    (0xa015, uuid!("400ffdcd-22e0-47e7-9a23-f16ed9382388")), // Android APPSBL
    (0xa016, uuid!("a053aa7f-40b8-4b1c-ba08-2f68ac71a4f4")), // Android QSEE/tz
    (0xa017, uuid!("e1a6a689-0c8d-4cc6-b4e8-55a4320fbd8a")), // Android QHEE/hyp
    (0xa018, uuid!("098df793-d712-413d-9d4e-89d711772228")), // Android RPM
    (0xa019, uuid!("d4e0d938-b7fa-48c1-9d21-bc5ed5c4b203")), // Android WDOG debug/sdi
    (0xa01a, uuid!("20a0c19c-286a-42fa-9ce7-f64c3226a794")), // Android DDR
    (0xa01b, uuid!("a19f205f-ccd8-4b6d-8f1e-2d9bc24cffb1")), // Android CDT
    (0xa01c, uuid!("66c9b323-f7fc-48b6-bf96-6f32e335a428")), // Android RAM dump
    (0xa01d, uuid!("303e6ac3-af15-4c54-9e9b-d9a8fbecf401")), // Android SEC
    (0xa01e, uuid!("c00eef24-7709-43d6-9799-dd2b411e7a3c")), // Android PMIC
    (0xa01f, uuid!("82acc91f-357c-4a68-9c8f-689e1b1a23a1")), // Android misc 1
    (0xa020, uuid!("e2802d54-0545-e8a1-a1e8-c7a3e245acd4")), // Android misc 2
    (0xa021, uuid!("65addcf4-0c5c-4d9a-ac2d-d90b5cbfcd03")), // Android device info
    (0xa022, uuid!("e6e98da2-e22a-4d12-ab33-169e7deaa507")), // Android APDP
    (0xa023, uuid!("ed9e8101-05fa-46b7-82aa-8d58770d200b")), // Android MSADP
    (0xa024, uuid!("11406f35-1173-4869-807b-27df71802812")), // Android DPO
    (0xa025, uuid!("9d72d4e4-9958-42da-ac26-bea7a90b0434")), // Android recovery 2
    (0xa026, uuid!("6c95e238-e343-4ba8-b489-8681ed22ad0b")), // Android persist
    (0xa027, uuid!("ebbeadaf-22c9-e33b-8f5d-0e81686a68cb")), // Android modem ST1
    (0xa028, uuid!("0a288b1f-22c9-e33b-8f5d-0e81686a68cb")), // Android modem ST2
    (0xa029, uuid!("57b90a16-22c9-e33b-8f5d-0e81686a68cb")), // Android FSC
    (0xa02a, uuid!("638ff8e2-22c9-e33b-8f5d-0e81686a68cb")), // Android FSG 1
    (0xa02b, uuid!("2013373e-1ac4-4131-bfd8-b6a7ac638772")), // Android FSG 2
    (0xa02c, uuid!("2c86e742-745e-4fdd-bfd8-b6a7ac638772")), // Android SSD
    (0xa02d, uuid!("de7d4029-0f5b-41c8-ae7e-f6c023a02b33")), // Android keystore
    (0xa02e, uuid!("323ef595-af7a-4afa-8060-97be72841bb9")), // Android encrypt
    (0xa02f, uuid!("45864011-cf89-46e6-a445-85262e065604")), // Android EKSST
    (0xa030, uuid!("8ed8ae95-597f-4c8a-a5bd-a7ff8e4dfaa9")), // Android RCT
    (0xa031, uuid!("df24e5ed-8c96-4b86-b00b-79667dc6de11")), // Android spare1
    (0xa032, uuid!("7c29d3ad-78b9-452e-9deb-d098d542f092")), // Android spare2
    (0xa033, uuid!("379d107e-229e-499d-ad4f-61f5bcf87bd4")), // Android spare3
    (0xa034, uuid!("0dea65e5-a676-4cdf-823c-77568b577ed5")), // Android spare4
    (0xa035, uuid!("4627ae27-cfef-48a1-88fe-99c3509ade26")), // Android raw resources
    (0xa036, uuid!("20117f86-e985-4357-b9ee-374bc1d8487d")), // Android boot 2
    (0xa037, uuid!("86a7cb80-84e1-408c-99ab-694f1a410fc7")), // Android FOTA
    (0xa038, uuid!("97d7b011-54da-4835-b3c4-917ad6e73d74")), // Android system 2
    (0xa039, uuid!("5594c694-c871-4b5f-90b1-690a6f68e0f7")), // Android cache
    (0xa03a, uuid!("1b81e7e6-f50d-419b-a739-2aeef8da3335")), // Android user data
    (0xa03b, uuid!("98523ec6-90fe-4c67-b50a-0fc59ed6f56d")), // LG (Android) advanced flasher
    (0xa03c, uuid!("2644bcc0-f36a-4792-9533-1738bed53ee3")), // Android PG1FS
    (0xa03d, uuid!("dd7c91e9-38c9-45c5-8a12-4a80f7e14057")), // Android PG2FS
    (0xa03e, uuid!("7696d5b6-43fd-4664-a228-c563c4a1e8cc")), // Android board info
    (0xa03f, uuid!("0d802d54-058d-4a20-ad2d-c7a362ceacd4")), // Android MFG
    (0xa040, uuid!("10a0c19c-516a-5444-5ce3-664c3226a794")), // Android limits
    (0xa200, uuid!("734e5afe-f61a-11e6-bc64-92361f002671")), // Atari TOS basic data
    (0xa500, uuid!("516e7cb4-6ecf-11d6-8ff8-00022d09712b")), // FreeBSD disklabel
    (0xa501, uuid!("83bd6b9d-7f41-11dc-be0b-001560b84f0f")), // FreeBSD boot
    (0xa502, uuid!("516e7cb5-6ecf-11d6-8ff8-00022d09712b")), // FreeBSD swap
    (0xa503, uuid!("516e7cb6-6ecf-11d6-8ff8-00022d09712b")), // FreeBSD UFS
    (0xa504, uuid!("516e7cba-6ecf-11d6-8ff8-00022d09712b")), // FreeBSD ZFS
    (0xa505, uuid!("516e7cb8-6ecf-11d6-8ff8-00022d09712b")), // FreeBSD Vinum/RAID
    (0xa506, uuid!("74ba7dd9-a689-11e1-bd04-00e081286acf")), // FreeBSD nandfs
    (0xa580, uuid!("85d5e45a-237c-11e1-b4b3-e89a8f7fc3a7")), // Midnight BSD data
    (0xa581, uuid!("85d5e45e-237c-11e1-b4b3-e89a8f7fc3a7")), // Midnight BSD boot
    (0xa582, uuid!("85d5e45b-237c-11e1-b4b3-e89a8f7fc3a7")), // Midnight BSD swap
    (0xa583, uuid!("0394ef8b-237e-11e1-b4b3-e89a8f7fc3a7")), // Midnight BSD UFS
    (0xa584, uuid!("85d5e45d-237c-11e1-b4b3-e89a8f7fc3a7")), // Midnight BSD ZFS
    (0xa585, uuid!("85d5e45c-237c-11e1-b4b3-e89a8f7fc3a7")), // Midnight BSD Vinum
    (0xa600, uuid!("824cc7a0-36a8-11e3-890a-952519ad3f61")), // OpenBSD disklabel
    (0xa800, uuid!("55465300-0000-11aa-aa11-00306543ecac")), // Apple UFS
    (0xa901, uuid!("49f48d32-b10e-11dc-b99b-0019d1879648")), // NetBSD swap
    (0xa902, uuid!("49f48d5a-b10e-11dc-b99b-0019d1879648")), // NetBSD FFS
    (0xa903, uuid!("49f48d82-b10e-11dc-b99b-0019d1879648")), // NetBSD LFS
    (0xa904, uuid!("2db519c4-b10f-11dc-b99b-0019d1879648")), // NetBSD concatenated
    (0xa905, uuid!("2db519ec-b10f-11dc-b99b-0019d1879648")), // NetBSD encrypted
    (0xa906, uuid!("49f48daa-b10e-11dc-b99b-0019d1879648")), // NetBSD RAID
    (0xab00, uuid!("426f6f74-0000-11aa-aa11-00306543ecac")), // Recovery HD
    (0xaf00, uuid!("48465300-0000-11aa-aa11-00306543ecac")), // Apple HFS/HFS+
    (0xaf01, uuid!("52414944-0000-11aa-aa11-00306543ecac")), // Apple RAID
    (0xaf02, uuid!("52414944-5f4f-11aa-aa11-00306543ecac")), // Apple RAID offline
    (0xaf03, uuid!("4c616265-6c00-11aa-aa11-00306543ecac")), // Apple label
    (0xaf04, uuid!("5265636f-7665-11aa-aa11-00306543ecac")), // AppleTV recovery
    (0xaf05, uuid!("53746f72-6167-11aa-aa11-00306543ecac")), // Apple Core Storage
    (0xaf06, uuid!("b6fa30da-92d2-4a9a-96f1-871ec6486200")), // Apple SoftRAID Status
    (0xaf07, uuid!("2e313465-19b9-463f-8126-8a7993773801")), // Apple SoftRAID Scratch
    (0xaf08, uuid!("fa709c7e-65b1-4593-bfd5-e71d61de9b02")), // Apple SoftRAID Volume
    (0xaf09, uuid!("bbba6df5-f46f-4a89-8f59-8765b2727503")), // Apple SoftRAID Cache
    (0xaf0a, uuid!("7c3457ef-0000-11aa-aa11-00306543ecac")), // Apple APFS
    (0xaf0b, uuid!("69646961-6700-11aa-aa11-00306543ecac")), // Apple APFS Pre-Boot
    (0xaf0c, uuid!("52637672-7900-11aa-aa11-00306543ecac")), // Apple APFS Recovery
    (0xb000, uuid!("3de21764-95bd-54bd-a5c3-4abe786f38a8")), // U-Boot boot loader
    (0xb300, uuid!("cef5a9ad-73bc-4601-89f3-cdeeeee321a1")), // QNX6 Power-Safe
    (0xbb00, uuid!("4778ed65-bf42-45fa-9c5b-287a1dc4aab1")), // Barebox boot loader
    (0xbc00, uuid!("0311fc50-01ca-4725-ad77-9adbb20ace98")), // Acronis Secure Zone
    (0xbe00, uuid!("6a82cb45-1dd2-11b2-99a6-080020736631")), // Solaris boot
    (0xbf00, uuid!("6a85cf4d-1dd2-11b2-99a6-080020736631")), // Solaris root
    (0xbf01, uuid!("6a898cc3-1dd2-11b2-99a6-080020736631")), // Solaris /usr & Mac ZFS
    (0xbf02, uuid!("6a87c46f-1dd2-11b2-99a6-080020736631")), // Solaris swap
    (0xbf03, uuid!("6a8b642b-1dd2-11b2-99a6-080020736631")), // Solaris backup
    (0xbf04, uuid!("6a8ef2e9-1dd2-11b2-99a6-080020736631")), // Solaris /var
    (0xbf05, uuid!("6a90ba39-1dd2-11b2-99a6-080020736631")), // Solaris /home
    (0xbf06, uuid!("6a9283a5-1dd2-11b2-99a6-080020736631")), // Solaris alternate sector
    (0xbf07, uuid!("6a945a3b-1dd2-11b2-99a6-080020736631")), // Solaris Reserved 1
    (0xbf08, uuid!("6a9630d1-1dd2-11b2-99a6-080020736631")), // Solaris Reserved 2
    (0xbf09, uuid!("6a980767-1dd2-11b2-99a6-080020736631")), // Solaris Reserved 3
    (0xbf0a, uuid!("6a96237f-1dd2-11b2-99a6-080020736631")), // Solaris Reserved 4
    (0xbf0b, uuid!("6a8d2ac7-1dd2-11b2-99a6-080020736631")), // Solaris Reserved 5
    (0xc001, uuid!("75894c1e-3aeb-11d3-b7c1-7b03a0000000")), // HP-UX data
    (0xc002, uuid!("e2a1e728-32e3-11d6-a682-7b03a0000000")), // HP-UX service
    (0xe100, uuid!("7412f7d5-a156-4b13-81dc-867174929325")), // ONIE boot
    (0xe101, uuid!("d4e6e2cd-4469-46f3-b5cb-1bff57afc149")), // ONIE config
    (0xe900, uuid!("8c8f8eff-ac95-4770-814a-21994f2dbc8f")), // Veracrypt data
    (0xea00, uuid!("bc13c2ff-59e6-4262-a352-b275fd6f7172")), // XBOOTLDR partition
    (0xeb00, uuid!("42465331-3ba3-10f1-802a-4861696b7521")), // Haiku BFS
    (0xed00, uuid!("f4019732-066e-4e12-8273-346c5641494f")), // Sony system partition
    (0xed01, uuid!("bfbfafe7-a34f-448a-9a5b-6213eb736c22")), // Lenovo system partition
    (0xef00, uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")), // EFI system partition
    (0xef01, uuid!("024dee41-33e7-11d3-9d69-0008c781f39f")), // MBR partition scheme
    (0xef02, uuid!("21686148-6449-6e6f-744e-656564454649")), // BIOS boot partition
    (0xf100, uuid!("fe8a2634-5e2e-46ba-99e3-3a192091a350")), // Fuchsia boot loader (slot A/B/R)
    (0xf101, uuid!("d9fd4535-106c-4cec-8d37-dfc020ca87cb")), // Fuchsia durable mutable encrypted system data
    (0xf102, uuid!("a409e16b-78aa-4acc-995c-302352621a41")), // Fuchsia durable mutable boot loader
    (0xf103, uuid!("f95d940e-caba-4578-9b93-bb6c90f29d3e")), // Fuchsia factory ro system data
    (0xf104, uuid!("10b8dbaa-d2bf-42a9-98c6-a7c5db3701e7")), // Fuchsia factory ro bootloader data
    (0xf105, uuid!("49fd7cb8-df15-4e73-b9d9-992070127f0f")), // Fuchsia Volume Manager
    (0xf106, uuid!("421a8bfc-85d9-4d85-acda-b64eec0133e9")), // Fuchsia verified boot metadata (slot A/B/R)
    (0xf107, uuid!("9b37fff6-2e58-466a-983a-f7926d0b04e0")), // Fuchsia Zircon boot image (slot A/B/R)
    (0xf108, uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")), // EFI system partition
    (0xf109, uuid!("606b000b-b7c7-4653-a7d5-b737332c899d")), // Fuchsia System
    (0xf10a, uuid!("08185f0c-892d-428a-a789-dbeec8f55e6a")), // Fuchsia Data
    (0xf10b, uuid!("48435546-4953-2041-494e-5354414c4c52")), // Fuchsia Install
    (0xf10c, uuid!("2967380e-134c-4cbb-b6da-17e7ce1ca45d")), // Fuchsia Blob
    (0xf10d, uuid!("41d0e340-57e3-954e-8c1e-17ecac44cff5")), // Fuchsia FVM
    (0xf10e, uuid!("de30cc86-1f4a-4a31-93c4-66f147d33e05")), // Fuchsia Zircon boot image (slot A)
    (0xf10f, uuid!("23cc04df-c278-4ce7-8471-897d1a4bcdf7")), // Fuchsia Zircon boot image (slot B)
    (0xf110, uuid!("a0e5cf57-2def-46be-a80c-a2067c37cd49")), // Fuchsia Zircon boot image (slot R)
    (0xf111, uuid!("4e5e989e-4c86-11e8-a15b-480fcf35f8e6")), // Fuchsia sys-config
    (0xf112, uuid!("5a3a90be-4c86-11e8-a15b-480fcf35f8e6")), // Fuchsia factory-config
    (0xf113, uuid!("5ece94fe-4c86-11e8-a15b-480fcf35f8e6")), // Fuchsia bootloader
    (0xf114, uuid!("8b94d043-30be-4871-9dfa-d69556e8c1f3")), // Fuchsia guid-test
    (0xf115, uuid!("a13b4d9a-ec5f-11e8-97d8-6c3be52705bf")), // Fuchsia verified boot metadata (A)
    (0xf116, uuid!("a288abf2-ec5f-11e8-97d8-6c3be52705bf")), // Fuchsia verified boot metadata (B)
    (0xf117, uuid!("6a2460c3-cd11-4e8b-80a8-12cce268ed0a")), // Fuchsia verified boot metadata (R)
    (0xf118, uuid!("1d75395d-f2c6-476b-a8b7-45cc1c97b476")), // Fuchsia misc
    (0xf119, uuid!("900b0fc5-90cd-4d4f-84f9-9f8ed579db88")), // Fuchsia emmc-boot1
    (0xf11a, uuid!("b2b2e8d1-7c10-4ebc-a2d0-4614568260ad")), // Fuchsia emmc-boot2
    (0xf800, uuid!("4fbd7e29-9d25-41b8-afd0-062c0ceff05d")), // Ceph OSD
    (0xf801, uuid!("4fbd7e29-9d25-41b8-afd0-5ec00ceff05d")), // Ceph dm-crypt OSD
    (0xf802, uuid!("45b0969e-9b03-4f30-b4c6-b4b80ceff106")), // Ceph journal
    (0xf803, uuid!("45b0969e-9b03-4f30-b4c6-5ec00ceff106")), // Ceph dm-crypt journal
    (0xf804, uuid!("89c57f98-2fe5-4dc0-89c1-f3ad0ceff2be")), // Ceph disk in creation
    (0xf805, uuid!("89c57f98-2fe5-4dc0-89c1-5ec00ceff2be")), // Ceph dm-crypt disk in creation
    (0xf806, uuid!("cafecafe-9b03-4f30-b4c6-b4b80ceff106")), // Ceph block
    (0xf807, uuid!("30cd0809-c2b2-499c-8879-2d6b78529876")), // Ceph block DB
    (0xf808, uuid!("5ce17fce-4087-4169-b7ff-056cc58473f9")), // Ceph block write-ahead log
    (0xf809, uuid!("fb3aabf9-d25f-47cc-bf5e-721d1816496b")), // Ceph lockbox for dm-crypt keys
    (0xf80a, uuid!("4fbd7e29-8ae0-4982-bf9d-5a8d867af560")), // Ceph multipath OSD
    (0xf80b, uuid!("45b0969e-8ae0-4982-bf9d-5a8d867af560")), // Ceph multipath journal
    (0xf80c, uuid!("cafecafe-8ae0-4982-bf9d-5a8d867af560")), // Ceph multipath block 1
    (0xf80d, uuid!("7f4a666a-16f3-47a2-8445-152ef4d03f6c")), // Ceph multipath block 2
    (0xf80e, uuid!("ec6d6385-e346-45dc-be91-da2a7c8b3261")), // Ceph multipath block DB
    (0xf80f, uuid!("01b41e1b-002a-453c-9f17-88793989ff8f")), // Ceph multipath block write-ahead log
    (0xf810, uuid!("cafecafe-9b03-4f30-b4c6-5ec00ceff106")), // Ceph dm-crypt block
    (0xf811, uuid!("93b0052d-02d9-4d8a-a43b-33a3ee4dfbc3")), // Ceph dm-crypt block DB
    (0xf812, uuid!("306e8683-4fe2-4330-b7c0-00a917c16966")), // Ceph dm-crypt block write-ahead log
    (0xf813, uuid!("45b0969e-9b03-4f30-b4c6-35865ceff106")), // Ceph dm-crypt LUKS journal
    (0xf814, uuid!("cafecafe-9b03-4f30-b4c6-35865ceff106")), // Ceph dm-crypt LUKS block
    (0xf815, uuid!("166418da-c469-4022-adf4-b30afd37f176")), // Ceph dm-crypt LUKS block DB
    (0xf816, uuid!("86a32090-3647-40b9-bbbd-38d8c573aa86")), // Ceph dm-crypt LUKS block write-ahead log
    (0xf817, uuid!("4fbd7e29-9d25-41b8-afd0-35865ceff05d")), // Ceph dm-crypt LUKS OSD
    (0xfb00, uuid!("aa31e02a-400f-11db-9590-000c2911d1b8")), // VMWare VMFS
    (0xfb01, uuid!("9198effc-31c0-11db-8f78-000c2911d1b8")), // VMWare reserved
    (0xfc00, uuid!("9d275380-40ad-11db-bf97-000c2911d1b8")), // VMWare kcore crash protection
    (0xfd00, uuid!("a19d880f-05fc-4d3b-a006-743f0f84911e")), // Linux RAID
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_read() {
        assert!(CODES.is_sorted_by(|one, other| one.0 < other.0));
        let esp = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
        for text in ["EF00", "ef00", "0xEF00", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"] {
            assert_eq!(read(text), Some(Code::Known(esp)), "{text}");
        }
        assert_eq!(read("0700"), read("700"));
        assert_eq!(read("abcd"), Some(Code::Unknown(LINUX)));
        for text in ["", "zz", "12345", "0x", "linux", "+8e0"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
