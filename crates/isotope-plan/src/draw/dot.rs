//! The plan for Graphviz: `dot -Tsvg`.

use crate::{Phase, Plan, Step};
use std::fmt::Write;

/// The plan in Graphviz' language: elements with what they require, and the steps of each phase.
#[must_use]
pub fn dot(plan: &Plan) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    write_dot(plan, &mut out).unwrap_or_default();
    out
}

fn write_dot(plan: &Plan, out: &mut String) -> std::fmt::Result {
    writeln!(out, "digraph {} {{", quoted(&plan.name))?;
    writeln!(out, "  graph [rankdir=LR, fontname=\"sans-serif\", labeljust=l];")?;
    writeln!(out, "  node [shape=box, style=rounded, fontname=\"sans-serif\", fontsize=11];")?;
    writeln!(out, "  subgraph cluster_elements {{\n    label=\"elements\";")?;
    for (index, element) in plan.elements.iter().enumerate() {
        let label = format!("{}. {}", index + 1, element.name);
        let (id, label, tip) = (quoted(&format!("element/{}", element.name)), quoted(&label), quoted(&element.summary));
        writeln!(out, "    {id} [label={label}, tooltip={tip}];")?;
    }
    for element in &plan.elements {
        for required in &element.requires {
            let (from, to) = (format!("element/{}", element.name), format!("element/{required}"));
            writeln!(out, "    {} -> {};", quoted(&from), quoted(&to))?;
        }
    }
    writeln!(out, "  }}")?;
    for phase in Phase::ALL {
        let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.phase == phase).collect();
        if steps.is_empty() {
            continue;
        }
        writeln!(out, "  subgraph {} {{\n    label={};", quoted(&format!("cluster_{phase}")), quoted(phase.name()))?;
        for step in &steps {
            writeln!(
                out,
                "    {} [label={}, tooltip={}];",
                quoted(&step.id),
                quoted(&step.title),
                quoted(&step.origin.element)
            )?;
        }
        writeln!(out, "  }}")?;
    }
    for pair in plan.steps.windows(2) {
        if let [before, after] = pair {
            writeln!(out, "  {} -> {} [style=dotted];", quoted(&before.id), quoted(&after.id))?;
        }
    }
    writeln!(out, "}}")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " "))
}
