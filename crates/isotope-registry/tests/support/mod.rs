//! Debian's docker-registry, layers with everything that a layer can have, and trees as text.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod front;
#[path = "../../../../tests/src/registry.rs"]
mod server;

use isotope_cache::{Held, Inputs, Key, Layer, Store};
use isotope_registry::{Credentials, Place, Registry};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, lsetxattr, makedev, mknodat};
pub use server::{REPOSITORY, Server};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// `isotope:open sesame`, as `htpasswd -B` writes it.
const USERS: &str = "isotope:$2y$05$zCvTRGHMQAhD2UK..Q.8GedpkoXesjhx6jW5LmZPEI0t/AHDEAym2\n";
/// Base64 of it.
pub const ISOTOPE: &str = "aXNvdG9wZTpvcGVuIHNlc2FtZQ==";
/// Base64 of `isotope:wrong`.
pub const WRONG: &str = "aXNvdG9wZTp3cm9uZw==";

/// A registry that wants to know who asks.
pub fn closed() -> Server {
    Server::start(tempfile::tempdir().unwrap(), |dir| {
        std::fs::write(dir.join("users"), USERS).unwrap();
        format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", dir.join("users").display())
    })
}

impl Server {
    pub fn registry(&self) -> Registry {
        registry(self.port, Credentials::default())
    }
}

pub fn registry(port: u16, credentials: Credentials) -> Registry {
    Registry::new(Place::parse(&format!("127.0.0.1:{port}/{REPOSITORY}")).unwrap(), credentials)
}

/// Credentials for a port, from a file as the container tools write it.
pub fn credentials(dir: &Path, port: u16, auth: &str) -> Credentials {
    let file = dir.join(format!("auth-{}.json", &auth[..12]));
    std::fs::write(&file, format!("{{\"auths\": {{\"127.0.0.1:{port}/isotope\": {{\"auth\": \"{auth}\"}}}}}}"))
        .unwrap();
    Credentials::from_file(file)
}

pub fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("layers")).unwrap();
    (dir, store)
}

/// Commits a layer whose content `fill` makes.
pub fn layer(store: &Store, name: &str, fill: impl FnOnce(&Path)) -> Held {
    let staging = store.stage().unwrap();
    fill(&staging.upper());
    let inputs = Inputs::from([("name".to_owned(), name.to_owned())]);
    let layer = Layer {
        format: isotope_cache::FORMAT,
        key: Key::of(None, &inputs, &[]),
        parent: None,
        name: name.to_owned(),
        steps: Vec::new(),
        inputs,
        created: 0,
        cost: Duration::from_secs(3),
        bytes: 0,
        files: 0,
        boot_id: None,
        digest: None,
    };
    staging.commit(layer, store).unwrap()
}

pub fn attribute(path: &Path, name: &str, value: &[u8]) {
    lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

pub fn node(path: &Path, kind: FileType, mode: u32, device: u64) {
    mknodat(CWD, path, kind, Mode::from_raw_mode(mode), device).unwrap();
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// One of everything.
pub fn everything(upper: &Path) {
    let at = |name: &str| upper.join(name);
    let dir = |name: &str| std::fs::create_dir_all(at(name)).unwrap();
    dir("etc/opaque/inner");
    dir("usr/bin");
    dir("empty");
    std::fs::write(at("etc/a"), "text\n").unwrap();
    std::fs::hard_link(at("etc/a"), at("usr/b")).unwrap();
    std::fs::hard_link(at("etc/a"), at("etc/opaque/inner/c")).unwrap();
    attribute(&at("etc/opaque"), "trusted.overlay.opaque", b"y");
    attribute(&at("etc"), "trusted.overlay.origin", b"\0\xfb\x1d");
    attribute(&at("etc"), "trusted.overlay.impure", b"y");
    // Whiteouts as the kernel makes them: without rights, and with one inode.
    node(&at("etc/gone"), FileType::CharacterDevice, 0, 0);
    std::fs::hard_link(at("etc/gone"), at("usr/gone too")).unwrap();
    std::fs::write(at("usr/bin/ping"), vec![7; 70_000]).unwrap();
    chown(at("usr/bin/ping"), Some(3), Some(4_000_000_000)).unwrap();
    mode(&at("usr/bin/ping"), 0o755);
    // cap_net_raw=ep, as setcap writes it.
    attribute(
        &at("usr/bin/ping"),
        "security.capability",
        &[1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    std::fs::write(at("usr/bin/su"), "").unwrap();
    mode(&at("usr/bin/su"), 0o6755);
    mode(&at("empty"), 0o3777);
    attribute(&at("etc/a"), "user.odd=100%", b"a\nb=c\0\xff");
    attribute(&at("empty"), "trusted.mine", b"");
    symlink("/etc/shadow", at("link")).unwrap();
    lchown(at("link"), Some(5), Some(6)).unwrap();
    attribute(&at("link"), "trusted.of.a.link", b"1");
    symlink("x/".repeat(150), at("long link")).unwrap();
    std::fs::hard_link(at("link"), at("second link")).unwrap();
    node(&at("null"), FileType::CharacterDevice, 0o666, makedev(1, 3));
    node(&at("disk"), FileType::BlockDevice, 0o660, makedev(259, 70_000));
    node(&at("fifo"), FileType::Fifo, 0o600, 0);
    node(&at("socket"), FileType::Socket, 0o755, 0);
    let long = "n".repeat(255);
    dir(&format!("{long}/{long}"));
    std::fs::write(at(&format!("{long}/{long}/{long}")), "deep").unwrap();
    std::fs::hard_link(at(&format!("{long}/{long}/{long}")), at(&format!("{long}/z"))).unwrap();
    for name in [
        &b"new\nline"[..],
        b" blank ",
        b"-dash",
        b"back\\slash",
        b"\xff\xfe",
        "Gr\u{fc}\u{df}e \u{1f600}".as_bytes(),
        b"...",
        b".wh",
        b"a%b=c",
    ] {
        std::fs::write(upper.join(OsStr::from_bytes(name)), name).unwrap();
    }
    let file = std::fs::File::create(at("sparse")).unwrap();
    file.set_len(3_000_000).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH - Duration::new(5, 250_000_000)).unwrap();
    let file = std::fs::File::open(at("usr")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000, 123_456_789)).unwrap();
    acl(&at("empty"));
}

/// A default ACL, which all that is made in the directory would inherit: user::rwx, user:7:r--, group::r-x, mask::r-x, other::---.
fn acl(path: &Path) {
    let entry =
        |tag: u16, rights: u16, id: u32| [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat();
    let none = u32::MAX;
    let entries = [entry(1, 7, none), entry(2, 4, 7), entry(4, 5, none), entry(0x10, 5, none), entry(0x20, 0, none)];
    attribute(path, "system.posix_acl_default", &[&2_u32.to_le_bytes()[..], &entries.concat()].concat());
    std::fs::write(path.join("without acl"), "").unwrap();
    lremove(&path.join("without acl"), "system.posix_acl_access");
}

fn lremove(path: &Path, name: &str) {
    rustix::fs::lremovexattr(path, name).unwrap();
}

/// Bytes that do not compress.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// What is left in a store besides layers: nothing should be.
pub fn leftovers(store: &Store) -> Vec<String> {
    let entries =
        store.dir().read_dir().unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    entries.filter(|name| name.starts_with(".new-")).collect()
}
