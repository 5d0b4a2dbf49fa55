//! Processor time that this process and those it has waited for have used.

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::time::Duration;

/// User and system time of all threads of this process, and of all its children that have ended and were waited for, with theirs.
///
/// In PID 1 of a namespace that is everything that has ended in it: orphans become its children. What still runs is not in it.
#[must_use]
pub fn used() -> Duration {
    [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN]
        .into_iter()
        .filter_map(|who| getrusage(who).ok())
        .map(total)
        .sum()
}

fn total(usage: Usage) -> Duration {
    duration(usage.user_time()) + duration(usage.system_time())
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::used;
    use crate::command::Tool;
    use std::time::Duration;

    #[test]
    fn time_of_this_process_and_of_a_child_counts() {
        let start = used();
        while used().saturating_sub(start) < Duration::from_millis(20) {
            std::hint::black_box((0..1000).sum::<u64>());
        }
        let before = used();
        Tool::new("sh").args(["-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"]).run().unwrap();
        assert!(used().saturating_sub(before) > Duration::from_millis(10));
    }
}
