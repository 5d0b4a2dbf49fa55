//! A few threads that work off tasks which make more tasks. The newest task goes first, so a walk stays deep and small.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the watcher is called.
const WATCH: Duration = Duration::from_millis(100);

/// Tasks still to do.
pub(super) struct Queue<T, E> {
    state: Mutex<State<T, E>>,
    changed: Condvar,
}

struct State<T, E> {
    tasks: Vec<T>,
    /// Threads that work on a task and may push more.
    busy: usize,
    error: Option<E>,
    stop: bool,
}

impl<T, E> State<T, E> {
    fn finished(&self) -> bool {
        self.stop || (self.busy == 0 && self.tasks.is_empty())
    }
}

impl<T, E> Queue<T, E> {
    fn lock(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a task.
    pub(super) fn push(&self, task: T) {
        self.lock().tasks.push(task);
        self.changed.notify_one();
    }

    /// The next task, or `None` when all is done or has failed.
    fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.stop {
                return None;
            }
            if let Some(task) = state.tasks.pop() {
                state.busy += 1;
                return Some(task);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn fail(&self, error: E) {
        let mut state = self.lock();
        state.stop = true;
        state.error.get_or_insert(error);
        self.changed.notify_all();
    }
}

/// Marks a task as done, also when it panics.
struct Busy<'a, T, E>(&'a Queue<T, E>);

impl<T, E> Drop for Busy<'_, T, E> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy -= 1;
        state.stop |= std::thread::panicking();
        if state.finished() {
            self.0.changed.notify_all();
        }
    }
}

/// What a thread does with a task: its context, the task, and the queue for more.
pub(super) type Work<'a, T, C, E> = dyn Fn(&mut C, T, &Queue<T, E>) -> Result<(), E> + Sync + 'a;

/// Works off `tasks` and what they push on `jobs` threads, each with a context of its own from `init`. The calling thread calls
/// `watch` now and then. The first error ends it all.
pub(super) fn run<T: Send, C, E: Send>(
    jobs: usize,
    tasks: Vec<T>,
    init: &(dyn Fn() -> Result<C, E> + Sync),
    work: &Work<'_, T, C, E>,
    watch: &mut dyn FnMut(),
) -> Result<(), E> {
    let queue =
        Queue { state: Mutex::new(State { tasks, busy: 0, error: None, stop: false }), changed: Condvar::new() };
    let worker = || {
        let mut context = match init() {
            Ok(context) => context,
            Err(error) => return queue.fail(error),
        };
        while let Some(task) = queue.take() {
            let busy = Busy(&queue);
            if let Err(error) = work(&mut context, task, &queue) {
                queue.fail(error);
            }
            drop(busy);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        let mut state = queue.lock();
        while !state.finished() {
            state = queue.changed.wait_timeout(state, WATCH).unwrap_or_else(PoisonError::into_inner).0;
            if !state.finished() {
                drop(state);
                watch();
                state = queue.lock();
            }
        }
        drop(state);
        drop(threads);
    });
    watch();
    let state = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.error.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn tasks_that_make_tasks_are_all_done() {
        let count = AtomicU32::new(0);
        let work = |_: &mut (), depth: u32, queue: &Queue<u32, ()>| {
            count.fetch_add(1, Ordering::Relaxed);
            (0..depth).for_each(|d| queue.push(d));
            Ok(())
        };
        run(3, vec![10], &|| Ok(()), &work, &mut || ()).unwrap();
        assert_eq!(count.into_inner(), 1 << 10);
    }

    #[test]
    fn the_first_error_ends_it() {
        let endless = |_: &mut (), n: u32, queue: &Queue<u32, u32>| {
            queue.push(n + 1);
            if n == 1000 { Err(n) } else { Ok(()) }
        };
        assert_eq!(run(2, vec![0], &|| Ok(()), &endless, &mut || ()), Err(1000));
        assert_eq!(run(2, vec![0], &|| Err::<(), _>(7), &|_: &mut (), _: u32, _| Ok(()), &mut || ()), Err(7));
    }
}
