//! `isotope doctor`: what this host can do, and what to install for the rest.

use crate::context::Context;
use isotope_plan::host_tools;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// One line of the examination.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    ok: bool,
    /// Only some builds need it.
    optional: bool,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn new(what: &str, ok: bool, detail: impl Into<String>, remedy: &str) -> Self {
        let remedy = (!ok && !remedy.is_empty()).then(|| remedy.to_owned());
        Self { what: what.to_owned(), ok, optional: false, detail: detail.into(), remedy }
    }

    fn optional(self) -> Self {
        Self { optional: true, ..self }
    }
}

#[derive(Debug, Serialize)]
struct Examination {
    findings: Vec<Finding>,
    mirrors: BTreeMap<String, String>,
}

/// Examines the host.
pub fn run(_args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let facts = isotope_build::facts::gather(&ctx.env, &ctx.cache_dir);
    let mut findings = vec![
        Finding::new(
            "root",
            facts.is_root,
            if facts.is_root { "yes" } else { "no: building mounts" },
            "run builds with sudo",
        ),
        Finding::new("loop devices", facts.loop_devices, "/dev/loop-control", "load the kernel module `loop`"),
        Finding::new(
            "device mapper",
            facts.device_mapper,
            "for logical volumes (lvm of diskimage-builder's layouts), and for nothing else",
            "load the kernel module `dm_mod`; in a container, pass /dev/mapper/control",
        )
        .optional(),
        Finding::new(
            "memory available",
            facts.memory.0 > 2 << 30,
            facts.memory.to_string(),
            "builds go to disk: slower",
        ),
    ];
    for tool in host_tools() {
        let there = facts.tools.contains(tool.name);
        let remedy = facts
            .family
            .and_then(|family| tool.package(family))
            .map(|package| format!("install {package}"))
            .unwrap_or_default();
        findings.push(Finding::new(tool.name, there, tool.purpose, &remedy));
    }
    let uefi = isotope_vm::firmware::find(isotope_vm::Firmware::Uefi);
    findings.push(Finding::new("UEFI firmware for guests", uefi.is_ok(), "OVMF", "install ovmf"));
    let examination = Examination { findings, mirrors: facts.mirrors };
    ctx.out.data(&examination, || describe(&examination))?;
    let missing = examination.findings.iter().any(|finding| !finding.ok && !finding.optional);
    Ok(if missing { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn describe(examination: &Examination) -> String {
    let mut text = String::new();
    for finding in &examination.findings {
        let mark = match (finding.ok, finding.optional) {
            (true, _) => "ok     ",
            (false, true) => "absent ",
            (false, false) => "MISSING",
        };
        let remedy = finding.remedy.as_ref().map(|remedy| format!("  → {remedy}")).unwrap_or_default();
        writeln!(text, "{mark}  {:<26} {}{remedy}", finding.what, finding.detail).unwrap_or_default();
    }
    for (name, url) in &examination.mirrors {
        writeln!(text, "mirror   {name:<26} {url}").unwrap_or_default();
    }
    text
}
