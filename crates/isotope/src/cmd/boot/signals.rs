//! Signals that end a run become a wish to stop, so that the guest and its files go in order.

use anyhow::Context as _;
use isotope_vm::Cancel;
use nix::sys::signal::{SigSet, Signal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Remembers which signal came.
#[derive(Debug, Clone, Default)]
pub struct Caught(Arc<AtomicU8>);

impl Caught {
    /// The signal, if one came.
    pub fn signal(&self) -> Option<u8> {
        Some(self.0.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP set `cancel`; a second one ends the process at once.
/// Call before other threads start: they inherit that these signals are blocked. Tools that are started do not.
pub fn watch(cancel: &Cancel) -> anyhow::Result<Caught> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block().context("cannot take over signals")?;
    let caught = Caught::default();
    std::thread::spawn({
        let (caught, cancel) = (caught.clone(), cancel.clone());
        move || {
            while let Ok(signal) = signals.wait() {
                let number = u8::try_from(signal as i32).unwrap_or(2);
                if caught.0.swap(number, Ordering::SeqCst) != 0 {
                    std::process::exit(128 + i32::from(number));
                }
                cancel.set();
            }
        }
    });
    Ok(caught)
}
