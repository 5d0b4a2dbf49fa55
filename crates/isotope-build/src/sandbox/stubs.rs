//! Programs that stand in for others while a tree is being made: first in `PATH`, never in the tree.

use super::Purpose;
use isotope_sys::target::{TargetDir, TargetError};

/// Where they are, as the target sees it.
pub(super) const BIN: &str = "/run/isotope/bin";

/// A stand-in.
struct Stub {
    name: &'static str,
    wanted: fn(&Purpose) -> bool,
    script: &'static str,
}

/// Adding one: a line here.
const STUBS: [Stub; 4] = [
    Stub {
        name: "start-stop-daemon",
        wanted: |_| true,
        script: "#!/bin/sh\n\
            # No daemon runs while an image is made.\n\
            case \" $* \" in *' --status '*|*' -T '*) exit 3 ;; esac\n\
            echo \"start-stop-daemon: no daemon is started or stopped in an image that is being made\"\n",
    },
    Stub { name: "initctl", wanted: |_| true, script: "#!/bin/sh\nexit 0\n" },
    Stub {
        name: "update-initramfs",
        wanted: |purpose| purpose.defer_initramfs,
        script: "#!/bin/sh\necho \"update-initramfs: deferred; it is made once, when all packages are installed\"\n",
    },
    // An element's hook may well want dracut now, to make another image; a package's script never needs it now.
    Stub {
        name: "dracut",
        wanted: |purpose| purpose.defer_initramfs && purpose.packages,
        script: "#!/bin/sh\necho \"dracut: deferred; it is run once, when all packages are installed\"\n",
    },
];

/// Puts the stand-ins that `purpose` wants into the sandbox's `/run`, and takes away the others.
pub(super) fn place(run: &TargetDir, purpose: &Purpose) -> Result<(), TargetError> {
    for stub in &STUBS {
        let path = format!("/isotope/bin/{}", stub.name);
        if (stub.wanted)(purpose) {
            run.write(&path, stub.script, 0o755)?;
        } else {
            run.remove(&path)?;
        }
    }
    Ok(())
}
