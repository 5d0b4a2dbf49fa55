//! The serial console, watched as it is written: lines become [`Event`]s.
//!
//! [`Classifier`] is pure (bytes in, events out); [`Watch`] follows the log file that QEMU writes.

mod watch;

pub use watch::Watch;

use serde::Serialize;

/// Something on the console that matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What it means.
    pub kind: EventKind,
    /// The line that says so.
    pub line: String,
}

/// What a line on the console means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The boot loader speaks.
    BootLoader,
    /// The kernel runs.
    Kernel,
    /// The first process runs.
    Init,
    /// Somebody may log in.
    Login,
    /// The machine is being switched off or restarted.
    Down,
    /// The kernel gave up.
    Panic,
    /// systemd's emergency or rescue mode.
    Emergency,
    /// The shell of dracut's or initramfs-tools' initramfs.
    InitramfsShell,
    /// GRUB's prompt: it found no menu.
    GrubPrompt,
    /// GRUB's rescue prompt: it did not even find itself.
    GrubRescue,
    /// The firmware found nothing to boot.
    NoBootDevice,
    /// Secure Boot refused something.
    SecureBootRefusal,
    /// A unit failed.
    FailedUnit,
    /// A process was killed for want of memory.
    OutOfMemory,
}

impl EventKind {
    /// Nothing will come after it without a person at the console.
    #[must_use]
    pub fn is_stuck(self) -> bool {
        use EventKind as K;
        matches!(
            self,
            K::Panic
                | K::Emergency
                | K::InitramfsShell
                | K::GrubPrompt
                | K::GrubRescue
                | K::NoBootDevice
                | K::SecureBootRefusal
        )
    }

    /// The guest goes on, but something is wrong.
    #[must_use]
    pub fn is_trouble(self) -> bool {
        matches!(self, Self::FailedUnit | Self::OutOfMemory)
    }

    /// For people.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::BootLoader => "the boot loader started",
            Self::Kernel => "the kernel started",
            Self::Init => "the first process started",
            Self::Login => "the console offers a login",
            Self::Down => "the machine went down",
            Self::Panic => "the kernel panicked",
            Self::Emergency => "it fell into emergency mode",
            Self::InitramfsShell => "it stopped in the shell of its initramfs",
            Self::GrubPrompt => "GRUB found no menu",
            Self::GrubRescue => "GRUB did not find its own files",
            Self::NoBootDevice => "the firmware found nothing to boot",
            Self::SecureBootRefusal => "Secure Boot refused a file",
            Self::FailedUnit => "a unit failed",
            Self::OutOfMemory => "a process was killed for want of memory",
        }
    }
}

/// What whole lines mean: all words must be in the line, the first row that matches wins.
const LINES: &[(EventKind, &[&str])] = &[
    (EventKind::Panic, &["Kernel panic - not syncing"]),
    (EventKind::Emergency, &["You are in emergency mode"]),
    (EventKind::Emergency, &["You are in rescue mode"]),
    (EventKind::Emergency, &["Cannot open access to console, the root account is locked"]),
    (EventKind::Emergency, &["Reached target", "emergency.target"]),
    (EventKind::InitramfsShell, &["Entering emergency mode. Exit the shell to continue"]),
    (EventKind::InitramfsShell, &["Dropping to a shell!"]),
    (EventKind::InitramfsShell, &["Generating \"/run/initramfs/rdsosreport.txt\""]),
    (EventKind::SecureBootRefusal, &["bad shim signature"]),
    (EventKind::SecureBootRefusal, &["Security Violation"]),
    (EventKind::SecureBootRefusal, &["prohibited by secure boot policy"]),
    (EventKind::SecureBootRefusal, &["BdsDxe: failed to", "Access Denied"]),
    (EventKind::NoBootDevice, &["No bootable device"]),
    (EventKind::NoBootDevice, &["No bootable option or device was found"]),
    (EventKind::NoBootDevice, &["Boot failed: not a bootable disk"]),
    (EventKind::OutOfMemory, &["Out of memory: Killed process"]),
    (EventKind::OutOfMemory, &["invoked oom-killer"]),
    (EventKind::FailedUnit, &["[FAILED] Failed to start"]),
    (EventKind::FailedUnit, &["[FAILED] Failed to mount"]),
    (EventKind::FailedUnit, &["[FAILED] Failed to listen"]),
    (EventKind::FailedUnit, &["systemd[1]: ", ": Failed with result '"]),
    (EventKind::FailedUnit, &["systemd[1]: Failed to start "]),
    (EventKind::Down, &["reboot: Power down"]),
    (EventKind::Down, &["reboot: Restarting system"]),
    (EventKind::Kernel, &["Linux version "]),
    (EventKind::Init, &["systemd[1]: systemd ", "running in system mode"]),
    (EventKind::Init, &["Welcome to "]),
    (EventKind::BootLoader, &["BdsDxe: starting "]),
    (EventKind::BootLoader, &["GNU GRUB"]),
    (EventKind::BootLoader, &["Welcome to GRUB"]),
];

/// What the end of a line that is still being written means: prompts.
const PROMPTS: &[(EventKind, &str)] = &[
    (EventKind::GrubRescue, "grub rescue>"),
    (EventKind::GrubPrompt, "grub>"),
    (EventKind::InitramfsShell, "(initramfs)"),
    (EventKind::InitramfsShell, "dracut:/#"),
    (EventKind::Emergency, "Press Enter for maintenance"),
    (EventKind::Emergency, "Give root password for maintenance"),
    (EventKind::Login, "login:"),
];

/// Cuts the console's bytes into lines and tells what they mean.
#[derive(Debug, Default)]
pub struct Classifier {
    line: Vec<u8>,
    prompted: Option<EventKind>,
    last: String,
}

impl Classifier {
    /// Takes more bytes and gives what they mean.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                // A guest that never ends its line must not fill the memory.
                if self.line.len() < 16 * 1024 {
                    self.line.push(byte);
                }
                continue;
            }
            let text = plain(&self.line);
            if self.prompted.is_none() {
                events.extend(prompt(&text));
            }
            events.extend(whole_line(&text));
            self.remember(text);
            self.line.clear();
            self.prompted = None;
        }
        let text = plain(&self.line);
        if let Some(event) = prompt(&text)
            && self.prompted != Some(event.kind)
        {
            self.prompted = Some(event.kind);
            events.push(event);
        }
        self.remember(text);
        events
    }

    fn remember(&mut self, text: String) {
        if !text.trim().is_empty() {
            self.last = text.trim().to_owned();
        }
    }

    /// The last line that was not empty.
    #[must_use]
    pub fn last_line(&self) -> &str {
        &self.last
    }
}

fn whole_line(text: &str) -> Option<Event> {
    let (kind, _) = LINES.iter().find(|(_, words)| words.iter().all(|word| text.contains(word)))?;
    Some(Event { kind: *kind, line: text.trim().to_owned() })
}

fn prompt(text: &str) -> Option<Event> {
    let end = text.trim_end();
    let (kind, _) = PROMPTS.iter().find(|(_, prompt)| end.ends_with(prompt) || end.ends_with(&format!("{prompt}:")))?;
    Some(Event { kind: *kind, line: end.trim_start().to_owned() })
}

/// The text of a line without terminal control: what a carriage return overwrites stays, as words must not get lost.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => skip_escape(&mut chars),
            '\r' | '\t' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        // Control sequence: parameters, then one final character.
        Some('[') => {
            for c in chars.by_ref() {
                if ('@'..='~').contains(&c) {
                    break;
                }
            }
        }
        // Operating system command (titles, systemd's context marks): up to BEL or ESC \.
        Some(']') => {
            while let Some(c) = chars.next() {
                if c == '\x07' {
                    break;
                }
                if c == '\x1b' {
                    chars.next_if_eq(&'\\');
                    break;
                }
            }
        }
        Some('(' | ')') => drop(chars.next()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<EventKind> {
        Classifier::default().feed(text.as_bytes()).into_iter().map(|event| event.kind).collect()
    }

    #[test]
    fn lines_of_a_good_boot() {
        let text = "\x1b[2J\x1b[01;01HGNU GRUB  version 2.12\r\n[    0.000000] Linux version 6.12.1 (x@y)\r\n\
                    Welcome to \x1b[31mDebian GNU/Linux 13 (trixie)\x1b[0m!\r\n\r\nDebian GNU/Linux 13 host ttyS0\r\n\r\nhost login: ";
        assert_eq!(kinds(text), [EventKind::BootLoader, EventKind::Kernel, EventKind::Init, EventKind::Login]);
    }

    #[test]
    fn every_way_to_get_stuck() {
        let table = [
            ("[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs\n", EventKind::Panic),
            ("You are in emergency mode. After logging in, type \"journalctl -xb\"\n", EventKind::Emergency),
            ("Press Enter for maintenance\n", EventKind::Emergency),
            ("ALERT!  LABEL=root does not exist.  Dropping to a shell!\n", EventKind::InitramfsShell),
            ("(initramfs) ", EventKind::InitramfsShell),
            ("dracut:/# ", EventKind::InitramfsShell),
            ("error: no such device: root.\r\nEntering rescue mode...\r\ngrub rescue> ", EventKind::GrubRescue),
            ("\x1b[25;80H\rgrub> ", EventKind::GrubPrompt),
            ("No bootable device.\n", EventKind::NoBootDevice),
            ("BdsDxe: No bootable option or device was found.\n", EventKind::NoBootDevice),
            ("error: bad shim signature.\n", EventKind::SecureBootRefusal),
            (
                "BdsDxe: failed to load Boot0002 \"UEFI Misc Device\" from PciRoot(0x0): Access Denied\n",
                EventKind::SecureBootRefusal,
            ),
        ];
        for (text, kind) in table {
            assert_eq!(kinds(text), [kind], "{text:?}");
            assert!(kind.is_stuck());
        }
    }

    #[test]
    fn trouble_is_not_the_end() {
        assert_eq!(
            kinds("[\x1b[0;1;31mFAILED\x1b[0m] Failed to start \x1b[0;1;39mssh.service\x1b[0m - OpenBSD.\n"),
            [EventKind::FailedUnit]
        );
        assert_eq!(kinds("[  9.1] Out of memory: Killed process 312 (python3)\n"), [EventKind::OutOfMemory]);
        assert!(!EventKind::FailedUnit.is_stuck() && EventKind::FailedUnit.is_trouble());
        assert_eq!(kinds("[FAILED] Failed unmounting usr.mount\n"), []);
    }

    #[test]
    fn a_prompt_in_pieces_is_seen_once() {
        let mut classifier = Classifier::default();
        let mut seen = Vec::new();
        for byte in "web01 login: ".bytes() {
            seen.extend(classifier.feed(&[byte]));
        }
        seen.extend(classifier.feed(b"root\n"));
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(classifier.last_line(), "web01 login: root");
    }
}
