//! The one command type: every host tool Isotope starts, it starts through [`Tool`].
//!
//! A tool runs with a cleared environment (`PATH`, `LC_ALL=C`, `TZ=UTC`), stdin from `/dev/null`, in its own process
//! group, and dies with the thread that started it. The last part of its stderr is kept for the error.
//! Must not know: what any tool is for.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::OnceLock;

mod confine;

pub use confine::take_terminal;

/// Told the full command line of every tool that [`Tool::run`] and [`Tool::run_lines`] start.
type Observer = Box<dyn Fn(&str) + Send + Sync>;

/// The one piece of process-wide state: tools are started on every floor, and the trace of a build is one.
static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Sets who is told of the tools that this process starts. Only the first call counts.
pub fn observe(observer: impl Fn(&str) + Send + Sync + 'static) {
    OBSERVER.set(Box::new(observer)).ok();
}

/// Lines of output that an error carries.
const TAIL_LINES: usize = 30;

/// Where tools are looked for, whatever the caller's `PATH` says.
pub const TOOL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a tool did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The program is not on the host.
    #[error("`{program}` is not installed on this host")]
    Missing {
        /// Name of the program.
        program: String,
    },
    /// The program could not be started.
    #[error("cannot start `{line}`")]
    Spawn {
        /// The full command line.
        line: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Talking to the running program failed.
    #[error("cannot exchange data with `{line}`")]
    Pipe {
        /// The full command line.
        line: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The program ended with a failure.
    #[error("`{line}` {}{}", describe(*status), indent(tail))]
    Failed {
        /// The full command line.
        line: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its output.
        tail: String,
    },
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended abnormally".to_owned(),
    }
}

fn indent(tail: &str) -> String {
    tail.lines().map(|line| format!("\n    {line}")).collect()
}

/// What a tool that succeeded printed.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// The end of its standard error.
    pub stderr_tail: String,
}

impl Output {
    /// Standard output as text, trimmed at the end.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }
}

/// A host tool with its arguments, ready to run.
#[derive(Debug, Clone)]
pub struct Tool {
    program: OsString,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    dir: Option<PathBuf>,
    stdin: Option<Vec<u8>>,
    ok_codes: Vec<i32>,
    group: bool,
    confinement: confine::Confinement,
}

impl Tool {
    /// A tool by name (looked for in [`TOOL_PATH`]) or by absolute path.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let env = [("PATH", TOOL_PATH), ("LC_ALL", "C"), ("TZ", "UTC"), ("HOME", "/root")];
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: env.iter().map(|(k, v)| (k.into(), v.into())).collect(),
            dir: None,
            stdin: None,
            ok_codes: vec![0],
            group: true,
            confinement: confine::Confinement::default(),
        }
    }

    /// Whether `program` is on this host.
    #[must_use]
    pub fn exists(program: &str) -> bool {
        find(OsStr::new(program)).is_some()
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(key.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Gives it this environment, and nothing else.
    #[must_use]
    pub fn environment<K: AsRef<OsStr>, V: AsRef<OsStr>>(mut self, env: impl IntoIterator<Item = (K, V)>) -> Self {
        self.env = env.into_iter().map(|(key, value)| (key.as_ref().to_owned(), value.as_ref().to_owned())).collect();
        self
    }

    /// Runs in `dir`.
    #[must_use]
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Feeds `data` to standard input.
    #[must_use]
    pub fn stdin(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(data.into());
        self
    }

    /// Exit statuses that count as success (default: 0).
    #[must_use]
    pub fn ok_codes(mut self, codes: &[i32]) -> Self {
        self.ok_codes = codes.to_vec();
        self
    }

    /// Keeps the tool in the caller's process group (a shell for a person needs the terminal).
    #[must_use]
    pub fn foreground(mut self) -> Self {
        self.group = false;
        self
    }

    /// The full command line, for logs and errors.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = shell_quote(&self.program);
        for arg in &self.args {
            line.push(' ');
            line.push_str(&shell_quote(arg));
        }
        line
    }

    /// The `std` command behind it, for callers that need pipes of their own.
    ///
    /// # Errors
    /// The program is not installed.
    pub fn to_std(&self) -> Result<std::process::Command, CommandError> {
        let program = match self.confinement.root {
            // Found by exec, inside.
            Some(_) => PathBuf::from(&self.program),
            None => find(&self.program)
                .ok_or_else(|| CommandError::Missing { program: self.program.to_string_lossy().into_owned() })?,
        };
        #[expect(clippy::disallowed_methods, reason = "this is the one command type")]
        let mut command = std::process::Command::new(program);
        command.args(&self.args).env_clear().envs(&self.env).stdin(Stdio::null());
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        if self.group {
            command.process_group(0);
        }
        let parent = rustix::process::getpid();
        let confinement = self.confinement.clone();
        // SAFETY: the closure only makes async-signal-safe system calls (prctl, getppid, chroot, …).
        unsafe {
            command.pre_exec(move || {
                die_with_parent(parent)?;
                confinement.apply()
            });
        }
        Ok(command)
    }

    /// Starts it with the given standard streams.
    ///
    /// # Errors
    /// The program is missing or cannot be started.
    pub fn spawn(&self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Result<Child, CommandError> {
        self.to_std()?
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .map_err(|source| CommandError::Spawn { line: self.line(), source })
    }

    /// Runs to the end and returns what it printed.
    ///
    /// # Errors
    /// Missing, not startable, or ended with a status that is not in `ok_codes`.
    pub fn run(&self) -> Result<Output, CommandError> {
        let mut stdout = Vec::new();
        let tail = self.drive(|pipe| pipe.read_to_end(&mut stdout).map(drop), &mut |_| {})?;
        Ok(Output { stdout, stderr_tail: tail })
    }

    /// Runs to the end; every line of stdout and stderr goes to `on_line` as it comes.
    ///
    /// # Errors
    /// As [`Tool::run`].
    pub fn run_lines(&self, on_line: &(dyn Fn(&str) + Sync)) -> Result<(), CommandError> {
        self.drive(|pipe| each_line(pipe, &mut |line| on_line(line)), &mut |line| on_line(line)).map(drop)
    }

    fn drive(
        &self,
        on_stdout: impl FnOnce(&mut dyn Read) -> std::io::Result<()>,
        on_stderr: &mut (dyn FnMut(&str) + Send),
    ) -> Result<String, CommandError> {
        let pipe_error = |source| CommandError::Pipe { line: self.line(), source };
        if let Some(observer) = OBSERVER.get() {
            observer(&self.line());
        }
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = self.spawn(stdin, Stdio::piped(), Stdio::piped())?;
        let (mut out, err) = match (child.stdout.take(), child.stderr.take()) {
            (Some(out), Some(err)) => (out, err),
            _ => return Err(pipe_error(std::io::ErrorKind::BrokenPipe.into())),
        };
        let feed = child.stdin.take().zip(self.stdin.as_deref());
        let (read, tail) = std::thread::scope(|scope| {
            if let Some((mut pipe, data)) = feed {
                // A tool that ends before it has read all of its input tells so by its exit status.
                scope.spawn(move || drop(pipe.write_all(data)));
            }
            let tail = scope.spawn(move || {
                let mut tail = VecDeque::with_capacity(TAIL_LINES);
                let read = each_line(err, &mut |line| {
                    on_stderr(line);
                    if tail.len() == TAIL_LINES {
                        tail.pop_front();
                    }
                    tail.push_back(line.to_owned());
                });
                read.map(|()| Vec::from(tail).join("\n"))
            });
            (on_stdout(&mut out), tail.join())
        });
        let status = child.wait().map_err(pipe_error)?;
        read.map_err(pipe_error)?;
        let tail = match tail {
            Ok(tail) => tail.map_err(pipe_error)?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        if status.code().is_some_and(|code| self.ok_codes.contains(&code)) {
            Ok(tail)
        } else {
            Err(CommandError::Failed { line: self.line(), status, tail })
        }
    }
}

/// Calls `on_line` for each line, split at `\n` or `\r`, whatever its encoding.
fn each_line(pipe: impl Read, on_line: &mut dyn FnMut(&str)) -> std::io::Result<()> {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        for part in text.trim_end_matches(['\n', '\r']).split('\r') {
            on_line(part);
        }
        line.clear();
    }
    Ok(())
}

/// In a child before exec: be killed when the parent thread dies, also if it died already.
fn die_with_parent(parent: rustix::process::Pid) -> std::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // In a new PID namespace the parent is outside and shows as none: then there is nothing to compare.
    match rustix::process::getppid() {
        Some(now) if now != parent => Err(std::io::ErrorKind::BrokenPipe.into()),
        _ => Ok(()),
    }
}

fn find(program: &OsStr) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.is_absolute() {
        return path.exists().then(|| path.to_owned());
    }
    TOOL_PATH.split(':').map(|dir| Path::new(dir).join(path)).find(|candidate| candidate.is_file())
}

/// Quotes a word for display in a shell command line.
#[must_use]
pub fn shell_quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_the_end_of_stderr() {
        let error = Tool::new("sh").args(["-c", "echo first >&2; echo last >&2; exit 3"]).run().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exit status 3") && text.contains("first") && text.contains("last"), "{text}");
    }

    #[test]
    fn the_environment_is_cleared() {
        let output = Tool::new("env").run().unwrap().text();
        assert!(
            output.lines().all(|l| ["PATH=", "LC_ALL=", "TZ=", "HOME="].iter().any(|k| l.starts_with(k))),
            "{output}"
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Tool::new("no-such-tool-here").run().unwrap_err();
        assert_eq!(error.to_string(), "`no-such-tool-here` is not installed on this host");
    }

    #[test]
    fn stdin_reaches_the_tool() {
        assert_eq!(Tool::new("cat").stdin("hello").run().unwrap().text(), "hello");
    }
}
