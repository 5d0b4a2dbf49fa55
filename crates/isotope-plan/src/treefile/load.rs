//! From files to a settled [`Treefile`]: includes, variables, defaults.

use super::layer::{Check, Layer, Placed};
use super::node::{At, Text};
use super::read::{self, Include};
use super::subst::{self, Variables};
use super::{Archive, Request, Treefile, TreefileErrors, repos};
use isotope_element::{Diagnostic, Family, Origin, suggest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where treefiles and what lies beside them are read from.
pub trait Files {
    /// A file's text.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self, path: &Path) -> std::io::Result<String>;
    /// The names in a directory.
    ///
    /// # Errors
    /// It cannot be listed.
    fn names(&self, dir: &Path) -> std::io::Result<Vec<String>>;
}

/// The file system.
#[derive(Debug, Clone, Copy)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn names(&self, dir: &Path) -> std::io::Result<Vec<String>> {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let names = std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }
}

/// Reads a treefile with all that it includes.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load(path: &Path, files: &dyn Files, request: &Request) -> Result<Treefile, TreefileErrors> {
    let mut loader =
        Loader { files, request, seen: Vec::new(), chain: Vec::new(), errors: Vec::new(), warnings: Vec::new() };
    let layer = loader.file(path, None, &request.variables);
    let treefile = loader.settle(path, layer);
    if loader.errors.is_empty() {
        Ok(Treefile { files: loader.seen, warnings: loader.warnings, ..treefile })
    } else {
        Err(TreefileErrors { errors: loader.errors })
    }
}

struct Loader<'a> {
    files: &'a dyn Files,
    request: &'a Request,
    seen: Vec<PathBuf>,
    chain: Vec<PathBuf>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Loader<'_> {
    /// A file and all it includes; `outer` are the variables of those that include it.
    fn file(&mut self, path: &Path, included: Option<(&Text<'_>, At)>, outer: &Variables) -> Layer {
        let path = &clean(path);
        let complain = |loader: &mut Self, message: String| {
            let error = match included {
                Some((text, at)) => text.error(at, message),
                None => Diagnostic::error(path, message),
            };
            loader.errors.push(error);
            Layer::default()
        };
        if let Some(start) = self.chain.iter().position(|other| other == path) {
            let names = self.chain[start..].iter().chain([path]).map(|path| path.display().to_string());
            let round = names.collect::<Vec<_>>().join(" includes ");
            return complain(self, format!("treefiles include each other in a circle: {round}"));
        }
        if self.seen.contains(path) {
            return complain(
                self,
                format!("{} is included a second time; each treefile may be there once", path.display()),
            );
        }
        let text = match self.files.read(path) {
            Ok(text) => text,
            Err(error) => return complain(self, format!("cannot read the treefile {}: {error}", path.display())),
        };
        self.seen.push(path.clone());
        let text = Text { path, text: &text };
        let root = match text.parse() {
            Ok(root) => root,
            Err(error) => {
                self.errors.push(error);
                return Layer::default();
            }
        };
        let read::Read { mut layer, includes, errors, warnings } = read::read(text, root, self.request.arch);
        self.errors.extend(errors);
        self.warnings.extend(warnings);
        let mut variables = layer.variables.clone();
        if let Some(release) = self.release(&layer) {
            variables.insert("releasever".to_owned(), release);
        }
        variables.insert("basearch".to_owned(), self.request.arch.name().to_owned());
        variables.extend(outer.clone());
        self.chain.push(path.clone());
        for include in includes {
            if self.is_wanted(&text, &include, &variables) {
                let below = self.file(&include.path, Some((&text, include.at)), &variables);
                layer.lay_over(below);
            }
        }
        self.chain.pop();
        layer
    }

    fn is_wanted(&mut self, text: &Text<'_>, include: &Include, variables: &Variables) -> bool {
        let mut wanted = true;
        for condition in &include.conditions {
            match subst::holds(condition, variables) {
                Ok(holds) => wanted &= holds,
                Err(message) => {
                    let known = suggest(&condition.name, variables.keys().map(String::as_str), "variables");
                    self.errors.push(text.error(condition.at, message).hint(known));
                    wanted = false;
                }
            }
        }
        wanted
    }

    fn release(&self, layer: &Layer) -> Option<String> {
        let own = layer.releasever.as_ref().or_else(|| layer.apt.as_ref()?.release.as_ref());
        self.request.release.clone().or_else(|| own.map(|release| release.value.clone()))
    }

    fn error(&mut self, origin: &Origin, message: impl Into<String>, hint: Option<String>) {
        let file = origin.file.clone().unwrap_or_default();
        let text = self.files.read(&file).unwrap_or_default();
        let at = At { line: origin.line.unwrap_or(1), column: 1, width: u32::MAX };
        let error = Text { path: &file, text: &text }.error(at, message).hint(hint);
        self.errors.push(error);
    }

    /// Replaces the variables of a value.
    fn expand(&mut self, value: &str, origin: &Origin, variables: &Variables) -> String {
        match subst::replace(value, variables) {
            Ok(text) => text,
            Err(name) => {
                let hint = suggest(&name, variables.keys().map(String::as_str), "variables");
                self.error(origin, format!("`{value}` has the variable `{name}`, which there is not"), hint);
                value.to_owned()
            }
        }
    }

    fn expand_placed(&mut self, placed: Option<Placed<String>>, variables: &Variables) -> Option<Placed<String>> {
        let Placed { value, origin } = placed?;
        Some(Placed { value: self.expand(&value, &origin, variables), origin })
    }

    fn settle(&mut self, path: &Path, mut layer: Layer) -> Treefile {
        let release = self.release(&layer);
        let mut variables = layer.variables.clone();
        variables.insert("basearch".to_owned(), self.request.arch.name().to_owned());
        variables.extend(release.clone().map(|release| ("releasever".to_owned(), release)));
        variables.extend(self.request.variables.clone());
        if release.is_none() && self.errors.is_empty() {
            let hint = "write `releasever: …` (with apt: `apt: {release: …}`), or give one with --release";
            self.errors.push(Diagnostic::error(path, "the treefile names no release").hint(Some(hint.to_owned())));
        }
        let reference = self.expand_placed(layer.reference.take(), &variables);
        let prefix = self.expand_placed(layer.version_prefix.take(), &variables);
        let mutate = self.expand_placed(layer.mutate_os_release.take(), &variables);
        let archives = self.archives(&layer, &variables);
        let family = if layer.apt.is_some() { Family::Debian } else { Family::Redhat };
        let distro = self.distro(&layer, reference.as_ref());
        let new_edition = layer.edition.as_ref().is_some_and(|edition| edition.value >= 2024);
        let packages = self.packages(&mut layer, release.as_deref());
        let plain = |values: Vec<Placed<String>>| values.into_iter().map(|placed| placed.value).collect::<Vec<_>>();
        let truth = |placed: Option<Placed<bool>>, default: bool| placed.map_or(default, |placed| placed.value);
        let check_passwd = self.check(layer.check_passwd.take(), &variables);
        let check_groups = self.check(layer.check_groups.take(), &variables);
        let args = plain(layer.initramfs_args);
        let suffix = layer.version_suffix.map_or_else(|| ".".to_owned(), |suffix| suffix.value);
        Treefile {
            file: path.to_owned(),
            files: Vec::new(),
            arch: self.request.arch,
            family,
            distro,
            release: release.unwrap_or_default(),
            archives,
            reference,
            bootstrap_packages: layer.bootstrap_packages,
            packages,
            exclude_packages: layer.exclude_packages,
            recommends: truth(layer.recommends, true),
            documentation: truth(layer.documentation, true),
            install_langs: layer.install_langs.map(plain),
            units: layer.units,
            default_target: layer.default_target,
            remove_files: layer.remove_files,
            remove_from_packages: layer.remove_from_packages,
            add_files: layer.add_files,
            postprocess: layer.postprocess,
            postprocess_script: layer.postprocess_script,
            version: prefix.map(|prefix| (prefix.value, suffix)),
            mutate_os_release: mutate.map(|text| text.value),
            tmp_is_dir: truth(layer.tmp_is_dir, new_edition),
            machineid_compat: truth(layer.machineid_compat, true),
            selinux: layer.selinux,
            etc_group_members: plain(layer.etc_group_members),
            boot_location: layer.boot_location.map_or_else(Default::default, |location| location.value),
            initramfs: (!truth(layer.no_initramfs, false)).then_some(args),
            preserve_passwd: truth(layer.preserve_passwd, true),
            check_passwd,
            check_groups,
            ignore_removed_users: plain(layer.ignore_removed_users),
            ignore_removed_groups: plain(layer.ignore_removed_groups),
            commit_metadata: layer.commit_metadata,
            warnings: Vec::new(),
        }
    }

    /// What users are compared with; the file's name may have variables.
    fn check(&mut self, placed: Option<Placed<Check>>, variables: &Variables) -> Check {
        let Some(Placed { value, origin }) = placed else { return Check::Previous };
        let Check::File(path) = value else { return value };
        let path = PathBuf::from(self.expand(&path.to_string_lossy(), &origin, variables));
        if let Err(error) = self.files.read(&path) {
            self.error(&origin, format!("cannot read {}: {error}", path.display()), None);
        }
        Check::File(path)
    }

    fn packages(&mut self, layer: &mut Layer, release: Option<&str>) -> Vec<Placed<String>> {
        let mut packages = std::mem::take(&mut layer.packages);
        if let Some(apt) = &mut layer.apt {
            packages.append(&mut apt.packages);
            if let Some(own) = release.and_then(|release| apt.release_packages.remove(release)) {
                packages.extend(own);
            }
        }
        packages
    }

    /// Whose distribution it is: of apt's section, or, with RPM, the first part of the ref where that is a known one.
    fn distro(&self, layer: &Layer, reference: Option<&Placed<String>>) -> String {
        if let Some(apt) = &layer.apt {
            return apt.distro.as_ref().map_or_else(|| "debian".to_owned(), |distro| distro.value.clone());
        }
        let first = reference.and_then(|reference| reference.value.split(['/', '-']).next());
        let known = ["centos", "rhel", "almalinux", "rocky"];
        first.filter(|first| known.contains(first)).unwrap_or("fedora").to_owned()
    }

    fn archives(&mut self, layer: &Layer, variables: &Variables) -> Vec<Placed<Archive>> {
        if let Some(apt) = &layer.apt {
            if let Some(repo) = layer.repos.first() {
                let warning = Diagnostic::error(
                    repo.origin.file.as_deref().unwrap_or(Path::new("")),
                    "`repos` has no effect beside `apt`",
                );
                self.warnings.push(warning.severity(isotope_element::Severity::Warning));
            }
            if apt.sources.is_empty() && self.errors.is_empty() {
                let file = self.seen.first().cloned().unwrap_or_default();
                let hint = "for example: sources: [{mirror: host:debian}]".to_owned();
                self.errors.push(Diagnostic::error(&file, "`apt` has no sources").hint(Some(hint)));
            }
            let archives = apt.sources.iter().map(|source| self.apt_archive(source, variables));
            // A mirror that is a variable may be empty: then there is none of that kind.
            return archives.filter(|archive| !archive.value.uri.trim().is_empty()).collect();
        }
        self.rpm_archives(layer, variables)
    }

    fn apt_archive(&mut self, source: &Placed<super::layer::AptSource>, variables: &Variables) -> Placed<Archive> {
        let Placed { value: source, origin } = source;
        let suite = source.suite.clone().unwrap_or_else(|| "${releasever}".to_owned());
        let components = source.components.clone().unwrap_or_else(|| vec!["main".to_owned()]);
        let keyring = source.keyring.clone().unwrap_or_else(|| "/usr/share/keyrings/debian-archive-keyring.gpg".into());
        let archive = Archive {
            uri: self.expand(source.mirror.as_deref().unwrap_or_default(), origin, variables),
            suite: self.expand(&suite, origin, variables),
            components,
            keyring: (source.verify || source.keyring.is_some()).then_some(keyring),
            verify: source.verify,
        };
        Placed { value: archive, origin: origin.clone() }
    }

    fn rpm_archives(&mut self, layer: &Layer, variables: &Variables) -> Vec<Placed<Archive>> {
        if layer.repos.is_empty() {
            if self.errors.is_empty() {
                let file = self.seen.first().cloned().unwrap_or_default();
                let hint = "write `repos: […]` with .repo files beside the treefile, or an `apt` section";
                let error = Diagnostic::error(&file, "the treefile says nowhere where packages come from");
                self.errors.push(error.hint(Some(hint.to_owned())));
            }
            return Vec::new();
        }
        let mut sections = BTreeMap::new();
        for dir in &layer.repo_dirs {
            let mut names = self.files.names(dir).unwrap_or_default();
            names.sort();
            for name in names.iter().filter(|name| name.ends_with(".repo")) {
                let path = dir.join(name);
                match self.files.read(&path) {
                    Ok(text) => {
                        for section in repos::parse(&path, &text) {
                            sections.entry(section.id.clone()).or_insert(section);
                        }
                    }
                    Err(error) => self.errors.push(Diagnostic::error(&path, format!("cannot be read: {error}"))),
                }
            }
        }
        let mut archives: Vec<Placed<Archive>> = Vec::new();
        for repo in &layer.repos {
            let found = sections.get(&repo.value).map(|section| repos::archive(section, variables));
            match found {
                Some(Ok(archive)) if archives.iter().any(|other| other.value.suite == archive.value.suite) => {}
                Some(Ok(archive)) => archives.push(archive),
                Some(Err(message)) => self.error(&repo.origin, message, None),
                None => {
                    let hint = suggest(&repo.value, sections.keys().map(String::as_str), "repositories there");
                    let hint = hint.or_else(|| Some("there is no .repo file beside the treefile".to_owned()));
                    self.error(
                        &repo.origin,
                        format!("no .repo file beside the treefile has a repository `{}`", repo.value),
                        hint,
                    );
                }
            }
        }
        archives
    }
}

/// A path without `.` and without `DIR/..`, so that a file is known again.
fn clean(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
