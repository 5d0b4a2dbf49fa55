//! Follows a console log while QEMU writes it.

use super::{Classifier, Event};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
struct State {
    events: Vec<(Instant, Event)>,
    last_line: String,
    bytes: u64,
}

/// Follows a console log in a thread of its own.
#[derive(Debug)]
pub struct Watch {
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts to follow `log`, which need not exist yet.
    #[must_use]
    pub fn start(log: &Path) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (state, stop, log) = (Arc::clone(&state), Arc::clone(&stop), log.to_owned());
            move || follow(&log, &state, &stop)
        });
        Self { state, stop, thread: Some(thread) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of events so far; a later [`Watch::since`] with it gives what came after.
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.state().events.len()
    }

    /// Events from `cursor` on, with the time they were seen.
    #[must_use]
    pub fn since(&self, cursor: usize) -> Vec<(Instant, Event)> {
        self.state().events.get(cursor..).unwrap_or_default().to_vec()
    }

    /// The first event from `cursor` on that stops the guest.
    #[must_use]
    pub fn stuck_since(&self, cursor: usize) -> Option<Event> {
        self.since(cursor).into_iter().map(|(_, event)| event).find(|event| event.kind.is_stuck())
    }

    /// What was seen last, for messages.
    #[must_use]
    pub fn last_seen(&self) -> String {
        let state = self.state();
        if state.bytes == 0 {
            return "the serial console stayed silent".to_owned();
        }
        let milestone = state.events.last().map_or("nothing known was seen", |(_, event)| event.kind.describe());
        format!("last on its console: `{}` ({milestone})", state.last_line)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // The thread only reads a file; if it panicked there is nothing to save.
            drop(thread.join());
        }
    }
}

fn follow(log: &Path, state: &Mutex<State>, stop: &AtomicBool) {
    let mut file: Option<File> = None;
    let mut classifier = Classifier::default();
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        let stopping = stop.load(Ordering::SeqCst);
        if file.is_none() {
            file = File::open(log).ok();
        }
        let read = file.as_mut().and_then(|file| file.read(&mut buffer).ok()).unwrap_or(0);
        if read > 0 {
            let events = classifier.feed(&buffer[..read]);
            let now = Instant::now();
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.bytes += read as u64;
            state.last_line = classifier.last_line().to_owned();
            state.events.extend(events.into_iter().map(|event| (now, event)));
        } else if stopping {
            return;
        } else {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_followed_while_it_grows() {
        use std::io::Write;
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("console.log");
        let watch = Watch::start(&log);
        let mut file = File::create(&log).unwrap();
        file.write_all(b"Linux version 6.1\nKernel panic - not syncing: x\n").unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while watch.stuck_since(0).is_none() {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(watch.cursor(), 2);
        assert!(watch.last_seen().contains("Kernel panic"), "{}", watch.last_seen());
    }
}
