//! The finished tree: out of its mounts, put aside, measured.

use super::{Dib, mounts};
use crate::build::Build;
use crate::error::StepError;
use isotope_plan::DibGather;
use isotope_sys::command::Tool;
use std::io::Write as _;

/// In layers, sizes that follow from what the tree takes are multiples of this many bytes, as those of Isotope's own layouts are: a changed hook
/// makes a log a block longer, and upstream's steps of 64 KiB would let no disk begin as the one before.
const STEP: u64 = 32 << 20;

pub(super) fn gather(gather: &DibGather, dib: &mut Dib, build: &Build<'_>) -> Result<(), StepError> {
    mounts::release(dib, &build.events)?;
    dib.tree()?.remove_tree("/lost+found")?;
    let (mount, built) = (dib.mount(), dib.built());
    std::fs::rename(&mount, &built).map_err(StepError::io("put aside", &mount))?;
    std::fs::create_dir(&mount).map_err(StepError::io("make", &mount))?;
    if gather.show_usage {
        usage(dib, build)?;
    }
    let size = match gather.size.size {
        Some(_) => gather.size.bytes(0).0,
        None if build.layers.is_some() => gather.size.bytes(used(dib)?).0.next_multiple_of(STEP),
        None => gather.size.bytes(used(dib)?).0,
    };
    dib.image_size = Some(size);
    dib.vars.insert("DIB_IMAGE_SIZE".to_owned(), (size / 1024).to_string());
    let mut lines = format!("image-size: {}KiB\n", size / 1024);
    if let Some(options) = gather.size.root_fs_opts() {
        lines.push_str(&format!("root-fs-opts: '{}'\n", options.replace('\'', "''")));
    }
    let path = dib.parameters();
    let appended =
        std::fs::OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(lines.as_bytes()));
    appended.map_err(StepError::io("write", &path))
}

/// What the tree takes, in KiB, as du counts: upstream's sizes are made of that.
fn used(dib: &Dib) -> Result<u64, StepError> {
    let what = || "measure the tree".to_owned();
    let tool = Tool::new("du").args(["-skx"]).arg(dib.built());
    let text = tool.run().map_err(|source| StepError::Command { what: what(), source })?.text();
    let first = text.split_whitespace().next().and_then(|word| word.parse().ok());
    first.ok_or(StepError::Plan("du says no number"))
}

/// `DIB_SHOW_IMAGE_USAGE`: directories and files of more than 10 MiB.
fn usage(dib: &Dib, build: &Build<'_>) -> Result<(), StepError> {
    build.events.output("Image size report (files > 10MiB)");
    let tool = Tool::new("du").args(["-a", "-x", "-h", "-t", "10M", "."]).current_dir(dib.built());
    tool.run_lines(&|line| build.events.output(line))
        .map_err(|source| StepError::Command { what: "measure the tree".to_owned(), source })
}
