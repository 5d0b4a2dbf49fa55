//! `cargo xtask`: set up the host, build Isotope, build and boot images, run the test ladder.
//!
//! It compiles in seconds and needs no C library, because it must run before anything is installed. It knows the
//! host's packages and how to start cargo and the `isotope` binary; it must not know anything of images.

mod bench;
mod ci;
mod dist;
mod docs;
mod host;
mod tests;

use anyhow::{Context, bail};
use std::path::PathBuf;
use std::process::ExitCode;
use xshell::Shell;

const USAGE: &str = "\
cargo xtask build [RECIPE|ELEMENT…] [ISOTOPE OPTIONS]   set up the host, build Isotope, build an image (default: debian-atomic)
cargo xtask boot IMAGE [ISOTOPE OPTIONS]                boot an image in QEMU (--shell for a console, --test for its checks)
cargo xtask test [unit|host|vm|all]                     the test ladder (default: all)
cargo xtask ci                                          what .ci/run runs: lints, generated files, then all tests
cargo xtask bench [build|export|populate|atomic|dib|layers]…  compare with peers in one run, write target/bench/*.md
cargo xtask docs [--check]                              write (or check) the generated documentation
cargo xtask dist                                        a release archive in target/dist
cargo xtask setup                                       only install what is missing on this host
Option of all: --no-install   print what is missing instead of installing it (exit 4)";

/// The recipe that `cargo xtask build` makes when none is named.
const DEFAULT_RECIPE: &str = "debian-atomic";

/// What every subcommand gets.
struct Xtask {
    shell: Shell,
    root: PathBuf,
    install: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            host::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let install = match args.iter().position(|arg| arg == "--no-install") {
        Some(at) => {
            args.remove(at);
            false
        }
        None => true,
    };
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in no workspace")?.to_owned();
    let shell = Shell::new()?;
    let xtask = Xtask { shell, root, install };
    let Some((command, rest)) = args.split_first() else {
        bail!("name a subcommand\n{USAGE}");
    };
    match command.as_str() {
        "build" => build(&xtask, rest),
        "boot" => boot(&xtask, rest),
        "test" => tests::run(&xtask, rest),
        "ci" => ci::run(&xtask),
        "bench" => bench::run(&xtask, rest),
        "docs" => docs::run(&xtask, rest),
        "dist" => dist::run(&xtask),
        "setup" => host::setup(&xtask, host::Need::Everything).map(|()| ExitCode::SUCCESS),
        "help" | "--help" | "-h" => {
            host::say(USAGE);
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("there is no subcommand `{other}`\n{USAGE}"),
    }
}

fn build(xtask: &Xtask, args: &[String]) -> anyhow::Result<ExitCode> {
    host::setup(xtask, host::Need::Build)?;
    let isotope = host::compile(xtask, host::Profile::Release)?;
    let mut command = vec!["build".to_owned()];
    if !names_what_to_build(args, |recipe| xtask.root.join(format!("recipes/{recipe}.toml")).is_file()) {
        command.push(DEFAULT_RECIPE.to_owned());
    }
    command.extend(args.iter().cloned());
    host::exec(xtask, &isotope, &command, host::As::Root)
}

/// Recipes and elements come first, as the usage says; behind options, whose values cannot be told from names here, shipped recipes do.
fn names_what_to_build(args: &[String], is_recipe: impl Fn(&str) -> bool) -> bool {
    let begins = args.first().is_some_and(|arg| !arg.starts_with('-'));
    begins || args.iter().any(|arg| arg == "--recipe" || arg.starts_with("--recipe=") || is_recipe(arg))
}

fn boot(xtask: &Xtask, args: &[String]) -> anyhow::Result<ExitCode> {
    host::setup(xtask, host::Need::Everything)?;
    let isotope = host::compile(xtask, host::Profile::Release)?;
    let mut command = vec!["boot".to_owned()];
    command.extend(args.iter().cloned());
    host::exec(xtask, &isotope, &command, host::As::User)
}

#[cfg(test)]
mod own_tests {
    use super::names_what_to_build;

    #[test]
    fn the_default_recipe_is_built_unless_another_is_named() {
        for (args, named) in [
            ("", false),
            ("--set debian-minimal.release=bookworm", false),
            ("-t raw --offline", false),
            ("debian-cloud", true),
            ("-t raw debian-cloud", true),
            ("my-element vm -t raw", true),
            ("--recipe my.toml", true),
        ] {
            let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
            assert_eq!(names_what_to_build(&args, |name| name == "debian-cloud"), named, "{args:?}");
        }
    }
}
