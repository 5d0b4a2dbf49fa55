//! Pieces of HTML: text that cannot become markup, places and lengths in percent, and a scale of round times.

use std::fmt;
use std::time::Duration;

/// Text as it stands between tags and in quoted attributes.
pub struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Not allowed in HTML, and of no use to a reader.
                c if c.is_control() && c != '\n' && c != '\t' => f.write_str("\u{fffd}")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// The time that a whole lane stands for.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    end: Duration,
}

/// Distances of the marks of a scale, in milliseconds.
const MARKS: [u64; 19] = [
    1, 5, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000,
    1_800_000, 3_600_000,
];

/// At most so many marks.
const MOST_MARKS: u128 = 9;

impl Scale {
    /// A scale from 0 to `end`.
    pub fn new(end: Duration) -> Self {
        Self { end: end.max(Duration::from_millis(1)) }
    }

    /// How far from the left `time` is, in percent.
    pub fn percent(self, time: Duration) -> f64 {
        (time.as_secs_f64() / self.end.as_secs_f64() * 100.0).clamp(0.0, 100.0)
    }

    /// `left:…%;width:…%` of what lasts from `start` to `end`.
    pub fn place(self, start: Duration, end: Duration) -> String {
        let left = self.percent(start);
        let width = (self.percent(end) - left).max(0.0);
        format!("left:{left:.3}%;width:{width:.3}%")
    }

    /// The distance of the marks: round, and few enough to be read.
    pub fn mark(self) -> Duration {
        let fits = |mark: &u64| self.end.as_millis() / u128::from(*mark) < MOST_MARKS;
        let longest = MARKS[MARKS.len() - 1];
        let round = MARKS.into_iter().find(fits).unwrap_or_else(|| {
            let hours = self.end.as_millis() / (u128::from(longest) * MOST_MARKS) + 1;
            longest.saturating_mul(u64::try_from(hours).unwrap_or(u64::MAX))
        });
        Duration::from_millis(round)
    }

    /// The marks, without the one at 0.
    pub fn marks(self) -> Vec<Duration> {
        let mark = self.mark();
        std::iter::successors(Some(mark), |last| Some(*last + mark)).take_while(|time| *time < self.end).collect()
    }
}

/// A time as it stands at a mark: `250 ms`, `20 s`, `2:30`, `1:00:00`.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds, time.subsec_millis()) {
        (0, milliseconds) => format!("{milliseconds} ms"),
        (1..60, 0) => format!("{seconds} s"),
        (1..60, milliseconds) => format!("{}.{} s", seconds, milliseconds / 100),
        (60..3600, _) => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let text = "<script>alert(\"1\" & '2')</script>\u{1b}[0m\0";
        let shown = Text(text).to_string();
        assert_eq!(shown, "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;\u{fffd}[0m\u{fffd}");
    }

    #[test]
    fn places_stay_in_the_lane() {
        let scale = Scale::new(Duration::from_secs(10));
        let s = Duration::from_secs;
        assert_eq!(scale.place(s(1), s(3)), "left:10.000%;width:20.000%");
        assert_eq!(scale.place(s(9), s(30)), "left:90.000%;width:10.000%");
        assert_eq!(scale.place(s(3), s(1)), "left:30.000%;width:0.000%", "a clock that goes back");
        assert_eq!(Scale::new(Duration::ZERO).place(s(0), s(0)), "left:0.000%;width:0.000%");
    }

    #[test]
    fn marks_are_round_and_few() {
        let of = |milliseconds| {
            let marks = Scale::new(Duration::from_millis(milliseconds)).marks();
            marks.iter().map(|mark| clock(*mark)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(0), "");
        assert_eq!(of(3100), "500 ms 1 s 1.5 s 2 s 2.5 s 3 s");
        assert_eq!(of(95_000), "20 s 40 s 1:00 1:20");
        assert_eq!(of(7_300_000), "30:00 1:00:00 1:30:00 2:00:00");
        for seconds in [1, 59, 601, 5_000, 90_000, 1_000_000_000] {
            let count = Scale::new(Duration::from_secs(seconds)).marks().len();
            assert!((1..=9).contains(&count), "{count} marks in {seconds} s");
        }
    }
}
