//! `disk-image-create` and `ramdisk-image-create`: request → elements → plan → build.
//!
//! What is wrong with any of it is told before anything is made. The exit status is that of the hook that failed, else 1, as
//! diskimage-builder's.

use super::{options, root};
use crate::exit::{self, Class, Failure};
use crate::timings::{self, Timings};
use crate::upkeep;
use isotope_build::{BuildError, BuildOptions, Report, WorkPlace};
use isotope_element::dib::{
    Catalogue, ElementSet, ElementsPath, HookTree, HookTreeError, Implicit, implicit, load, resolve,
};
use isotope_plan::dib::{Input, Options, Program, Request};
use isotope_plan::{Plan, Problem};
use isotope_sys::command::TOOL_PATH;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The interpreter of hooks on the host, where the caller names none.
const PYTHON: &str = "python3";

pub fn disk(args: &[OsString]) -> ExitCode {
    main(Program::Disk, args)
}

pub fn ramdisk(args: &[OsString]) -> ExitCode {
    main(Program::Ramdisk, args)
}

fn main(program: Program, args: &[OsString]) -> ExitCode {
    let parsed = match options::parse(program, args) {
        Ok(parsed) => parsed,
        Err(code) => return code,
    };
    let name = std::env::args_os().next().unwrap_or_default();
    if let Some(error) = root::restore(&name, args) {
        return exit::report(&error, false);
    }
    let ended = if !parsed.dry_run && root::can_become() {
        root::again(program, args)
    } else {
        build(&parsed.options, parsed.dry_run)
    };
    match ended {
        Ok(code) => code,
        Err(error) => exit::report(&error, false),
    }
}

/// Builds what the options and the environment ask for; `dry_run`: says what would be done.
pub fn build(options: &Options, dry_run: bool) -> anyhow::Result<ExitCode> {
    let mut env = crate::context::environment();
    let caller = root::caller(&mut env);
    let directory = std::env::current_dir()?;

    let request =
        Request::settle(options, &env, &directory, std::env::consts::ARCH).map_err(|found| problems(&found))?;
    let log = super::log::Log::open(&request)?;
    let (path, set) = elements(&request, &log)?;
    let tree = HookTree::merge(&set).map_err(|error| merge_failure(&error))?;
    let block_devices = block_devices(&request, &set)?;
    let cache_dir = cache_dir(&request);
    let facts = isotope_build::facts::gather(&request.environment, &cache_dir);
    let (binary, python) = (std::env::current_exe().ok(), python(&request.environment));
    let input = Input {
        request: &request,
        path: &path,
        set: &set,
        tree: &tree,
        block_devices: block_devices.as_ref(),
        facts: &facts,
        binary: binary.as_ref(),
        python: &python,
    };
    let plan = isotope_plan::dib::plan(&input).map_err(|errors| problems(&errors.problems))?;
    if dry_run {
        log.line(&isotope_plan::show(&plan));
        return Ok(ExitCode::SUCCESS);
    }
    for warning in &plan.warnings {
        log.line(&format!("WARNING {warning}"));
    }
    let missing = isotope_plan::dib::preflight(&plan, &facts);
    if !missing.is_empty() {
        return Err(problems(&missing));
    }
    let code = run(&plan, &request, cache_dir, log)?;
    if let Some(caller) = caller {
        root::give(&outputs(&request)?, caller)?;
    }
    Ok(code)
}

/// `1`: phases that an earlier build has done are taken from the cache. Its hooks are then trusted to depend on nothing but elements,
/// variables and phases before: what they fetch is not looked at.
const LAYERS: &str = "ISOTOPE_LAYERS";

/// What bears the image's name: outputs, their digests, what hooks put beside them.
fn outputs(request: &Request) -> std::io::Result<Vec<PathBuf>> {
    let prefix = format!("{}.", request.stem());
    let is_one = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
    let entries: std::io::Result<Vec<PathBuf>> =
        std::fs::read_dir(request.out_dir())?.map(|entry| entry.map(|entry| entry.path())).collect();
    Ok(entries?.into_iter().filter(is_one).collect())
}

fn run(plan: &Plan, request: &Request, cache_dir: PathBuf, mut log: super::log::Log) -> anyhow::Result<ExitCode> {
    let options = BuildOptions {
        work: if request.no_tmpfs { WorkPlace::Disk } else { WorkPlace::Auto },
        // Not by default: hooks fetch what no key knows of.
        layers: request.environment.get(LAYERS).is_some_and(|value| value == "1"),
        fixed_clock: request.environment.contains_key("SOURCE_DATE_EPOCH"),
        ..BuildOptions::new(request.out_dir(), cache_dir)
    };
    let bound = upkeep::by_variable(request.environment.get(upkeep::VARIABLE))?;
    let asked = request.environment.get(timings::VARIABLE);
    let mut timings = timings::by_variable(asked, request.stem(), &request.out_dir());
    let ended = isotope_build::run(plan, &options, &mut |event| {
        if let Some(timings) = &mut timings {
            timings.add(&event);
        }
        log.event(&event);
    });
    match timings.map(Timings::finish).transpose() {
        Ok(told) => told.into_iter().for_each(|text| log.line(&text)),
        Err(error) => log.line(&format!("WARNING {error}")),
    }
    if let Some(told) = bound.keep(&options.cache_dir) {
        log.line(&told);
    }
    match ended {
        Ok(report) => {
            told(&report, &log);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let status = match &error {
                BuildError::Failed(failure) => failure.status,
                _ => None,
            };
            let error = crate::cmd::build::explain(error);
            let code = exit::report(&error, false);
            let interrupted =
                error.downcast_ref::<Failure>().is_some_and(|it| matches!(it.class, Class::Interrupted(_)));
            if interrupted {
                return Ok(code);
            }
            let status = status.and_then(|status| u8::try_from(status).ok()).filter(|status| *status != 0);
            Ok(ExitCode::from(status.unwrap_or(1)))
        }
    }
}

fn told(report: &Report, log: &super::log::Log) {
    for output in &report.outputs {
        log.line(&format!("Image file {} created...", output.path.display()));
    }
    log.line("Build completed successfully");
}

/// The elements, those that are added by themselves among them.
fn elements(request: &Request, log: &super::log::Log) -> anyhow::Result<(ElementsPath, ElementSet)> {
    let path = super::element_info::path()?;
    let catalogue: Catalogue = load(&path).map_err(|error| super::element_info::load_failure(&error))?;
    // Our own elements stand behind all others to be overridden.
    let own = crate::context::dib_elements();
    for note in catalogue.notes.iter().filter(|note| !own.as_ref().is_some_and(|own| note.file.starts_with(own))) {
        log.line(&format!("WARNING {}", note.message));
    }
    let ramdisk = (request.program == Program::Ramdisk).then(|| request.ramdisk_element.clone());
    let rules = Implicit { arch: request.arch.clone(), skip_base: request.skip_base, ramdisk };
    let names = implicit(&request.elements, &rules, &catalogue);
    log.line(&format!("Building elements: {}", names.join(" ")));
    let set = resolve(&catalogue, &names).map_err(|errors| super::element_info::failure(&errors))?;
    log.line(&format!("Expanded element dependencies to: {}", set.line()));
    Ok((without_unused(path, own.as_deref(), &set), set))
}

/// Without the directory of our own elements, if the build has none of them: programs that read all elements of a name on the path
/// (`package-installs-squash`) would add the wishes of ours, which are overridden, to those of the others.
pub fn without_unused(mut path: ElementsPath, own: Option<&Path>, set: &ElementSet) -> ElementsPath {
    let own = own.and_then(|own| own.canonicalize().ok());
    let is_own = |dir: &Path| dir.canonicalize().is_ok_and(|dir| own.as_ref().is_some_and(|own| dir.starts_with(own)));
    if !set.elements.iter().any(|element| is_own(&element.dir)) {
        path.entries.retain(|entry| !is_own(entry));
    }
    path
}

/// `DIB_BLOCK_DEVICE_CONFIG`: the YAML itself, or `file://PATH`; else that of an element.
fn block_devices(request: &Request, set: &ElementSet) -> anyhow::Result<Option<(PathBuf, String)>> {
    let read = |path: &Path| match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) => {
            let message = format!("cannot read the block device configuration {}: {error}", path.display());
            Err(anyhow::Error::new(Failure::new(Class::Verdict, message)))
        }
    };
    match request.block_device_config.as_deref() {
        Some(config) => match config.strip_prefix("file://") {
            Some(path) => read(Path::new(path)),
            None => Ok(Some((PathBuf::from("DIB_BLOCK_DEVICE_CONFIG"), config.to_owned()))),
        },
        None => set.block_device(&request.arch).map_or(Ok(None), |(_, path)| read(&path)),
    }
}

/// Where the build works on disk, and where its log is: below `TMP_DIR`, if the caller names one.
fn cache_dir(request: &Request) -> PathBuf {
    let named = |name: &str| request.environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("ISOTOPE_CACHE_DIR")
        .or_else(|| named("TMP_DIR").map(|dir| dir.join("isotope")))
        .unwrap_or_else(|| PathBuf::from("/var/cache/isotope"))
}

/// The first python3 of the caller's PATH.
pub fn python(environment: &BTreeMap<String, String>) -> String {
    let path = environment.get("PATH").map_or(TOOL_PATH, String::as_str);
    let found = path.split(':').map(|dir| Path::new(dir).join(PYTHON)).find(|file| file.is_file());
    found.map_or_else(|| PYTHON.to_owned(), |file| file.display().to_string())
}

fn merge_failure(error: &HookTreeError) -> anyhow::Error {
    let told: Vec<String> = error.diagnostics().iter().map(ToString::to_string).collect();
    Failure::new(Class::Verdict, told.join("\n")).into()
}

fn problems(found: &[Problem]) -> anyhow::Error {
    let text: Vec<String> = found.iter().map(ToString::to_string).collect();
    Failure::new(Class::Verdict, text.join("\nerror: ")).into()
}
