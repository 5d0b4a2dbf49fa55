//! The steps of a build as a table for the terminal, those first that took longest.

use super::record::{Ending, Record, Step};
use isotope_plan::Bytes;
use std::fmt::Write as _;
use std::time::Duration;

/// Titles are cut to this many characters.
const TITLE: usize = 44;

/// The table, a line each. Columns for which nothing is known are left out.
pub fn table(record: &Record) -> String {
    let with_cache = record.steps.iter().any(|step| step.cached.is_some());
    let mut head = vec!["step", "title", "element", "wall s", "CPU s", "bytes"];
    if with_cache {
        head.push("cache");
    }
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    rows.extend(record.by_time().into_iter().map(|step| row(step, with_cache)));
    let steps = record.steps.iter().map(|step| step.wall).sum();
    rows.push(vec![
        format!("{} of {} steps", record.steps.len(), record.planned),
        String::new(),
        String::new(),
        seconds(steps),
        seconds(record.cpu()),
        String::new(),
    ]);
    let mut text = aligned(&rows);
    match &record.ending {
        Ending::Finished(_) => {}
        Ending::Failed(_) => text.push_str("the build failed in the step without CPU seconds\n"),
        Ending::CutShort => text.push_str("the build was cut short\n"),
    }
    writeln!(text, "the build took {} s", seconds(record.end)).unwrap_or_default();
    text
}

fn row(step: &Step, with_cache: bool) -> Vec<String> {
    let bytes = match step.bytes() {
        0 => String::new(),
        bytes => Bytes(bytes).to_string(),
    };
    let cpu = step.cpu.map(seconds).unwrap_or_default();
    let title = match step.title.char_indices().nth(TITLE) {
        Some((end, _)) => format!("{}…", &step.title[..end]),
        None => step.title.clone(),
    };
    let mut row = vec![step.id.clone(), title, step.element.clone(), seconds(step.wall), cpu, bytes];
    if with_cache {
        row.push(step.cached.clone().unwrap_or_default());
    }
    row
}

/// Seconds with two digits behind the point.
pub fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

/// Columns that begin below one another; those of figures end so.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            let figure = (3..6).contains(&column);
            let (before, after) = if figure { (pad.as_str(), "") } else { ("", pad.as_str()) };
            write!(line, "{before}{cell}{after}  ").unwrap_or_default();
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::build;
    use super::*;

    #[test]
    fn the_longest_step_is_first_and_figures_are_flush_right() {
        let text = table(&build());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "step          title                 element         wall s  CPU s     bytes");
        assert_eq!(lines[1], "root/01-tree  make the <base> tree  debian-minimal    2.00   3.50    13 MiB");
        assert_eq!(lines[2], "disk/02-disk  make the disk         isotope           0.90   0.50  1000 KiB");
        assert_eq!(lines[3], "2 of 3 steps                                          2.90   4.00");
        assert_eq!(lines[4], "the build took 3.10 s");
    }

    #[test]
    fn the_cache_has_a_column_where_it_was_asked() {
        let mut record = build();
        record.steps[0].cached = Some("miss: the package archive is newer".into());
        record.steps[1].cached = Some("hit".into());
        let text = table(&record);
        assert!(text.lines().next().unwrap().ends_with("bytes  cache"), "{text}");
        assert!(text.contains("13 MiB  miss: the package archive is newer\n") && text.contains("KiB  hit\n"), "{text}");
    }
}
