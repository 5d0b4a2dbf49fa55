//! What a build may leave behind, counted: loop devices, mounts, processes.

use std::collections::BTreeMap;
use std::path::Path;

/// Processes by number, with their start time (numbers are used again).
pub type Processes = BTreeMap<u32, u64>;

/// All descendants of `pid`, itself included.
#[must_use]
pub fn family(pid: u32) -> Processes {
    let mut children: BTreeMap<u32, Vec<(u32, u64)>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some((own, parent, start)) = entry.file_name().to_string_lossy().parse().ok().and_then(stat) {
            children.entry(parent).or_default().push((own, start));
        }
    }
    let mut found = Processes::new();
    if let Some((own, _, start)) = stat(pid) {
        found.insert(own, start);
    }
    let mut queue = vec![pid];
    while let Some(next) = queue.pop() {
        for (child, start) in children.get(&next).into_iter().flatten() {
            found.insert(*child, *start);
            queue.push(*child);
        }
    }
    found
}

/// Number, parent and start time of a process (proc_pid_stat(5), fields 1, 4 and 22), unless it is a zombie.
fn stat(pid: u32) -> Option<(u32, u32, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    (*fields.first()? != "Z").then_some(())?;
    Some((pid, fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?))
}

/// Those of `processes` that still live.
#[must_use]
pub fn alive(processes: &Processes) -> Vec<u32> {
    processes
        .iter()
        .filter(|(pid, start)| stat(**pid).is_some_and(|(_, _, now)| now == **start))
        .map(|(pid, _)| *pid)
        .collect()
}

/// Loop devices whose backing file is below `dir`, or was and is deleted.
#[must_use]
pub fn loops(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let backing = std::fs::read_to_string(entry.path().join("loop/backing_file")).unwrap_or_default();
        if backing.contains(&*dir.to_string_lossy()) || backing.contains("isotope") {
            found.push(format!("{}: {}", entry.file_name().to_string_lossy(), backing.trim()));
        }
    }
    found
}

/// Mounts of this namespace that name `dir` or Isotope.
#[must_use]
pub fn mounts(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let dir = dir.to_string_lossy();
    text.lines().filter(|line| line.contains(&*dir) || line.contains("isotope")).map(str::to_owned).collect()
}

/// Files below `dir`, relative, sorted.
#[must_use]
pub fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut stack = vec![dir.to_owned()];
    while let Some(next) = stack.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.symlink_metadata().is_ok_and(|own| own.is_dir()) {
                stack.push(path);
            } else if let Ok(relative) = path.strip_prefix(dir) {
                found.push(relative.display().to_string());
            }
        }
    }
    found.sort();
    found
}
