//! libostree's long operations run in a thread of their own with a GLib main context of their own, so that the caller's
//! progress callback may borrow what it likes and no other main loop is disturbed.

use ostree::glib::MainContext;
use std::sync::mpsc::{Sender, channel};

/// What the worker tells.
enum Message<P> {
    Progress(P),
    Done,
}

/// The worker's end.
pub(crate) struct Reporter<P>(Sender<Message<P>>);

impl<P> Clone for Reporter<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P> Reporter<P> {
    /// One that nobody hears.
    pub(crate) fn deaf() -> Self {
        Self(channel().0)
    }

    /// Tells of progress. A caller that is gone hears nothing.
    pub(crate) fn send(&self, progress: P) {
        self.0.send(Message::Progress(progress)).ok();
    }
}

/// Says that the work has ended, also if it panicked. libostree may keep clones of the reporter for longer.
struct End<P>(Sender<Message<P>>);

impl<P> Drop for End<P> {
    fn drop(&mut self) {
        self.0.send(Message::Done).ok();
    }
}

/// Runs `work` in a thread whose thread-default main context is new, and `on_progress` here for all it reports.
pub(crate) fn run<P: Send, T: Send>(work: impl FnOnce(&Reporter<P>) -> T + Send, on_progress: &mut dyn FnMut(P)) -> T {
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            let end = End(sender.clone());
            let reporter = Reporter(sender);
            let context = MainContext::new();
            // A context made one line above belongs to no other thread.
            let result = context.with_thread_default(|| work(&reporter)).expect("a new main context is free");
            drop(end);
            result
        });
        while let Ok(Message::Progress(progress)) = receiver.recv() {
            on_progress(progress);
        }
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_arrives_in_order_and_the_result_after_it() {
        let mut seen = Vec::new();
        let result = run(
            |reporter| {
                for number in 0..3 {
                    reporter.send(number);
                }
                // As libostree does: a clone that outlives the work.
                std::mem::forget(reporter.clone());
                "done"
            },
            &mut |number| seen.push(number),
        );
        assert_eq!((result, seen), ("done", vec![0, 1, 2]));
    }
}
