//! How a build's events look: progress bars on a terminal, a readable log elsewhere, JSON lines where scripts read them.
//!
//! In: [`Event`]s. Out: text on stderr (JSON lines on stdout). One renderer each; nothing here decides anything.

mod bars;
mod lines;

use crate::context::Context;
use isotope_build::Event;
use std::io::IsTerminal;

/// Which way events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Bars on a terminal, lines elsewhere.
    Auto,
    /// Progress bars.
    Bars,
    /// A readable log.
    Text,
    /// One JSON object for each event, on stdout.
    Json,
}

/// Something that shows events.
pub trait Renderer {
    /// Shows one event.
    fn show(&mut self, event: &Event);
}

/// The renderer for these settings.
pub fn renderer(format: LogFormat, ctx: &Context) -> Box<dyn Renderer> {
    match format {
        LogFormat::Json => Box::new(lines::Json),
        LogFormat::Bars => Box::new(bars::Bars::new(ctx)),
        LogFormat::Auto if std::io::stderr().is_terminal() && !ctx.verbose && !ctx.quiet => {
            Box::new(bars::Bars::new(ctx))
        }
        LogFormat::Auto | LogFormat::Text => Box::new(lines::Text::new(ctx)),
    }
}

/// `12.3 s`, `2 min 05 s`.
pub fn seconds(duration: std::time::Duration) -> String {
    let all = duration.as_secs_f64();
    if all < 60.0 {
        format!("{all:.1} s")
    } else {
        format!("{} min {:02} s", duration.as_secs() / 60, duration.as_secs() % 60)
    }
}
