//! `isotope layout`: what a block device configuration of diskimage-builder makes; as tables, as JSON. Makes nothing.

use crate::context::Context;
use crate::exit::{Class, Failure};
use crate::subject;
use isotope_element::Bytes;
use isotope_plan::blockdev::{self, Config, Graph, Params, Share};
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `layout`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration: `block-device-default.yaml` of an element, what DIB_BLOCK_DEVICE_CONFIG names
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Size of the image, with which sectors are known: 10GiB; or 10G (10·10⁹), as the configuration writes sizes
    #[arg(long, value_name = "SIZE")]
    image_size: Option<String>,
    /// Type of the root filesystem, where the configuration does not say it (FS_TYPE)
    #[arg(long, value_name = "TYPE", default_value = "ext4")]
    fs_type: String,
    /// Its label [default: cloudimg-rootfs; img-rootfs on XFS]
    #[arg(long, value_name = "LABEL")]
    root_label: Option<String>,
    /// Its options for mkfs
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    mkfs_options: Option<String>,
    /// Sector size of all disks, instead of the configuration's (DIB_BLOCK_SIZE)
    #[arg(long, value_name = "BYTES")]
    block_size: Option<String>,
    /// Print the filesystem table alone, as it will be in the image
    #[arg(long)]
    fstab: bool,
}

/// Reads, checks, lays out, shows.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(&args.file).map_err(|error| {
        Failure::new(Class::Usage, format!("cannot read {}: {error}", args.file.display()))
            .hint("name a block device configuration, as elements have in block-device-default.yaml")
    })?;
    let image = args.image_size.as_deref().map(size).transpose()?;
    let params = Params {
        root_fs_type: args.fs_type.clone(),
        root_fs_opts: args.mkfs_options.clone(),
        root_label: args.root_label.clone(),
        block_size: args.block_size.clone(),
        image_size: image,
        ..Params::default()
    };
    let wrong = |errors: isotope_plan::PlanErrors| subject::problems(&errors.problems);
    let config = Config::parse(&args.file, &text).map_err(wrong)?.with_params(&params);
    let graph = Graph::new(&config, &params).map_err(wrong)?;
    let plan = blockdev::layout(&graph, &params).map_err(wrong)?;
    for warning in &plan.warnings {
        ctx.out.warning(&warning.to_string());
    }
    let does_not_fit = |error: blockdev::PlaceError| Failure::new(Class::Configuration, error.to_string());
    if args.fstab {
        ctx.out.text(plan.fstab().trim_end())?;
    } else {
        let json = blockdev::to_json(&config, &graph, &plan, image).map_err(does_not_fit)?;
        let shown = blockdev::show(&plan, image).map_err(does_not_fit)?;
        ctx.out.data(&json, || shown)?;
    }
    let facts = isotope_build::facts::gather(&ctx.env, &ctx.cache_dir);
    for problem in blockdev::preflight(&plan, &facts) {
        ctx.out.note(&format!("this host cannot make it yet: {problem}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn size(text: &str) -> anyhow::Result<Bytes> {
    match Share::parse(text) {
        Ok(Share::Fixed(bytes)) => Ok(bytes),
        Ok(Share::Free(_)) => Err(Failure::new(Class::Usage, "--image-size is no share of anything: 10GiB").into()),
        Err(error) => Err(Failure::new(Class::Usage, format!("--image-size: {error}")).into()),
    }
}
