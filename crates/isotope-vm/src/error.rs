//! What can go wrong around a guest. Kind, context, source; hints are data of their own.

use crate::console::Event;
use isotope_sys::command::CommandError;
use std::path::PathBuf;
use std::time::Duration;

/// Whose fault an error is; the CLI makes exit codes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was asked for makes no sense.
    Usage,
    /// The host lacks something.
    Environment,
    /// The guest did not do what it should.
    Guest,
    /// Somebody asked to stop.
    Interrupted,
}

/// Why a guest could not be run, or did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Spec(String),
    /// A host tool failed.
    #[error("a host tool failed")]
    Tool(#[from] CommandError),
    /// The file system or a socket failed.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
    /// There is no firmware of that kind on the host.
    #[error("no firmware for {firmware} on this host; looked for {}", list(searched))]
    NoFirmware {
        /// Its name.
        firmware: &'static str,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// The seed's volume cannot be made.
    #[error("cannot make the seed's volume")]
    Seed(#[source] isotope_image::fat::FatError),
    /// QEMU ended although the guest did not switch itself off.
    #[error("qemu ended by itself ({status}){}", indent(tail))]
    QemuEnded {
        /// How.
        status: String,
        /// The last lines it printed.
        tail: String,
    },
    /// QEMU's monitor refused or did not answer.
    #[error("qemu's monitor: {0}")]
    Qmp(String),
    /// The guest got stuck on its way.
    #[error("the guest did not boot: {} (`{}`)", event.kind.describe(), event.line)]
    Stuck {
        /// What was seen.
        event: Event,
    },
    /// Something did not happen in time.
    #[error("waited {} s for {waiting_for}; {last_seen}", after.as_secs())]
    Timeout {
        /// What should have happened.
        waiting_for: String,
        /// For how long it was waited.
        after: Duration,
        /// The last signs of life.
        last_seen: String,
    },
    /// A command in the guest failed.
    #[error("in the guest, {what} ended with exit status {status}{}", indent(output))]
    Guest {
        /// What was run.
        what: String,
        /// Its exit status.
        status: i32,
        /// The last lines of its output.
        output: String,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn indent(tail: &str) -> String {
    tail.lines().map(|line| format!("\n    {line}")).collect()
}

impl VmError {
    /// Wraps an I/O error with what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Spec(_) => ErrorKind::Usage,
            Self::Tool(_)
            | Self::Seed(_)
            | Self::Io { .. }
            | Self::NoFirmware { .. }
            | Self::QemuEnded { .. }
            | Self::Qmp(_) => ErrorKind::Environment,
            Self::Stuck { .. } | Self::Timeout { .. } | Self::Guest { .. } => ErrorKind::Guest,
            Self::Interrupted => ErrorKind::Interrupted,
        }
    }

    /// What to do next, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tool(CommandError::Missing { program }) => Some(match program.as_str() {
                "qemu-system-x86_64" => "install the package qemu-system-x86 (Debian, Ubuntu, Fedora)".to_owned(),
                "qemu-img" => "install the package qemu-utils (Debian, Ubuntu) or qemu-img (Fedora)".to_owned(),
                "ssh" | "ssh-keygen" => {
                    "install the package openssh-client (Debian, Ubuntu) or openssh-clients (Fedora)".to_owned()
                }
                _ => return None,
            }),
            Self::NoFirmware { .. } => {
                Some("install the package ovmf (Debian, Ubuntu) or edk2-ovmf (Fedora)".to_owned())
            }
            Self::Timeout { .. } => Some(
                "look at the console log; `--timeout SECONDS` waits longer, `--shell` shows the console".to_owned(),
            ),
            _ => None,
        }
    }
}
