//! A wish to stop, set by whoever handles signals, seen by every loop that waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by all its clones; once set it stays set.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks everybody to stop.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
