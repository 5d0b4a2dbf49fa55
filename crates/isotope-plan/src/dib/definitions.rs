//! `diskimage-builder FILE.yaml`: definitions of images, and the command lines that they stand for.
//!
//! A file is a list of maps. A map with the `imagename` of one before it, or with none, adds to that one: lists grow, maps are
//! merged, everything else is replaced. Each then is one run of `disk-image-create` or `ramdisk-image-create`. The keys are
//! diskimage-builder's (`diskimage-builder --help`); all that is wrong is told at once, with its line.

use super::Program;
use isotope_element::yaml::{Kind, Node, Text};
use isotope_element::{Diagnostic, suggest};
use std::collections::BTreeMap;
use std::path::Path;

/// One image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Definition {
    /// The texts, by key, in the order of [`KEYS`] once they are arguments.
    scalars: BTreeMap<&'static str, String>,
    lists: BTreeMap<&'static str, Vec<String>>,
    maps: BTreeMap<&'static str, BTreeMap<String, String>>,
}

/// A run that an image stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Which program.
    pub program: Program,
    /// Its environment, beside the caller's.
    pub environment: BTreeMap<String, String>,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// What a key takes, and what it becomes.
#[derive(Clone, Copy)]
enum Value {
    /// Text → `OPTION TEXT`.
    Text(&'static str),
    /// One of these → `OPTION WORD`.
    Word(&'static str, &'static [&'static str]),
    /// A whole number → `OPTION NUMBER`.
    Number(&'static str),
    /// How often an option stands.
    Count(&'static str, u8),
    /// Whether an option stands.
    Switch(&'static str),
    /// Decides the program.
    Ramdisk,
    /// A list → `OPTION A,B`.
    List(&'static str, &'static [&'static str]),
    /// `KEY=VALUE,…` after an option.
    Map(&'static str),
    /// Variables.
    Environment,
    /// Arguments.
    Elements,
}

use Value::{Count, Elements, Environment, List, Map, Number, Ramdisk, Switch, Word};

const ARCHITECTURES: &[&str] =
    &["aarch64", "amd64", "arm64", "armhf", "powerpc", "ppc64", "ppc64el", "ppc64le", "s390x", "x86_64"];
const TYPES: &[&str] =
    &["qcow2", "tar", "tgz", "squashfs", "vhd", "docker", "aci", "raw", "vhdx", "vmdk", "vdi", "vpc"];

/// The keys, in the order in which their options stand on the command line.
const KEYS: &[(&str, Value)] = &[
    ("imagename", Value::Text("-o")),
    ("arch", Word("-a", ARCHITECTURES)),
    ("types", List("-t", TYPES)),
    ("environment", Environment),
    ("ramdisk", Ramdisk),
    ("debug-trace", Count("-x", 2)),
    ("uncompressed", Switch("-u")),
    ("clear", Switch("-c")),
    ("logfile", Value::Text("--logfile")),
    ("checksum", Switch("--checksum")),
    ("image-size", Number("--image-size")),
    ("image-extra-size", Number("--image-extra-size")),
    ("image-cache", Value::Text("--image-cache")),
    ("max-online-resize", Number("--max-online-resize")),
    ("min-tmpfs", Number("--min-tmpfs")),
    ("mkfs-journal-size", Number("--mkfs-journal-size")),
    ("mkfs-options", Value::Text("--mkfs-options")),
    ("no-tmpfs", Switch("--no-tmpfs")),
    ("offline", Switch("--offline")),
    ("qemu-img-options", Map("--qemu-img-options")),
    ("root-label", Value::Text("--root-label")),
    ("ramdisk-element", Value::Text("--ramdisk-element")),
    ("install-type", Word("--install-type", &["source", "package"])),
    ("docker-target", Value::Text("--docker-target")),
    ("packages", List("-p", &[])),
    ("skip-base", Switch("-n")),
    ("elements", Elements),
];

/// Reads definitions from the texts of files, in order.
///
/// # Errors
/// Everything that is wrong with them.
pub fn read(files: &[(&Path, &str)]) -> Result<Vec<Definition>, Vec<Diagnostic>> {
    let (mut definitions, mut problems) = (Vec::new(), Vec::new());
    for (path, text) in files {
        let text = Text { path, text };
        match text.parse() {
            Err(problem) => problems.push(problem),
            Ok(None) => {}
            Ok(Some(Node { kind: Kind::List(items), .. })) => {
                for item in &items {
                    let definition = definition(&text, item, &mut problems);
                    merge(&mut definitions, definition);
                }
            }
            Ok(Some(node)) => {
                let message = format!("the file is {}, not a list of image definitions", node.what());
                problems.push(
                    text.error(node.at, message).hint("begin each definition with `- imagename: NAME`".to_owned()),
                );
            }
        }
    }
    if problems.is_empty() { Ok(definitions) } else { Err(problems) }
}

/// Adds to the image of that name; without a name, to the one before.
fn merge(definitions: &mut Vec<Definition>, new: Definition) {
    let name = new.scalars.get("imagename");
    let found = match name {
        Some(name) => definitions.iter().position(|known| known.scalars.get("imagename") == Some(name)),
        None => definitions.len().checked_sub(1),
    };
    // One that is added to becomes the one before of those that follow.
    let mut target = found.map(|index| definitions.remove(index)).unwrap_or_default();
    target.scalars.extend(new.scalars);
    for (key, list) in new.lists {
        target.lists.entry(key).or_default().extend(list);
    }
    for (key, map) in new.maps {
        target.maps.entry(key).or_default().extend(map);
    }
    match found {
        Some(index) => definitions.insert(index, target),
        None => definitions.push(target),
    }
}

fn definition(text: &Text<'_>, node: &Node, problems: &mut Vec<Diagnostic>) -> Definition {
    let mut found = Definition::default();
    let Kind::Map(entries) = &node.kind else {
        problems.push(text.error(node.at, format!("an image definition is a map, not {}", node.what())));
        return found;
    };
    for (key, node) in entries {
        let Some((name, value)) = KEYS.iter().find(|(name, _)| *name == key.name) else {
            let problem = text.error(key.at, format!("unknown key `{}`", key.name));
            let hint = suggest(&key.name, KEYS.iter().map(|(name, _)| *name), "known are");
            problems.push(hint.into_iter().fold(problem, Diagnostic::hint));
            continue;
        };
        let read = match value {
            List(_, words) => list(node, words).map(|list| drop(found.lists.insert(name, list))),
            Elements => list(node, &[]).map(|list| drop(found.lists.insert(name, list))),
            Map(_) | Environment => map(node).map(|map| drop(found.maps.insert(name, map))),
            Value::Text(_) | Word(..) | Number(_) | Count(..) | Switch(_) | Ramdisk => {
                scalar(node, *value).map(|scalar| drop(found.scalars.insert(name, scalar)))
            }
        };
        if let Err(wanted) = read {
            problems.push(text.error(node.at, format!("`{name}` must be {wanted}")));
        }
    }
    found
}

fn scalar(node: &Node, value: Value) -> Result<String, String> {
    let text = node.text();
    match (value, text) {
        (Word(_, words), Some(text)) if words.contains(&text) => Ok(text.to_owned()),
        (Word(_, words), _) => Err(format!("one of {}", words.join(", "))),
        (Number(_), Some(text)) if text.parse::<u64>().is_ok() => Ok(text.to_owned()),
        (Number(_), _) => Err("a whole number".to_owned()),
        (Count(_, most), Some(text)) if text.parse::<u8>().is_ok_and(|count| count <= most) => Ok(text.to_owned()),
        (Count(_, most), _) => Err(format!("a whole number from 0 to {most}")),
        (Switch(_) | Ramdisk, _) => {
            node.truth().map(|truth| truth.to_string()).ok_or_else(|| "true or false".to_owned())
        }
        (_, Some(text)) => Ok(text.to_owned()),
        (_, None) => Err("a text".to_owned()),
    }
}

fn list(node: &Node, words: &[&str]) -> Result<Vec<String>, String> {
    let wanted = || match words {
        [] => "a list of texts".to_owned(),
        words => format!("a list of some of {}", words.join(", ")),
    };
    let Kind::List(items) = &node.kind else { return Err(wanted()) };
    let taken = |item: &Node| item.text().filter(|text| words.is_empty() || words.contains(text)).map(str::to_owned);
    items.iter().map(taken).collect::<Option<_>>().ok_or_else(wanted)
}

fn map(node: &Node) -> Result<BTreeMap<String, String>, String> {
    let wanted = || "a map of texts (quote numbers and truth values)".to_owned();
    let Kind::Map(entries) = &node.kind else { return Err(wanted()) };
    let entry = |(key, node): &(isotope_element::yaml::Key, Node)| {
        let plain = matches!(&node.kind, Kind::Scalar { text, plain: true } if text.parse::<f64>().is_ok() || node.truth().is_some());
        node.text().filter(|_| !plain).map(|text| (key.name.clone(), text.to_owned()))
    };
    entries.iter().map(entry).collect::<Option<_>>().ok_or_else(wanted)
}

impl Definition {
    /// The run that it stands for.
    #[must_use]
    pub fn invocation(&self) -> Invocation {
        let mut arguments = Vec::new();
        for (name, value) in KEYS {
            let scalar = self.scalars.get(name);
            match (*value, scalar) {
                (Value::Text(option) | Word(option, _) | Number(option), Some(text)) => {
                    arguments.extend([option.to_owned(), text.clone()]);
                }
                (Count(option, _), Some(count)) => {
                    arguments.extend(std::iter::repeat_n(option.to_owned(), count.parse().unwrap_or(0)));
                }
                (Switch(option), Some(truth)) if truth == "true" => arguments.push(option.to_owned()),
                (List(option, _), _) => {
                    if let Some(list) = self.lists.get(name).filter(|list| !list.is_empty()) {
                        arguments.extend([option.to_owned(), list.join(",")]);
                    }
                }
                (Map(option), _) => {
                    if let Some(map) = self.maps.get(name).filter(|map| !map.is_empty()) {
                        let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}={value}")).collect();
                        arguments.extend([option.to_owned(), pairs.join(",")]);
                    }
                }
                (Elements, _) => arguments.extend(self.lists.get(name).into_iter().flatten().cloned()),
                _ => {}
            }
            if *name == "docker-target" && scalar.is_none() {
                arguments.extend(self.docker_target());
            }
        }
        let ramdisk = self.scalars.get("ramdisk").is_some_and(|truth| truth == "true");
        let program = if ramdisk { Program::Ramdisk } else { Program::Disk };
        Invocation { program, environment: self.maps.get("environment").cloned().unwrap_or_default(), arguments }
    }

    /// "Defaults to the value of output imagename", says the documentation; diskimage-builder's program then refuses the build.
    fn docker_target(&self) -> Vec<String> {
        let docker = self.lists.get("types").is_some_and(|types| types.iter().any(|name| name == "docker"));
        match self.scalars.get("imagename").filter(|_| docker) {
            Some(name) => vec!["--docker-target".to_owned(), name.clone()],
            None => Vec::new(),
        }
    }
}

impl Invocation {
    /// For a shell.
    #[must_use]
    pub fn shell_line(&self) -> String {
        let variables = self.environment.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let words =
            std::iter::once(self.program.name().to_owned()).chain(self.arguments.iter().map(|word| quoted(word)));
        variables.chain(words).collect::<Vec<_>>().join(" ")
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests;
