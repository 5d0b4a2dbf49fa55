//! Life after the first boot of an image whose operating system is an ostree deployment: upgrade, roll back, rebase, take a layer. The
//! harness serves the commits; the guest does everything by its own tools, and restarts in between.

use crate::checks::{Progress, ask_root, chain, result_of};
use crate::error::VmError;
use crate::http::FileServer;
use crate::verdict::{CheckResult, CheckStatus};
use crate::vm::Vm;
use isotope_sys::command::Tool;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file of the second commit's /usr that the first one has not; it holds the word of the commit.
pub const MARKER: &str = "/usr/share/isotope-life";
/// A file of the second commit's /etc that the first one has not.
pub const NEW_DEFAULT: &str = "/etc/isotope-life.conf";

/// Where the commits come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// An archive repository that has the guest's commit.
    pub repo: PathBuf,
    /// A ref of it whose commit is the guest's with more packages, and a command that one of them brings.
    pub layer: Option<(String, String)>,
}

/// A commit that the guest is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    /// Its ref in the served repository.
    reference: String,
    checksum: String,
}

/// A repository made for one guest: its commit, a newer one on its ref, another on a ref of its own.
struct Served {
    server: FileServer,
    upgrade: Offer,
    rebase: Rebase,
}

/// The other ref: the upgrade's like, or the commit with a package layer, so that one restart shows both.
enum Rebase {
    Plain(Offer),
    Layer(Offer, String),
}

impl Served {
    fn make(life: &Life, work: &Path, booted: &str, reference: &str) -> Result<Self, VmError> {
        let dir = work.join("life");
        let repo = dir.join("repo");
        std::fs::create_dir_all(&dir).map_err(VmError::io("make the repository for the guest"))?;
        let ostree = |args: &[&str]| -> Result<String, VmError> {
            let option = format!("--repo={}", repo.display());
            Ok(Tool::new("ostree").arg(args[0]).arg(option).args(&args[1..]).run()?.text())
        };
        let source = life.repo.display().to_string();
        ostree(&["init", "--mode=archive"])?;
        ostree(&["pull-local", "--disable-fsync", &source, booted])?;
        let derive = |word: &str, branch: &str| -> Result<Offer, VmError> {
            let extra = dir.join(word);
            for (path, text) in [(MARKER.to_owned(), word), (format!("/usr{NEW_DEFAULT}"), "default = 1")] {
                let path = extra.join(path.trim_start_matches('/'));
                let write = |path: &Path| {
                    std::fs::create_dir_all(path.parent().unwrap_or(&extra))?;
                    std::fs::write(path, format!("{text}\n"))
                };
                write(&path).map_err(VmError::io("make a file of the new commit"))?;
            }
            let (tree, more) = (format!("--tree=ref={booted}"), format!("--tree=dir={}", extra.display()));
            let (branch_option, parent) = (format!("--branch={branch}"), format!("--parent={booted}"));
            let version = format!("--add-metadata-string=version=life.{word}");
            let args = ["commit", &branch_option, &parent, &version, "--bootable", "--fsync=false", &tree, &more];
            Ok(Offer { reference: branch.to_owned(), checksum: ostree(&args)?.trim().to_owned() })
        };
        let upgrade = derive("upgrade", reference)?;
        let rebase = match &life.layer {
            // A ref is a file of the repository: none lies below another.
            None => Rebase::Plain(derive("rebase", &format!("{reference}-rebase"))?),
            Some((branch, command)) => {
                ostree(&["pull-local", "--disable-fsync", &source, branch])?;
                let checksum = ostree(&["rev-parse", branch])?.trim().to_owned();
                Rebase::Layer(Offer { reference: branch.clone(), checksum }, command.clone())
            }
        };
        ostree(&["summary", "-u"])?;
        Ok(Self { server: FileServer::start(&repo)?, upgrade, rebase })
    }
}

/// The guest as the scripts below see it: `booted` and `default_is` compare checksums.
const TOOLS: &str = r#"set -eu
booted() { sed -n 's/.*\bostree=\([^ ]*\).*/\1/p' /proc/cmdline | xargs -I{} readlink -f /sysroot{} | sed 's,.*/,,; s,\..*,,'; }
is_booted() { test "$(booted)" = "$1" || { echo "booted is $(booted), expected $1"; ostree admin status; exit 1; }; }
remote() { ostree admin status | sed -n 's/.*origin refspec: \([^:]*\):.*/\1/p' | head -n 1; }
readonly_usr() { ! touch /usr/isotope-life-probe 2>/dev/null || { rm -f /usr/isotope-life-probe; echo "/usr is writable"; exit 1; }; }
writable() { for dir in /etc /var; do touch "$dir/isotope-life-probe"; rm "$dir/isotope-life-probe"; done; }
follows() { ostree admin status | grep -q "origin refspec: [^:]*:$1\$"; }
sane() { readonly_usr; writable; ostree admin config-diff >/run/config-diff; test -s /run/config-diff; }
"#;

/// Lives. The guest must run and let us in; afterwards it stands on the last commit.
///
/// # Errors
/// Somebody asked to stop; whatever the guest does wrong is in the results.
pub fn live(
    vm: &mut Vm,
    life: &Life,
    element: &str,
    boot_timeout: Duration,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<CheckResult>, VmError> {
    let mut results = Vec::new();
    let started = Instant::now();
    let prepared = ask_guest(vm).and_then(|(booted, reference)| Served::make(life, vm.work(), &booted, &reference));
    let served = match prepared {
        Ok(served) => served,
        Err(VmError::Interrupted) => return Err(VmError::Interrupted),
        Err(error) => {
            let name = "new commits are served to the guest";
            let result = result_of(element, name, CheckStatus::Failed, started.elapsed(), chain(&error));
            progress(Progress::Checked(&result));
            return Ok(vec![result]);
        }
    };
    for act in acts(&served) {
        let started = Instant::now();
        if act.fetches {
            // For this connection, which ends with the restart.
            vm.ssh()?.lend_port(served.server.port())?;
        }
        let mut result = ask_root(vm, element, &act.name, &format!("{TOOLS}{}", act.script), Duration::from_secs(240))?;
        if result.status == CheckStatus::Passed && act.reboot {
            result = match vm.reboot(boot_timeout) {
                Ok(_) => ask_root(vm, element, &act.name, &format!("{TOOLS}{}", act.then), Duration::from_secs(120))?,
                Err(VmError::Interrupted) => return Err(VmError::Interrupted),
                Err(error) => result_of(element, &act.name, CheckStatus::Failed, started.elapsed(), chain(&error)),
            };
        }
        result.seconds = started.elapsed().as_secs_f64();
        progress(Progress::Checked(&result));
        let failed = result.status == CheckStatus::Failed;
        results.push(result);
        // Each act stands on the one before.
        if failed {
            break;
        }
    }
    Ok(results)
}

/// The commit that the guest runs, and the ref that it follows.
fn ask_guest(vm: &Vm) -> Result<(String, String), VmError> {
    let limit = Duration::from_secs(120);
    let booted = vm.ssh()?.root(&format!("{TOOLS}booted"), limit)?.text();
    let follows = "ostree admin status | sed -n 's/.*origin refspec: [^:]*:\\(.*\\)/\\1/p' | head -n 1";
    let reference = vm.ssh()?.root(follows, limit)?.text();
    if booted.is_empty() || reference.is_empty() {
        return Err(VmError::Spec(format!(
            "the guest is not booted from a deployment that follows a ref (commit `{booted}`, ref `{reference}`)"
        )));
    }
    Ok((booted, reference))
}

struct Act {
    name: String,
    script: String,
    /// From our server.
    fetches: bool,
    reboot: bool,
    /// After the restart.
    then: String,
}

fn acts(served: &Served) -> Vec<Act> {
    let Served { server, upgrade, rebase } = served;
    let url = server.url();
    let new = &upgrade.checksum;
    let act = |name: &str, script: String, then: String| Act {
        name: name.to_owned(),
        fetches: ["ostree admin upgrade", "ostree admin switch"].iter().any(|command| script.contains(command)),
        reboot: !then.is_empty(),
        script,
        then,
    };
    vec![
        act(
            "is booted from the deployment; /usr is read-only, /etc and /var are writable",
            "sane; test -n \"$(booted)\"; ostree fsck --quiet\nbooted >/var/lib/isotope-life-first\n".to_owned(),
            String::new(),
        ),
        act(
            "upgrades to the new commit of its ref, and merges /etc",
            format!(
                "echo local >/etc/isotope-life.local; echo '# edited' >>/etc/hosts; echo data >/var/lib/isotope-life-data\n\
                 unshare -m sh -ec 'mount -o remount,rw /sysroot; ostree config --repo=/ostree/repo set \"remote \\\"$1\\\".url\" \"$2\"' sh \"$(remote)\" {url}\n\
                 ostree admin upgrade\n"
            ),
            format!(
                "is_booted {new}; sane; test \"$(cat {MARKER})\" = upgrade; test -e {NEW_DEFAULT}\n\
                 test \"$(cat /etc/isotope-life.local)\" = local; grep -q '^# edited' /etc/hosts\n\
                 test \"$(cat /var/lib/isotope-life-data)\" = data; test \"$(ostree admin status | grep -c 'origin refspec')\" = 2\n"
            ),
        ),
        act(
            "rolls back to the commit before",
            // `set-default` came with ostree 2023.8; before, the old commit is deployed once more.
            "first=$(cat /var/lib/isotope-life-first)\n\
             if ostree admin set-default --help >/dev/null 2>&1; then ostree admin set-default 1\n\
             else ostree admin deploy --retain --os=\"$(ostree admin status | awk '$1 == \"*\" { print $2 }')\" \"$first\"; fi\n"
                .to_owned(),
            format!("is_booted \"$(cat /var/lib/isotope-life-first)\"; sane; ! test -e {MARKER}\n"),
        ),
        match rebase {
            Rebase::Plain(Offer { reference, checksum }) => act(
                "rebases to another ref",
                format!("ostree admin switch \"$(remote):{reference}\"\n"),
                format!("is_booted {checksum}; sane; test \"$(cat {MARKER})\" = rebase; follows {reference}\n"),
            ),
            Rebase::Layer(Offer { reference, checksum }, command) => act(
                "rebases to another ref, whose commit has a package more",
                format!("! command -v {command}\nostree admin switch \"$(remote):{reference}\"\n"),
                format!("is_booted {checksum}; sane; command -v {command}; follows {reference}\n"),
            ),
        },
        act("its repository is whole: ostree fsck", "ostree fsck --quiet\n".to_owned(), String::new()),
    ]
}
