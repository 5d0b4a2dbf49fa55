//! The timeline as one HTML page: no script, no font, no picture from elsewhere; light or dark as the reader's desktop is.
//!
//! A row for each step, its bar where it ran, its activities as darker bars in it; opened, its activities and programs as lists.

use super::html::{Scale, Text, clock};
use super::record::{Activity, Ending, Record, Step};
use super::table::seconds;
use isotope_element::Phase;
use isotope_plan::Bytes;
use std::fmt::{self, Write};
use std::time::Duration;

const STYLE: &str = include_str!("timeline.css");

/// The page.
pub fn page(record: &Record) -> String {
    let mut html = String::new();
    // Writing to a String cannot fail.
    write_page(&mut html, record).unwrap_or_default();
    html
}

fn write_page(html: &mut String, record: &Record) -> fmt::Result {
    let name = Text(&record.name);
    write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{name}: timeline of the build</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{name}</h1>\n"
    )?;
    ending(html, record)?;
    tiles(html, record)?;
    html.push_str("</header>\n<main>\n");
    timeline(html, record)?;
    steps(html, record)?;
    write!(
        html,
        "</main>\n<footer>The full log is <code>{}</code>.</footer>\n</body>\n</html>\n",
        Text(&record.log.display().to_string())
    )
}

fn ending(html: &mut String, record: &Record) -> fmt::Result {
    match &record.ending {
        Ending::Finished(outputs) => {
            for output in outputs {
                writeln!(html, "<p class=\"output\"><code>{}</code></p>", Text(&output.display().to_string()))?;
            }
            Ok(())
        }
        Ending::Failed(message) => writeln!(html, "<p class=\"failed\">The build failed: {}</p>", Text(message)),
        Ending::CutShort => writeln!(html, "<p class=\"failed\">The build was cut short.</p>"),
    }
}

fn tiles(html: &mut String, record: &Record) -> fmt::Result {
    let mut tile = |figure: &str, about: &str| {
        writeln!(html, "<div class=\"tile\"><b>{}</b><span>{}</span></div>", Text(figure), Text(about))
    };
    tile(&format!("{} s", seconds(record.end)), "from the first event to the last")?;
    tile(&format!("{} s", seconds(record.cpu())), "processor time of the steps")?;
    tile(&format!("{} of {}", record.steps.len(), record.planned), "steps ran")?;
    let asked: Vec<&str> = record.steps.iter().filter_map(|step| step.cached.as_deref()).collect();
    if !asked.is_empty() {
        let hits = asked.iter().filter(|cached| is_hit(cached)).count();
        tile(&format!("{hits} of {}", asked.len()), "steps were in the cache")?;
    }
    Ok(())
}

fn timeline(html: &mut String, record: &Record) -> fmt::Result {
    let scale = Scale::new(record.end);
    writeln!(
        html,
        "<section class=\"timeline\" style=\"--mark:{:.3}%\">\n<h2>Timeline</h2>\n\
         <p class=\"about\">A bar is a step, the darker bars in it are parts of its work, the ticks below are programs that were \
         started. Point at one to read more; open a step for its list.</p>",
        scale.percent(scale.mark())
    )?;
    html.push_str("<div class=\"row axis\"><span></span><div class=\"lane\">");
    for mark in scale.marks() {
        write!(html, "<span style=\"left:{:.3}%\">{}</span>", scale.percent(mark), clock(mark))?;
    }
    html.push_str("</div><span></span></div>\n<div class=\"row phases\"><span>phases</span><div class=\"lane\">");
    for (phase, start, end) in record.phases() {
        let took = seconds(end.saturating_sub(start));
        write!(
            html,
            "<i class=\"{}\" style=\"{}\" title=\"{phase}: {took} s\"><span>{phase}</span></i>",
            class(phase),
            scale.place(start, end)
        )?;
    }
    html.push_str("</div><span></span></div>\n");
    for step in &record.steps {
        row(html, step, scale)?;
    }
    html.push_str("</section>\n");
    Ok(())
}

fn row(html: &mut String, step: &Step, scale: Scale) -> fmt::Result {
    let state = if step.ended { "" } else { " broken" };
    writeln!(
        html,
        "<details class=\"{}{state}\"><summary class=\"row\"><span class=\"name\"><b>{}</b> <small>{}</small>{}</span>\
         <div class=\"lane\">",
        class(step.phase),
        Text(&step.title),
        Text(&step.element),
        badge(step)
    )?;
    let end = step.start + step.wall;
    write!(html, "<i style=\"{}\" title=\"{}\"></i>", scale.place(step.start, end), Text(&about(step)))?;
    for activity in &step.activities {
        let place = scale.place(activity.start, activity.end);
        write!(html, "<i class=\"part\" style=\"{place}\" title=\"{}\"></i>", Text(&describe(activity)))?;
    }
    for (at, line) in &step.commands {
        let title = format!("{} at {} s", short(line), seconds(*at));
        write!(html, "<i class=\"tick\" style=\"left:{:.3}%\" title=\"{}\"></i>", scale.percent(*at), Text(&title))?;
    }
    writeln!(html, "</div><span class=\"figure\">{} s</span></summary>", seconds(step.wall))?;
    inside(html, step)?;
    html.push_str("</details>\n");
    Ok(())
}

/// What is seen when a step is opened.
fn inside(html: &mut String, step: &Step) -> fmt::Result {
    writeln!(html, "<div class=\"inside\"><p>{}</p>", Text(&about(step)))?;
    if !step.activities.is_empty() {
        html.push_str("<ol>");
        for activity in &step.activities {
            write!(html, "<li>{}</li>", Text(&describe(activity)))?;
        }
        html.push_str("</ol>\n");
    }
    if !step.commands.is_empty() {
        html.push_str("<pre>");
        for (at, line) in &step.commands {
            writeln!(html, "{:>8} s  {}", seconds(*at), Text(line))?;
        }
        html.push_str("</pre>");
    }
    html.push_str("</div>");
    Ok(())
}

/// The steps as a table, those first that took longest.
fn steps(html: &mut String, record: &Record) -> fmt::Result {
    html.push_str(
        "<section>\n<h2>Steps by time</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>step</th><th>title</th><th>element</th>\
         <th class=\"figure\">wall s</th><th></th><th class=\"figure\">CPU s</th><th class=\"figure\">bytes</th><th>cache</th></tr></thead>\n<tbody>\n",
    );
    let scale = Scale::new(record.by_time().first().map(|step| step.wall).unwrap_or_default());
    for step in record.by_time() {
        let bytes = if step.bytes() == 0 { String::new() } else { Bytes(step.bytes()).to_string() };
        writeln!(
            html,
            "<tr class=\"{}\"><td><code>{}</code></td><td>{}</td><td>{}</td><td class=\"figure\">{}</td>\
             <td class=\"share\"><i style=\"{}\"></i></td><td class=\"figure\">{}</td><td class=\"figure\">{bytes}</td><td>{}</td></tr>",
            class(step.phase),
            Text(&step.id),
            Text(&step.title),
            Text(&step.element),
            seconds(step.wall),
            scale.place(Duration::ZERO, step.wall),
            step.cpu.map(seconds).unwrap_or_default(),
            Text(step.cached.as_deref().unwrap_or_default())
        )?;
    }
    html.push_str("</tbody>\n</table></div>\n</section>\n");
    Ok(())
}

/// A step in a line.
fn about(step: &Step) -> String {
    let mut text = format!("{}: {}, {} s", step.id, step.title, seconds(step.wall));
    if let Some(cpu) = step.cpu {
        write!(text, ", {} s of CPU", seconds(cpu)).unwrap_or_default();
    }
    if step.bytes() > 0 {
        write!(text, ", {}", Bytes(step.bytes())).unwrap_or_default();
    }
    if let Some(cached) = &step.cached {
        write!(text, ", cache: {cached}").unwrap_or_default();
    }
    if !step.ended {
        text.push_str(", did not end");
    }
    text
}

fn describe(activity: &Activity) -> String {
    let took = activity.end.saturating_sub(activity.start);
    let mut text = format!("{}: {} s", activity.what, seconds(took));
    if activity.bytes > 0 {
        write!(text, ", {}", Bytes(activity.bytes)).unwrap_or_default();
        let rate = u128::from(activity.bytes) * 1000 / took.as_millis().max(1);
        if took.as_millis() >= 100 {
            write!(text, ", {}/s", Bytes(u64::try_from(rate).unwrap_or(u64::MAX))).unwrap_or_default();
        }
    }
    text
}

fn badge(step: &Step) -> String {
    match step.cached.as_deref() {
        None => String::new(),
        Some(cached) => {
            let (class, word) = if is_hit(cached) { ("hit", "hit") } else { ("miss", "miss") };
            format!(" <em class=\"{class}\" title=\"{}\">{word}</em>", Text(cached))
        }
    }
}

fn is_hit(cached: &str) -> bool {
    cached.starts_with("hit")
}

/// A command line of a length that a title can have.
fn short(line: &str) -> String {
    match line.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The class that gives a phase its colour.
const fn class(phase: Phase) -> &'static str {
    match phase {
        Phase::Root => "p1",
        Phase::ExtraData => "p2",
        Phase::PreInstall => "p3",
        Phase::Install => "p4",
        Phase::PostInstall => "p5",
        Phase::PostRoot => "p6",
        Phase::BlockDevice => "p7",
        Phase::PreFinalise => "p8",
        Phase::Finalise => "p9",
        Phase::Cleanup => "p10",
        Phase::Export => "p11",
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
