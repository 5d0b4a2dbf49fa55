//! `dib-block-device COMMAND`: the block devices of a build, one step at a time, for hooks and scripts that call it.
//!
//! Each call reads the build's parameter file and configuration anew; what was made is in the build's state directory. Disks that a
//! running build of Isotope holds may be asked for, and are left alone otherwise: the build takes them down itself.

use super::block_device_state::{self as kept, State};
use crate::exit::{self, Class, Failure};
use crate::printer::Printer;
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use isotope_disk::DiskError;
use isotope_disk::dib::{DibDisk, DibDiskOptions, Owner};
use isotope_plan::PlanErrors;
use isotope_plan::blockdev::{self, Config, Graph, LayoutPlan, Parameters};
use isotope_sys::target::TargetDir;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Make, ask for and take down the block devices of a build
#[derive(Debug, Parser)]
#[command(name = "dib-block-device", version, max_term_width = 110)]
struct Cli {
    /// The build's parameters [default: what DIB_BLOCK_DEVICE_PARAMS_YAML names]
    #[arg(long, global = true, value_name = "FILE", env = "DIB_BLOCK_DEVICE_PARAMS_YAML")]
    params: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read and check the configuration; it is written, normalised, to config.json of the state directory
    Init,
    /// Print a value: root-label, root-fstype, boot-label, mount-points; of disks that are made, image-path, image-block-device,
    /// image-block-devices
    Getval {
        /// Its name
        symbol: String,
    },
    /// Make disks, filesystems and mount them
    Create,
    /// Write etc/fstab of the build's tree
    Writefstab,
    /// Unmount and detach; the images stay
    Umount,
    /// Forget what was made; the images stay
    Cleanup,
    /// Unmount, detach and remove everything that was made
    Delete,
}

pub fn main(args: &[OsString]) -> ExitCode {
    let cli = Cli::parse_from(std::iter::once(OsString::from("dib-block-device")).chain(args.iter().cloned()));
    let Some(file) = &cli.params else {
        let failure = Failure::new(Class::Usage, "DIB_BLOCK_DEVICE_PARAMS_YAML or --params not set");
        return exit::report(&failure.hint("name the parameter file of the build").into(), false);
    };
    // diskimage-builder's exit code is 1 whatever is wrong.
    match Call::new(file).and_then(|call| call.run(&cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            exit::report(&error, false);
            ExitCode::FAILURE
        }
    }
}

const NOT_OURS: &str = "the build that runs takes its disks down itself";

/// What every command works on.
struct Call {
    parameters: Parameters,
    config: Config,
    graph: Graph,
    out: Printer,
}

impl Call {
    fn new(file: &Path) -> anyhow::Result<Self> {
        let read = |path: &Path| {
            std::fs::read_to_string(path)
                .map_err(|error| Failure::new(Class::Usage, format!("cannot read {}: {error}", path.display())))
        };
        let block_size = std::env::var("DIB_BLOCK_SIZE").ok().filter(|size| !size.is_empty());
        let mut parameters = Parameters::parse(file, &read(file)?, block_size).map_err(wrong)?;
        if parameters.seed.is_none() {
            parameters.params.seed = kept::seed(&parameters.state_dir())?;
        }
        let config = Config::parse(&parameters.config, &read(&parameters.config)?).map_err(wrong)?;
        let config = config.with_params(&parameters.params);
        let graph = Graph::new(&config, &parameters.params).map_err(wrong)?;
        Ok(Self { parameters, config, graph, out: Printer::new(false, false, true) })
    }

    fn run(&self, command: &Command) -> anyhow::Result<()> {
        match command {
            Command::Init => self.init(),
            Command::Getval { symbol } => self.out.text(&self.value(symbol)?),
            Command::Create => self.create(),
            Command::Writefstab => self.write_fstab(),
            Command::Umount => self.umount(),
            Command::Cleanup => self.cleanup(),
            Command::Delete => self.delete(),
        }
    }

    fn plan(&self) -> anyhow::Result<LayoutPlan> {
        blockdev::layout(&self.graph, &self.parameters.params).map_err(wrong)
    }

    fn init(&self) -> anyhow::Result<()> {
        for warning in &self.plan()?.warnings {
            self.out.warning(&warning.to_string());
        }
        kept::write(&self.parameters.state_dir(), "config.json", &serde_json::to_vec(&self.config.to_json())?)
    }

    fn value(&self, symbol: &str) -> anyhow::Result<String> {
        let root = || self.graph.values().ok_or_else(|| Failure::new(Class::Verdict, "nothing is mounted at `/`"));
        let made = || State::load(&self.parameters.state_dir())?.made();
        Ok(match symbol {
            "root-label" => root()?.root_label,
            "root-fstype" => root()?.root_fstype,
            "boot-label" => root()?.boot_label,
            "mount-points" => root()?.mount_points,
            "image-path" => text(made()?.image().map(|(_, path)| path)),
            "image-block-device" => text(made()?.image().map(|(device, _)| device)),
            "image-block-devices" => made()?.image_block_devices(),
            other => {
                let known = "root-label, root-fstype, boot-label, mount-points, image-path, image-block-device, image-block-devices";
                let failure = Failure::new(Class::Verdict, format!("Invalid symbol [{other}] for getval"));
                return Err(failure.hint(format!("known are {known}")).into());
            }
        })
    }

    fn options<'a>(&self, mount_base: &'a Path) -> DibDiskOptions<'a> {
        let clock = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|epoch| epoch.parse().ok());
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let image_size = self.parameters.params.image_size;
        DibDiskOptions { mount_base, epoch: clock.unwrap_or_else(now), image_size, sync: false }
    }

    fn mount_base(&self) -> anyhow::Result<&Path> {
        let missing =
            || Failure::new(Class::Configuration, "the parameters have no `mount-base`, where disks are mounted");
        Ok(self.parameters.mount_base.as_deref().ok_or_else(missing)?)
    }

    fn create(&self) -> anyhow::Result<()> {
        let plan = self.plan()?;
        let state_dir = self.parameters.state_dir();
        if State::load(&state_dir)?.is_there() {
            let failure = Failure::new(Class::Verdict, "the disks of this build are made already");
            return Err(failure.hint("`dib-block-device delete` removes them").into());
        }
        let env: BTreeMap<String, String> = std::env::vars().collect();
        let facts = isotope_build::facts::gather(&env, &state_dir);
        let problems = blockdev::preflight(&plan, &facts);
        if !problems.is_empty() {
            return Err(crate::subject::problems(&problems));
        }
        let base = self.mount_base()?;
        std::fs::create_dir_all(base).with_context(|| format!("cannot make {}", base.display()))?;
        let disk = DibDisk::create(&plan, &self.options(base), &mut |_| ()).map_err(failed)?;
        disk.leave().map_err(failed)?.save(&state_dir).context("cannot write the state of the disks")
    }

    fn write_fstab(&self) -> anyhow::Result<()> {
        let built = self.parameters.build_dir.join("built");
        std::fs::create_dir_all(&built).with_context(|| format!("cannot make {}", built.display()))?;
        let target = TargetDir::open(&built)?;
        target.create_dir_all("/etc", 0o755)?;
        Ok(target.write("/etc/fstab", self.plan()?.fstab(), 0o644)?)
    }

    /// What this program has made and not taken down yet.
    fn taken(&self) -> anyhow::Result<Option<(DibDisk, isotope_disk::dib::DibState)>> {
        let State(Some(state)) = State::load(&self.parameters.state_dir())? else {
            self.out.note("nothing was made, or it was taken down already");
            return Ok(None);
        };
        match state.owner {
            Owner::Finished => {
                self.out.note("it was taken down already");
                Ok(None)
            }
            Owner::Build => {
                self.out.note(NOT_OURS);
                Ok(None)
            }
            Owner::Caller => {
                let disk = DibDisk::take_over(&self.plan()?, &state, &self.options(self.mount_base()?));
                Ok(Some((disk.map_err(failed)?, state)))
            }
        }
    }

    fn umount(&self) -> anyhow::Result<()> {
        if let Some((disk, mut state)) = self.taken()? {
            disk.finish(&mut |_| ()).map_err(failed)?;
            state.owner = Owner::Finished;
            state.save(&self.parameters.state_dir()).context("cannot write the state of the disks")?;
        }
        Ok(())
    }

    fn cleanup(&self) -> anyhow::Result<()> {
        let state_dir = self.parameters.state_dir();
        match State::load(&state_dir)?.made()?.owner {
            Owner::Finished => kept::remove(&state_dir),
            Owner::Build => {
                self.out.note(NOT_OURS);
                Ok(())
            }
            Owner::Caller => {
                let failure = Failure::new(Class::Verdict, "the disks are still mounted");
                Err(failure.hint("`dib-block-device umount` before").into())
            }
        }
    }

    fn delete(&self) -> anyhow::Result<()> {
        let state_dir = self.parameters.state_dir();
        let State(Some(state)) = State::load(&state_dir)? else {
            return kept::remove(&state_dir);
        };
        match state.owner {
            Owner::Build => {
                self.out.note(NOT_OURS);
                return Ok(());
            }
            // What is gone already, or somebody else's by now, is no reason to keep the rest.
            Owner::Caller => self.taken().map(drop).unwrap_or_else(|error| self.out.warning(&format!("{error:#}"))),
            Owner::Finished => {}
        }
        for image in state.blockdev.values().filter_map(|device| device.image.as_deref()) {
            kept::remove_file(image)?;
        }
        kept::remove(&state_dir)
    }
}

fn text(path: Option<&Path>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

fn wrong(errors: PlanErrors) -> anyhow::Error {
    crate::subject::problems(&errors.problems)
}

fn failed(error: DiskError) -> anyhow::Error {
    anyhow::Error::new(error).context(Failure::new(Class::Build, "the block devices of the build"))
}
