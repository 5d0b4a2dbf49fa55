//! Life after the first boot of an image whose operating system is an ostree deployment: upgrade, roll back, rebase, take a layer. The
//! harness serves the commits; the guest does everything by its own tools, and restarts in between.

use crate::checks::{Progress, ask_root, result_of};
use crate::error::VmError;
use crate::verdict::{CheckResult, CheckStatus};
use crate::vm::Vm;
use std::time::{Duration, Instant};

/// A file of the second commit's /usr that the first one has not; it holds the word of the commit.
pub const MARKER: &str = "/usr/share/isotope-life";
/// A file of the second commit's /etc that the first one has not.
pub const NEW_DEFAULT: &str = "/etc/isotope-life.conf";

/// A commit that the guest is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its ref in the served repository.
    pub reference: String,
    /// Its checksum.
    pub checksum: String,
}

/// What is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// The repository, as the guest reaches it.
    pub url: String,
    /// The ref that the image follows, with a new commit on it; the commit has [`MARKER`] and [`NEW_DEFAULT`].
    pub upgrade: Offer,
    /// Another ref to rebase to.
    pub rebase: Offer,
    /// A ref whose commit is the image's with more packages, and a command that one of them brings.
    pub layer: Option<(Offer, String)>,
}

/// The guest as the scripts below see it: `booted` and `default_is` compare checksums.
const TOOLS: &str = r#"set -eu
booted() { sed -n 's/.*\bostree=\([^ ]*\).*/\1/p' /proc/cmdline | xargs -I{} readlink -f /sysroot{} | sed 's,.*/,,; s,\..*,,'; }
is_booted() { test "$(booted)" = "$1" || { echo "booted is $(booted), expected $1"; ostree admin status; exit 1; }; }
remote() { ostree admin status | sed -n 's/.*origin refspec: \([^:]*\):.*/\1/p' | head -n 1; }
readonly_usr() { ! touch /usr/isotope-life-probe 2>/dev/null || { rm -f /usr/isotope-life-probe; echo "/usr is writable"; exit 1; }; }
writable() { for dir in /etc /var; do touch "$dir/isotope-life-probe"; rm "$dir/isotope-life-probe"; done; }
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
    for act in acts(life) {
        let started = Instant::now();
        let mut result = ask_root(vm, element, &act.name, &format!("{TOOLS}{}", act.script), Duration::from_secs(240))?;
        if result.status == CheckStatus::Passed && act.reboot {
            result = match vm.reboot(boot_timeout) {
                Ok(_) => ask_root(vm, element, &act.name, &format!("{TOOLS}{}", act.then), Duration::from_secs(120))?,
                Err(VmError::Interrupted) => return Err(VmError::Interrupted),
                Err(error) => result_of(element, &act.name, CheckStatus::Failed, started.elapsed(), error.to_string()),
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

struct Act {
    name: String,
    script: String,
    reboot: bool,
    /// After the restart.
    then: String,
}

fn acts(life: &Life) -> Vec<Act> {
    let Life { url, upgrade, rebase, layer } = life;
    let (new, other) = (&upgrade.checksum, &rebase.checksum);
    let act = |name: &str, script: String, then: String| Act {
        name: name.to_owned(),
        script,
        reboot: !then.is_empty(),
        then,
    };
    let mut acts = vec![
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
                 test \"$(cat /var/lib/isotope-life-data)\" = data; test \"$(ostree admin status | grep -c '^[ *].*\\.[0-9]')\" = 2\n"
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
        act(
            "rebases to another ref",
            format!("ostree admin switch \"$(remote):{}\"\n", rebase.reference),
            format!("is_booted {other}; sane; test \"$(cat {MARKER})\" = rebase; ostree admin status | grep -q '{}'\n", rebase.reference),
        ),
    ];
    if let Some((offer, command)) = layer {
        acts.push(act(
            "takes a commit with a package layer",
            format!("! command -v {command}\nostree admin switch \"$(remote):{}\"\n", offer.reference),
            format!("is_booted {}; sane; command -v {command}\n", offer.checksum),
        ));
    }
    acts.push(act("its repository is whole: ostree fsck", "ostree fsck --quiet\n".to_owned(), String::new()));
    acts
}
