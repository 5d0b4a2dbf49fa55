//! `isotope new`: the beginning of an element or a recipe, which loads as it is.

use crate::context::Context;
use crate::exit::{Class, Failure};
use anyhow::Context as _;
use isotope_element::scaffold::{self, NewFile};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `new`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

/// What to begin.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// A directory with element.toml, README.md, a hook and a check
    Element {
        /// Its name
        name: String,
        /// Directory that gets it [default: elements/ where there is one, else the current directory]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// A recipe's file
    Recipe {
        /// Its name
        name: String,
        /// Directory that gets it [default: recipes/ where there is one, else the current directory]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

const RECIPE: &str = r#"name = "NAME"
summary = "Debian for virtual machines"
elements = ["debian-minimal", "vm", "serial-console", "growroot", "cloud-init", "openssh-server"]

[vars.debian-minimal]
release = "trixie"

[[exports]]
format = "qcow2"
compression = "zstd"
checksums = ["sha256"]
"#;

/// Makes it.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Element { name, dir } => element(name, &place(dir.as_deref(), "elements"), ctx),
        What::Recipe { name, dir } => recipe(name, &place(dir.as_deref(), "recipes"), ctx),
    }
}

fn place(given: Option<&Path>, usual: &str) -> PathBuf {
    let usual = Path::new(usual);
    given.unwrap_or(if usual.is_dir() { usual } else { Path::new(".") }).to_owned()
}

fn element(name: &str, dir: &Path, ctx: &Context) -> anyhow::Result<ExitCode> {
    valid(name)?;
    let home = dir.join(name);
    std::fs::create_dir(&home).map_err(|error| not_made(&home, &error))?;
    for NewFile { path, content, executable } in scaffold::element(name) {
        let path = home.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        let mode = if executable { 0o755 } else { 0o644 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))
            .with_context(|| format!("cannot set the mode of {}", path.display()))?;
    }
    ctx.out.text(&home.display().to_string())?;
    ctx.out.note(&format!(
        "next: isotope check {0}; isotope plan --elements-path {1} debian-minimal {name}",
        home.display(),
        dir.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn recipe(name: &str, dir: &Path, ctx: &Context) -> anyhow::Result<ExitCode> {
    valid(name)?;
    let file = dir.join(format!("{name}.toml"));
    let mut options = std::fs::OpenOptions::new();
    let mut opened = options.write(true).create_new(true).open(&file).map_err(|error| not_made(&file, &error))?;
    std::io::Write::write_all(&mut opened, RECIPE.replace("NAME", name).as_bytes())
        .with_context(|| format!("cannot write {}", file.display()))?;
    ctx.out.text(&file.display().to_string())?;
    ctx.out.note(&format!("next: isotope plan {0}; isotope build {0}", file.display()));
    Ok(ExitCode::SUCCESS)
}

/// Names of elements and recipes: what stands in manifests, file names and variables of hooks.
fn valid(name: &str) -> anyhow::Result<()> {
    let good = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
        && !name.ends_with('-');
    if good {
        return Ok(());
    }
    Err(Failure::new(Class::Usage, format!("`{name}` is no good name"))
        .hint("use lower case letters, digits and `-`, a letter first")
        .into())
}

fn not_made(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::new(Class::Usage, format!("cannot create {}: {error}", path.display()));
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => failure.hint("choose another name, or remove it first"),
        std::io::ErrorKind::NotFound => failure.hint("create the directory first, or name another with --dir"),
        _ => failure,
    }
}
