//! The plan as one SVG file that needs nothing else: no font, no script, no style sheet. It is legible on light and dark pages.
//!
//! Above, the elements: who requires stands left of what it requires, the number is its place in the order. Below, a lane for each phase
//! with its steps, coloured by kind.

use super::layers::{Layers, layers};
use crate::{DibAction, Phase, Place, Plan, PlannedElement, Step, StepAction};
use std::collections::BTreeMap;
use std::fmt::Write;

const WIDTH: usize = 1200;
const MARGIN: usize = 28;
const NODE: (usize, usize) = (214, 46);
const NODE_GAP: (usize, usize) = (70, 16);
const STEP: (usize, usize) = (243, 44);
const STEP_GAP: usize = 10;
const LANE_HEAD: usize = 132;

/// What both pages share. Colours are written out for each class: many viewers know no CSS variables.
const STYLE: &str =
    "text { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: 13px; }
.title { font-size: 20px; font-weight: 600; } .head { font-size: 14px; font-weight: 600; }
.step { font-size: 12px; } .soft { font-size: 11px; } .number { font-size: 11px; text-anchor: end; }
.edge { fill: none; stroke-width: 1.4px; }
";

/// Colours of one page, in the order of [`rules`].
type Palette = [&'static str; 13];

const LIGHT: Palette = [
    "#ffffff", "#1d2430", "#5d6878", "#c9d0da", "#ffffff", "#eef2f6", "#8592a5", "#2f7d4f", "#2a6fb0", "#a35a00",
    "#7a4fb5", "#b3364a", "#0f7c86",
];
const DARK: Palette = [
    "#12161c", "#e6ebf2", "#9aa6b6", "#3a4452", "#1e252f", "#181d25", "#7f8da1", "#5cc48a", "#6db0ee", "#e8a552",
    "#b793ee", "#ef7d8d", "#4fc3cd",
];

fn rules(palette: Palette) -> String {
    let [page, ink, soft, line, bx, lane, edge, packages, files, hook, system, disk, export] = palette;
    format!(
        "text {{ fill: {ink}; }} .soft, .number {{ fill: {soft}; }} .page {{ fill: {page}; }} .lane {{ fill: {lane}; }}
.box {{ fill: {bx}; stroke: {line}; }} .edge {{ stroke: {edge}; }} .arrow {{ fill: {edge}; }}
.packages {{ fill: {packages}; }} .files {{ fill: {files}; }} .hook {{ fill: {hook}; }}
.system {{ fill: {system}; }} .disk {{ fill: {disk}; }} .export {{ fill: {export}; }}\n"
    )
}

/// The plan as SVG.
#[must_use]
pub fn svg(plan: &Plan) -> String {
    let mut drawing = Drawing { body: String::new(), y: MARGIN };
    // Writing to a String cannot fail.
    drawing.plan(plan).unwrap_or_default();
    let height = drawing.y + MARGIN;
    let name = escape(&plan.name);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>Plan of {name}</title>\n<style>\n{STYLE}{}@media (prefers-color-scheme: dark) {{\n{}}}\n</style>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path class=\"arrow\" d=\"M0 0 L8 4 L0 8 z\"/></marker></defs>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n{}</svg>\n",
        rules(LIGHT),
        rules(DARK),
        drawing.body
    )
}

struct Drawing {
    body: String,
    /// Where the next thing begins.
    y: usize,
}

impl Drawing {
    fn plan(&mut self, plan: &Plan) -> std::fmt::Result {
        let target = &plan.target;
        self.text(MARGIN, 22, "title", &plan.name)?;
        let facts = format!(
            "{} {}, {}; {} elements, {} steps",
            target.distro,
            target.release,
            target.arch,
            plan.elements.len(),
            plan.steps.len()
        );
        self.text(MARGIN, 42, "soft", &facts)?;
        self.y += 74;
        self.heading("Elements", "a line leads from an element to what it requires; the numbers are the order")?;
        self.elements(&plan.elements)?;
        self.y += 26;
        self.heading("Steps", "phase by phase, each lane from left to right")?;
        self.legend()?;
        for phase in Phase::ALL {
            let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.phase == phase).collect();
            if !steps.is_empty() {
                self.lane(phase, &steps)?;
            }
        }
        Ok(())
    }

    /// Text at `x` and `dy` below the current place.
    fn text(&mut self, x: usize, dy: usize, class: &str, text: &str) -> std::fmt::Result {
        writeln!(self.body, "<text class=\"{class}\" x=\"{x}\" y=\"{}\">{}</text>", self.y + dy, escape(text))
    }

    fn heading(&mut self, text: &str, about: &str) -> std::fmt::Result {
        self.text(MARGIN, 0, "head", text)?;
        self.text(MARGIN + 14 + width(text, 15), 0, "soft", about)?;
        self.y += 16;
        Ok(())
    }

    fn elements(&mut self, elements: &[PlannedElement]) -> std::fmt::Result {
        let index: BTreeMap<&str, usize> =
            elements.iter().enumerate().map(|(index, element)| (element.name.as_str(), index)).collect();
        let mut edges: Vec<(usize, usize)> = Vec::new();
        for (from, element) in elements.iter().enumerate() {
            edges.extend(element.requires.iter().filter_map(|name| Some((from, *index.get(name.as_str())?))));
        }
        let linked: Vec<usize> =
            (0..elements.len()).filter(|node| edges.iter().any(|(a, b)| a == node || b == node)).collect();
        let alone: Vec<usize> = (0..elements.len()).filter(|node| !linked.contains(node)).collect();
        let place = |node: usize| linked.binary_search(&node).unwrap_or(0);
        let within: Vec<(usize, usize)> = edges.iter().map(|&(from, to)| (place(from), place(to))).collect();
        let laid = layers(linked.len(), &within);
        let step =
            (NODE.0 + NODE_GAP.0).min(WIDTH.saturating_sub(2 * MARGIN + NODE.0) / laid.ranks.saturating_sub(1).max(1));
        self.graph_edges(&laid, step)?;
        for (node, (rank, row)) in linked.iter().zip(&laid.nodes) {
            self.node(MARGIN + rank * step, self.y + row * (NODE.1 + NODE_GAP.1), *node, elements)?;
        }
        self.y += laid.rows * (NODE.1 + NODE_GAP.1);
        if !alone.is_empty() {
            if !linked.is_empty() {
                self.text(MARGIN, 14, "soft", "on their own")?;
                self.y += 24;
            }
            let across = (WIDTH - 2 * MARGIN + NODE_GAP.1) / (NODE.0 + NODE_GAP.1);
            for (at, node) in alone.iter().enumerate() {
                let (column, row) = (at % across, at / across);
                self.node(
                    MARGIN + column * (NODE.0 + NODE_GAP.1),
                    self.y + row * (NODE.1 + NODE_GAP.1),
                    *node,
                    elements,
                )?;
            }
            self.y += alone.len().div_ceil(across) * (NODE.1 + NODE_GAP.1);
        }
        Ok(())
    }

    fn graph_edges(&mut self, laid: &Layers, step: usize) -> std::fmt::Result {
        let middle = |row: usize| self.y + row * (NODE.1 + NODE_GAP.1) + NODE.1 / 2;
        let mut paths = String::new();
        for way in &laid.edges {
            let Some(((rank, row), rest)) = way.split_first() else { continue };
            let (mut x, mut y) = (MARGIN + rank * step + NODE.0, middle(*row));
            write!(paths, "<path class=\"edge\" marker-end=\"url(#arrow)\" d=\"M{x} {y}")?;
            for (at, (rank, row)) in rest.iter().enumerate() {
                let (to_x, to_y) = (MARGIN + rank * step, middle(*row));
                let half = usize::midpoint(x, to_x);
                write!(paths, " C{half} {y} {half} {to_y} {to_x} {to_y}")?;
                (x, y) = (to_x, to_y);
                // A bend passes its rank straight on.
                if at + 1 < rest.len() {
                    x += NODE.0;
                    write!(paths, " L{x} {y}")?;
                }
            }
            writeln!(paths, "\"/>")?;
        }
        self.body.push_str(&paths);
        Ok(())
    }

    fn node(&mut self, x: usize, y: usize, index: usize, elements: &[PlannedElement]) -> std::fmt::Result {
        let Some(element) = elements.get(index) else { return Ok(()) };
        let (width, height) = NODE;
        writeln!(self.body, "<g><title>{}</title>", escape(&element.summary))?;
        writeln!(
            self.body,
            "<rect class=\"box\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"7\"/>"
        )?;
        writeln!(
            self.body,
            "<text x=\"{}\" y=\"{}\">{}</text>",
            x + 12,
            y + 20,
            escape(&fit(&element.name, NODE.0 - 44, 13))
        )?;
        writeln!(self.body, "<text class=\"number\" x=\"{}\" y=\"{}\">{}</text>", x + width - 10, y + 20, index + 1)?;
        writeln!(
            self.body,
            "<text class=\"soft\" x=\"{}\" y=\"{}\">{}</text></g>",
            x + 12,
            y + 36,
            escape(&fit(&element.summary, NODE.0 - 22, 11))
        )
    }

    fn legend(&mut self) -> std::fmt::Result {
        let kinds = [
            ("packages", "packages"),
            ("files", "files"),
            ("system", "services, initramfs, reset"),
            ("hook", "hook"),
            ("disk", "disk and boot"),
            ("export", "output"),
        ];
        let mut x = MARGIN;
        for (class, label) in kinds {
            writeln!(
                self.body,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"10\" height=\"10\" rx=\"2\"/>",
                self.y
            )?;
            self.text(x + 15, 9, "soft", label)?;
            x += 36 + width(label, 11);
        }
        self.y += 22;
        Ok(())
    }

    fn lane(&mut self, phase: Phase, steps: &[&Step]) -> std::fmt::Result {
        let across = (WIDTH - 2 * MARGIN - LANE_HEAD) / (STEP.0 + STEP_GAP);
        let rows = steps.len().div_ceil(across);
        let height = rows * (STEP.1 + STEP_GAP) + STEP_GAP;
        let (y, wide) = (self.y, WIDTH - 2 * MARGIN);
        writeln!(
            self.body,
            "<rect class=\"lane\" x=\"{MARGIN}\" y=\"{y}\" width=\"{wide}\" height=\"{height}\" rx=\"8\"/>"
        )?;
        self.text(MARGIN + 12, 26, "head", phase.name())?;
        let side = match phase.place() {
            _ if phase == Phase::Export => "output files",
            Place::Host => "on the host",
            Place::Target => "in the target",
        };
        self.text(MARGIN + 12, 43, "soft", side)?;
        for (at, step) in steps.iter().enumerate() {
            let x = MARGIN + LANE_HEAD + at % across * (STEP.0 + STEP_GAP);
            self.step(x, y + STEP_GAP + at / across * (STEP.1 + STEP_GAP), step)?;
        }
        self.y += height + 8;
        Ok(())
    }

    fn step(&mut self, x: usize, y: usize, step: &Step) -> std::fmt::Result {
        let (width, height) = STEP;
        let (class, number) =
            (kind(&step.action), step.id.split_once('/').map_or("", |(_, rest)| rest.get(..2).unwrap_or("")));
        let origin = if step.origin.element == "isotope" { "all elements" } else { &step.origin.element };
        writeln!(self.body, "<g><title>{}: {} ({origin})</title>", escape(&step.id), escape(&step.title))?;
        writeln!(
            self.body,
            "<rect class=\"box\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"5\"/>"
        )?;
        writeln!(
            self.body,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"4\" height=\"{}\" rx=\"2\"/>",
            y + 6,
            height - 12
        )?;
        writeln!(
            self.body,
            "<text class=\"step\" x=\"{}\" y=\"{}\">{}</text>",
            x + 13,
            y + 18,
            escape(&fit(&short(step), width - 20, 12))
        )?;
        writeln!(
            self.body,
            "<text class=\"soft\" x=\"{}\" y=\"{}\">{number} · {}</text></g>",
            x + 13,
            y + 34,
            escape(&fit(origin, width - 50, 11))
        )
    }
}

fn kind(action: &StepAction) -> &'static str {
    match action {
        StepAction::Bootstrap(_) | StepAction::Packages(_) => "packages",
        StepAction::Files(_) | StepAction::Write(_) => "files",
        StepAction::Services(_) | StepAction::Initramfs | StepAction::Sysprep(_) => "system",
        StepAction::OstreeTrim(_) | StepAction::OstreeKernel(_) | StepAction::OstreeTree(_) => "system",
        StepAction::Hook(_) | StepAction::Script(_) => "hook",
        StepAction::OstreeParent(_) | StepAction::OstreeCheckout(_) => "files",
        StepAction::OstreeCommit(_) => "export",
        StepAction::OstreeDeploy(_) => "packages",
        StepAction::Disk | StepAction::Bootloader => "disk",
        StepAction::Dib(DibAction::Hooks(_)) => "hook",
        StepAction::Dib(DibAction::Packages(_)) => "packages",
        StepAction::Dib(DibAction::Disk(_)) => "disk",
        StepAction::Dib(_) => "system",
        StepAction::Export { .. } => "export",
    }
}

/// A step's title without the words its box says already.
fn short(step: &Step) -> String {
    match &step.action {
        StepAction::Write(write) => path_end(&write.dest),
        StepAction::Files(files) if files.dest.len() > 1 && !files.dest.ends_with('/') => path_end(&files.dest),
        StepAction::Files(files) => {
            format!("{} → {}", files.source.file_name().unwrap_or_default().to_string_lossy(), files.dest)
        }
        StepAction::Hook(hook) => hook.script.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        StepAction::Bootloader => step.title.replacen("install the boot loader", "boot loader", 1),
        StepAction::Disk => "make and fill the disk".to_owned(),
        _ => step.title.clone(),
    }
}

/// A path without the beginning that does not fit: its end says more.
fn path_end(path: &str) -> String {
    let limit = STEP.0 - 20;
    let fitting = path.match_indices('/').map(|(at, _)| &path[at..]).find(|end| width(end, 12) + 12 <= limit);
    match fitting {
        _ if width(path, 12) <= limit => path.to_owned(),
        Some(end) => format!("…{end}"),
        None => path.to_owned(),
    }
}

/// As much of a text as fits into `limit` pixels, an ellipsis where something is left out.
fn fit(text: &str, limit: usize, size: usize) -> String {
    if width(text, size) <= limit {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    while width(&kept, size) + size > limit && kept.pop().is_some() {}
    format!("{}…", kept.trim_end())
}

/// How wide a text is, in pixels: the widths of a wide common font (DejaVu Sans), so that others fit too.
fn width(text: &str, size: usize) -> usize {
    let hundredths = |char: char| match char {
        'i' | 'j' | 'l' | 'I' | '|' | '\'' | '.' | ',' | ':' | ';' | ' ' | '/' | '!' => 34,
        'f' | 'r' | 't' | '(' | ')' | '-' | 's' | '"' => 43,
        'm' | 'w' | 'M' | 'W' | '…' | '→' => 92,
        'A'..='Z' => 69,
        char if char.is_ascii() => 62,
        _ => 80,
    };
    (text.chars().map(hundredths).sum::<usize>() * size).div_ceil(100)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
