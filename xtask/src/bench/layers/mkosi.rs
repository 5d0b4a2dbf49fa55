//! mkosi with the packages of another image, incremental.
//!
//! It is that of Debian 13, with its systemd-repart: the one of Debian 12 needs systemd-nspawn, and with that a system bus. It runs in a
//! tree of its own, whatever this host is. Its tree is put together on a tmpfs, as that of the others is. It writes raw disks only:
//! what qemu-img needs for a qcow2, at its fastest, is part of its builds.

use super::contenders::{hook, packages};
use super::{Ask, Change, Contender, Prepare};
use crate::bench::{dib, remove_tree, subdir};
use crate::{Xtask, host};
use anyhow::Context;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use xshell::cmd;

const RELEASE: &str = "trixie";
const TOOLS: &str = "mkosi,systemd-repart,e2fsprogs,cpio,zstd,debian-archive-keyring,ca-certificates";

/// Runs the arguments from the third on in the tree that the first names, with the directory that the second names at `/work`.
const ENTER: &str = "set -e
mount --bind \"$1\" \"$1\"
cd \"$1\"
mkdir -p work host
for dir in proc sys dev; do mount --rbind /$dir $dir; done
for dir in tmp run var/tmp; do mount -t tmpfs tmpfs $dir; done
cp -L /etc/resolv.conf etc/resolv.conf
mount --bind \"$2\" work
shift 2
pivot_root . host
cd /work
umount -l /host
exec \"$@\"
";

/// One ext4.
const PARTITION: &str = "[Partition]\nType=root\nFormat=ext4\nCopyFiles=/\nSizeMinBytes=4G\n";

pub(super) fn contender(
    xtask: &Xtask,
    isotope: &Path,
    (out, work): (&Path, &Path),
    list: &[String],
) -> anyhow::Result<Contender> {
    let shell = &xtask.shell;
    let mirrors = dib::mirrors(xtask, isotope)?;
    let mirror = |name: &str| mirrors.split_whitespace().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let mirror = |name: &str| mirror(name).map(str::to_owned).context("the plan of debian-cloud has no mirror");
    let (debian, security) = (mirror("DIB_DISTRIBUTION_MIRROR")?, mirror("DIB_DEBIAN_SECURITY_MIRROR")?);
    let tools = tools(xtask, out, &debian)?;
    let dir = subdir(xtask, work, "mkosi")?;
    let enter = work.join("enter");
    shell.write_file(&enter, ENTER)?;
    // It knows these by their names.
    for name in ["mkosi.cache", "mkosi.pkgcache", "mkosi.output"] {
        shell.create_dir(dir.join(name))?;
    }
    shell.write_file(dir.join("mkosi.repart/10-root.conf"), PARTITION)?;
    let archive = |uri: &str, suite: &str| {
        format!(
            "Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\n\
             Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        )
    };
    let archives = [archive(&debian, "bookworm"), archive(&security, "bookworm-security")].join("\n");
    shell.write_file(dir.join("mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources"), archives)?;
    let (conf, finalize, list) = (dir.join("mkosi.conf"), dir.join("mkosi.finalize"), list.join("\n  "));
    let prepare: Prepare = Box::new(move |xtask, ask| {
        let more = packages(ask).join("\n  ");
        let text = format!(
            "[Distribution]\nDistribution=debian\nRelease=bookworm\n\n[Output]\nFormat=disk\nOutput=image\n\n\
             [Content]\nBootable=no\nPackages=\n  {list}\n  {more}\n\n[Build]\nIncremental=yes\n"
        );
        xtask.shell.write_file(&conf, text)?;
        hook(xtask, &finalize, "$BUILDROOT", ask)
    });
    let own = dir.clone();
    let line = move |ask: Ask| {
        // Twice: what it has installed is forgotten; packages are not.
        let anew = if ask.change == Change::Cold { "-ff" } else { "-f" };
        format!(
            "unshare --mount --propagation private sh {} {} {} mkosi {anew} build && \
             qemu-img convert -c -O qcow2 -o compression_type=zstd -m 16 -W {dir}/mkosi.output/image.raw {dir}/image.qcow2",
            enter.display(),
            tools.display(),
            own.display(),
            dir = own.display()
        )
    };
    Ok(Contender {
        name: format!("mkosi of {RELEASE}, incremental"),
        ours: false,
        prepare,
        line: Box::new(line),
        // `-ff` does that.
        kept: Vec::new(),
        machine: Vec::new(),
        cache: dir,
        samples: BTreeMap::new(),
        disk: 0,
    })
}

/// A tree with mkosi, made once.
fn tools(xtask: &Xtask, out: &Path, mirror: &str) -> anyhow::Result<PathBuf> {
    let (shell, dir) = (&xtask.shell, out.join(format!("mkosi-{RELEASE}")));
    let done = dir.join("complete");
    if !done.is_file() {
        host::say(&format!("making a tree of {RELEASE} with mkosi, to compare with"));
        remove_tree(xtask, &dir)?;
        cmd!(shell, "mmdebstrap --quiet --mode=root --variant=apt --include={TOOLS} {RELEASE} {dir} {mirror}")
            .run()
            .context("cannot make a tree with mkosi (`apt-get install mmdebstrap`)")?;
        shell.write_file(&done, "")?;
    }
    Ok(dir)
}
