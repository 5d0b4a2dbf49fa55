//! `isotope boot`: an image in QEMU, for a person (`--shell`, or by ssh) or for a verdict (`--test`).

mod args;
mod signals;
mod terminal;

pub use args::Args;

use crate::context::Context;
use crate::exit::{Class, Failure};
use anyhow::Context as _;
use isotope_vm::accel::{self, Choice, Probe};
use isotope_vm::life::Life;
use isotope_vm::{
    Accel, Cancel, CheckSet, CheckStatus, ErrorKind, Expectations, Progress, Seed, Verdict, Vm, VmError, VmSpec,
    examine, junit, manifest, table,
};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Boots.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let cancel = Cancel::default();
    let caught = signals::watch(&cancel)?;
    let outcome = boot(args, ctx, &cancel);
    // By now the machine and its files are gone.
    match caught.signal() {
        Some(signal) => {
            Err(Failure::new(Class::Interrupted(signal), "interrupted; nothing of the guest is left").into())
        }
        None => outcome,
    }
}

fn boot(args: &Args, ctx: &Context, cancel: &Cancel) -> anyhow::Result<ExitCode> {
    let manifest = manifest::beside(&args.image).map_err(failure)?;
    let choice = accelerator(args, ctx, cancel)?;
    ctx.out.note(&format!("{} because {}", choice.accel.name(), choice.reason));
    let spec = spec(args, choice.accel)?;
    let mut vm = Vm::create(spec, cancel).map_err(failure)?;
    if args.test {
        if manifest.is_none() {
            ctx.out.warning(&format!(
                "no manifest beside {}: the checks of its elements are unknown",
                args.image.display()
            ));
        }
        let set = CheckSet {
            elements: manifest.map(|manifest| manifest.checks).unwrap_or_default(),
            builtin: Some(expectations(args, &vm)),
            life: args.tree_repo.clone().map(|repo| Life { repo, layer: args.tree_layer.clone() }),
        };
        return test(args, ctx, &mut vm, &set);
    }
    vm.start().map_err(failure)?;
    if args.shell {
        ctx.out.note("the serial console; Ctrl-] leaves it and ends the guest");
        terminal::attach(&mut vm, cancel)?;
        return Ok(ExitCode::SUCCESS);
    }
    serve(args, ctx, &mut vm)
}

/// Waits for the login, says how to get in, and stays until the guest goes.
fn serve(args: &Args, ctx: &Context, vm: &mut Vm) -> anyhow::Result<ExitCode> {
    let timeout = args.timeout();
    if !args.can_log_in() {
        let time = vm.wait_for_console_login(timeout).map_err(|error| keep(args, ctx, vm, error))?;
        ctx.out.note(&format!(
            "a login prompt after {:.0} s; `--shell` shows the console. Ctrl-C ends the guest",
            time.as_secs_f64()
        ));
        vm.wait_until_off().map_err(failure)?;
        return Ok(ExitCode::SUCCESS);
    }
    let time = vm.wait_for_ssh(timeout).map_err(|error| keep(args, ctx, vm, error))?;
    let way = Way {
        command: vm.ssh().map_err(failure)?.command_line(),
        port: vm.ssh().map_err(failure)?.port(),
        boot_seconds: time.as_secs_f64(),
    };
    ctx.out.data(&way, || way.command.clone())?;
    ctx.out.note(&format!("up after {:.0} s; poweroff in the guest or Ctrl-C ends it", way.boot_seconds));
    vm.wait_until_off().map_err(failure)?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Way {
    command: String,
    port: u16,
    boot_seconds: f64,
}

fn test(args: &Args, ctx: &Context, vm: &mut Vm, set: &CheckSet) -> anyhow::Result<ExitCode> {
    let mut show = |progress: Progress<'_>| match progress {
        Progress::Started => ctx.out.note("the guest boots"),
        Progress::LoggedIn(seconds) => ctx.out.note(&format!("logged in after {seconds:.0} s")),
        Progress::Checked(result) => {
            let word = match result.status {
                CheckStatus::Passed => ctx.out.paint("32", "ok"),
                CheckStatus::Failed => ctx.out.paint("31", "FAILED"),
                CheckStatus::Skipped => ctx.out.paint("33", "skipped"),
            };
            ctx.out.note(&format!("{word} {}: {}", result.element, result.name));
        }
    };
    let mut verdict = examine(vm, set, args.timeout(), &mut show).map_err(failure)?;
    if !verdict.passed() || args.keep.is_some() {
        let dir = keep_dir(args, ctx);
        vm.keep_evidence(&dir).map_err(failure)?;
        verdict.evidence = Some(dir);
    }
    if verdict.boot_seconds.is_some() && args.persist {
        // The image itself must not look as after a power cut.
        vm.power_off(Duration::from_secs(180)).map_err(failure)?;
    }
    report(args, ctx, &verdict)?;
    Ok(if verdict.passed() { ExitCode::SUCCESS } else { ExitCode::from(Class::Verdict.code()) })
}

fn report(args: &Args, ctx: &Context, verdict: &Verdict) -> anyhow::Result<()> {
    if let Some(file) = &args.junit {
        std::fs::write(file, junit(std::slice::from_ref(verdict)))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(dir) = &verdict.evidence {
        let text = serde_json::to_string_pretty(verdict)?;
        std::fs::write(dir.join("verdict.json"), text)
            .with_context(|| format!("cannot write into {}", dir.display()))?;
    }
    ctx.out.data(verdict, || table(verdict))
}

fn accelerator(args: &Args, ctx: &Context, cancel: &Cancel) -> anyhow::Result<Choice> {
    match args.accel {
        args::AccelArg::Auto => {
            let image = Probe::Image(args.image.clone());
            Ok(accel::choose(&ctx.cache_dir.join("vm"), &[image], cancel).map_err(failure)?)
        }
        args::AccelArg::Kvm => Ok(Choice { accel: Accel::Kvm, reason: "--accel says so".to_owned() }),
        args::AccelArg::Tcg => Ok(Choice { accel: Accel::Tcg, reason: "--accel says so".to_owned() }),
    }
}

fn spec(args: &Args, accel: Accel) -> anyhow::Result<VmSpec> {
    if args.test && !args.can_log_in() {
        let text = "--test must log in: without a seed it needs a key that the image knows";
        return Err(Failure::new(Class::Usage, text)
            .hint("give --ssh-key FILE and --user NAME, or --seed nocloud")
            .into());
    }
    let mut spec = VmSpec::new(&args.image, args.firmware(), accel);
    (spec.memory_mib, spec.cpu) = (args.memory, args.cpu.clone());
    if let Some(cpus) = args.cpus {
        spec.cpus = cpus;
    }
    for disk in &mut spec.disks {
        disk.persist = args.persist;
        disk.size = args.disk_size;
        disk.sector_size = args.sector_size;
        disk.bus = args.bus.into();
    }
    spec.login.key.clone_from(&args.ssh_key);
    if let Some(user) = &args.user {
        spec.login.user.clone_from(user);
    }
    spec.network.ssh_port = args.ssh_port;
    // A verdict must not depend on the world; a person usually wants it.
    spec.network.online = args.online || !args.test || args.tree_repo.is_some();
    spec.seed = args.seed.kind().map(|kind| {
        let hostname = args.hostname.clone().unwrap_or_else(|| format!("isotope-{}", std::process::id()));
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Seed { instance_id: format!("iid-{hostname}-{seconds}"), ..Seed::new(kind, hostname) }
    });
    Ok(spec)
}

fn expectations(args: &Args, vm: &Vm) -> Expectations {
    let seed = vm.spec().seed.as_ref();
    Expectations {
        firmware: vm.spec().firmware,
        hostname: seed.map(|seed| seed.hostname.clone()),
        first_boot: !args.persist,
        image_machine_id: None,
        grown: args.disk_size.is_some(),
        cloud_init: seed.is_some(),
    }
}

fn keep_dir(args: &Args, ctx: &Context) -> PathBuf {
    args.keep.clone().unwrap_or_else(|| {
        let image =
            args.image.file_stem().map_or_else(|| "image".to_owned(), |name| name.to_string_lossy().into_owned());
        ctx.cache_dir.join("vm").join(format!("{image}-{}", std::process::id()))
    })
}

/// A boot that failed outside of `--test`: keeps what can be known and says where.
fn keep(args: &Args, ctx: &Context, vm: &mut Vm, error: VmError) -> anyhow::Error {
    let dir = keep_dir(args, ctx);
    if error.kind() == ErrorKind::Guest && vm.keep_evidence(&dir).is_ok() {
        let hint = format!("console, journal and screenshot: {}", Path::new(&dir).display());
        return to_failure(error).hint(hint).into();
    }
    failure(error)
}

fn failure(error: VmError) -> anyhow::Error {
    to_failure(error).into()
}

fn to_failure(error: VmError) -> Failure {
    let class = match error.kind() {
        ErrorKind::Usage => Class::Usage,
        ErrorKind::Environment => Class::Environment,
        ErrorKind::Guest => Class::Verdict,
        ErrorKind::Interrupted => Class::Interrupted(2),
    };
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(source) = cause {
        message.push_str(&format!("\n  caused by: {source}"));
        cause = source.source();
    }
    let failure = Failure::new(class, message);
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
