//! The sections that say what an element does.

use super::Checker;
use crate::document::At;
use crate::manifest::{
    BootloaderSection, BootstrapSection, CheckBody, CheckKind, CheckSection, DistroSection, FilesSection,
    FilesystemSection, LayoutSection, PackagesSection, PartitionSection, RuleSection, ServicesSection, SourceSection,
    SysprepSection, TemplateSection,
};
use crate::raw::{
    RawBootloader, RawBootstrap, RawCheck, RawDistro, RawFiles, RawFilesystem, RawLayout, RawPackages, RawPartition,
    RawRule, RawServices, RawSource, RawSysprep, RawTemplate,
};
use crate::template::{Scope, TextPlace};
use crate::{Phase, Place, TargetFacts, Template, VarType};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(super) fn is_bool(text: &str) -> bool {
    text.parse::<bool>().is_ok()
}

fn is_number(text: &str) -> bool {
    text.parse::<u32>().is_ok()
}

impl Checker<'_> {
    pub(super) fn distro(&mut self, at: At<RawDistro>) -> DistroSection {
        let line = self.line(&at.span);
        let RawDistro { name, family, release } = at.value;
        let known = ["arch", "deb_arch"];
        DistroSection { name: self.template_in(name, &known), family, release: self.template_in(release, &known), line }
    }

    pub(super) fn bootstrap(&mut self, at: At<RawBootstrap>) -> BootstrapSection {
        let line = self.line(&at.span);
        let RawBootstrap { packages, sources } = at.value;
        if sources.is_empty() {
            self.problem(at.span, "`bootstrap` names no archive", Some("add [[bootstrap.sources]]".to_owned()));
        }
        let sources = sources.into_iter().map(|at| self.source(at)).collect();
        BootstrapSection { packages: self.templates(packages), sources, line }
    }

    fn source(&mut self, at: At<RawSource>) -> SourceSection {
        let line = self.line(&at.span);
        let RawSource { uri, suite, components, keyring, verify, when } = at.value;
        SourceSection {
            uri: self.template(uri),
            suite: self.template(suite),
            components: self.templates(components),
            keyring: self.optional(keyring),
            verify: self.scalar(verify, "true or false", is_bool),
            when: self.condition(when),
            line,
        }
    }

    pub(super) fn packages(&mut self, at: At<RawPackages>) -> PackagesSection {
        let line = self.line(&at.span);
        let RawPackages { names, names_from, remove, phase, recommends, when } = at.value;
        if names.is_empty() && names_from.is_none() && remove.is_empty() {
            self.problem(
                at.span,
                "this `packages` neither installs nor removes anything",
                Some("add names, names_from or remove".to_owned()),
            );
        }
        if let Some(At { value, span }) = &names_from {
            match self.vars.get(value).map(|decl| decl.kind) {
                Some(VarType::List) => {}
                Some(other) => {
                    self.problem(span.clone(), format!("`names_from` takes a list; `{value}` is a {other}"), None)
                }
                None => {
                    let lists =
                        self.vars.values().filter(|decl| decl.kind == VarType::List).map(|decl| decl.name.as_str());
                    let hint = crate::nearest::suggest(value, lists, "its lists");
                    self.problem(span.clone(), format!("`{value}` is not a variable of this element"), hint);
                }
            }
        }
        PackagesSection {
            names: self.templates(names),
            names_from: names_from.map(|at| at.value),
            remove: self.templates(remove),
            phase: self.phase(phase, Phase::Install, true),
            recommends: self.scalar(recommends, "true or false", is_bool),
            when: self.condition(when),
            line,
        }
    }

    /// A phase in which actions run. Packages and services need a target that runs programs.
    fn phase(&mut self, phase: Option<At<Phase>>, default: Phase, in_target: bool) -> Phase {
        let Some(At { value, span }) = phase else { return default };
        let fits = match value {
            Phase::Root | Phase::BlockDevice | Phase::Export => false,
            other => !in_target || other.place() == Place::Target,
        };
        if !fits {
            let fitting = if in_target {
                "pre-install, install, post-install, finalise"
            } else {
                "any but root, block-device and export"
            };
            self.problem(
                span,
                format!("this cannot be done in the phase {value}"),
                Some(format!("phases that can: {fitting}")),
            );
        }
        value
    }

    pub(super) fn files(&mut self, at: At<RawFiles>) -> FilesSection {
        let line = self.line(&at.span);
        let RawFiles { source, dest, mode, phase, when } = at.value;
        FilesSection {
            source: self.own_file("source", &source, true),
            dest: self.target_path("dest", dest),
            mode: self.mode(mode),
            phase: self.phase(phase, Phase::PostInstall, false),
            when: self.condition(when),
            line,
        }
    }

    pub(super) fn rendered(&mut self, at: At<RawTemplate>) -> TemplateSection {
        let line = self.line(&at.span);
        let RawTemplate { source, dest, mode, phase, when } = at.value;
        let path = self.own_file("source", &source, false);
        let template = match self.read(&path, &source) {
            Some(text) => self.template_file(&path, &text),
            None => Template::plain(""),
        };
        TemplateSection {
            source: path,
            template,
            dest: self.target_path("dest", dest),
            mode: self.mode(mode).unwrap_or(0o644),
            phase: self.phase(phase, Phase::PostInstall, false),
            when: self.condition(when),
            line,
        }
    }

    fn template_file(&mut self, path: &Path, text: &str) -> Template {
        let place = TextPlace { file: path, document: text, span: 0..text.len() };
        let scope = Scope { vars: &self.vars, target: &TargetFacts::NAMES };
        let (template, uses, problems) = Template::parse(text, &place, scope);
        self.problems.extend(problems);
        for name in uses {
            let spot = place.spot(text, name.range);
            self.refer(&name.name, path.to_owned(), spot, None);
        }
        template
    }

    pub(super) fn services(&mut self, at: At<RawServices>) -> ServicesSection {
        let line = self.line(&at.span);
        let RawServices { enable, disable, mask, phase, when } = at.value;
        if enable.is_empty() && disable.is_empty() && mask.is_empty() {
            self.problem(at.span, "this `services` names no unit", Some("add enable, disable or mask".to_owned()));
        }
        for unit in enable.iter().chain(&disable).chain(&mask) {
            if !unit.value.contains("{{") && !unit.value.contains('.') {
                let hint = format!("write the whole name: {}.service", unit.value);
                self.problem(
                    unit.span.clone(),
                    format!("\"{}\" is no unit: its type is missing", unit.value),
                    Some(hint),
                );
            }
        }
        ServicesSection {
            enable: self.templates(enable),
            disable: self.templates(disable),
            mask: self.templates(mask),
            phase: self.phase(phase, Phase::PostInstall, true),
            when: self.condition(when),
            line,
        }
    }

    pub(super) fn sysprep(&mut self, at: At<RawSysprep>) -> SysprepSection {
        let line = self.line(&at.span);
        let RawSysprep { remove } = at.value;
        for At { value, span } in &remove {
            let parts = || value.split('/').filter(|part| !part.is_empty());
            if !value.starts_with('/') || parts().any(|part| part == "..") || parts().next().is_none() {
                self.problem(
                    span.clone(),
                    format!("\"{value}\" is no path that sysprep may remove: absolute, below /, without `..`"),
                    None,
                );
            }
        }
        SysprepSection { remove: remove.into_iter().map(|at| at.value).collect(), line }
    }

    pub(super) fn layout(&mut self, at: At<RawLayout>) -> LayoutSection {
        let line = self.line(&at.span);
        let RawLayout { table, sector_size, size, partitions } = at.value;
        if partitions.is_empty() {
            self.problem(at.span, "the layout has no partition", Some("add [[layout.partitions]]".to_owned()));
        }
        let mut names = BTreeSet::new();
        for At { value: RawPartition { name, .. }, .. } in &partitions {
            if !names.insert(name.value.clone()) {
                self.problem(name.span.clone(), format!("two partitions are called {}", name.value), None);
            }
        }
        LayoutSection {
            table: self.optional(table),
            sector_size: self.scalar(sector_size, "512 or 4096", |text| matches!(text, "512" | "4096")),
            size: self.optional(size),
            partitions: partitions.into_iter().map(|at| self.partition(at)).collect(),
            line,
        }
    }

    fn partition(&mut self, at: At<RawPartition>) -> PartitionSection {
        let line = self.line(&at.span);
        let RawPartition { name, kind, size, filesystem, when } = at.value;
        PartitionSection {
            name: name.value,
            kind: self.template(kind),
            size: self.template(size),
            filesystem: filesystem.map(|at| self.filesystem(at)),
            when: self.condition(when),
            line,
        }
    }

    fn filesystem(&mut self, at: At<RawFilesystem>) -> FilesystemSection {
        let line = self.line(&at.span);
        let RawFilesystem { kind, label, mount, options, passno, mkfs_options } = at.value;
        FilesystemSection {
            kind: self.template(kind),
            label: self.optional(label),
            mount: mount.map(|mount| self.target_path("mount", mount)),
            options: self.optional(options),
            passno,
            mkfs_options: self.templates(mkfs_options),
            line,
        }
    }

    pub(super) fn bootloader(&mut self, at: At<RawBootloader>) -> BootloaderSection {
        let line = self.line(&at.span);
        let RawBootloader { bios, uefi, secure_boot, timeout, kernel_args, consoles } = at.value;
        BootloaderSection {
            bios: self.scalar(bios, "true or false", is_bool),
            uefi: self.scalar(uefi, "true or false", is_bool),
            secure_boot: self.optional(secure_boot),
            timeout: self.scalar(timeout, "a whole number", is_number),
            kernel_args: self.templates(kernel_args),
            consoles: self.templates(consoles),
            line,
        }
    }

    pub(super) fn rule(&mut self, at: At<RawRule>) -> RuleSection {
        let line = self.line(&at.span);
        let RawRule { refuse, message, help, when } = at.value;
        if refuse.is_none() && when.is_none() {
            let hint = "add refuse = \"{{…}}\", when = { … } or both";
            self.problem(at.span, "this rule refuses every build", Some(hint.to_owned()));
        }
        if let Some(At { value, span }) = refuse.as_ref().filter(|refuse| !refuse.value.contains("{{")) {
            let message = format!("`refuse` is a template that gives true or false; \"{value}\" is not");
            self.problem(span.clone(), message, Some("for example \"{{and pool devs}}\"".to_owned()));
        }
        RuleSection {
            refuse: self.optional(refuse),
            message: self.template(message),
            help: self.optional(help),
            when: self.condition(when),
            line,
        }
    }

    pub(super) fn check(&mut self, at: At<RawCheck>) -> CheckSection {
        let line = self.line(&at.span);
        let RawCheck { name, run, script, kind, timeout, when } = at.value;
        let kind = kind.map(|kind| kind.value).filter(|kind| *kind != CheckKind::Script);
        let body = match (run, script, kind) {
            (Some(run), None, None) => CheckBody::Text(self.template(run)),
            (None, None, Some(kind)) => CheckBody::Known(kind),
            (None, Some(script), None) => {
                let path = self.own_file("script", &script, false);
                let content = self.read(&path, &script).unwrap_or_default();
                CheckBody::Script { path, content }
            }
            (None, None, None) => {
                let message = "this check has neither `run` nor `script`";
                self.problem(at.span, message, Some("give one of them".to_owned()));
                CheckBody::Text(Template::plain(""))
            }
            _ => {
                let message = "this check has more than one of `run`, `script` and `kind`";
                self.problem(at.span, message, Some("give one of them".to_owned()));
                CheckBody::Text(Template::plain(""))
            }
        };
        CheckSection {
            name: self.template(name),
            body,
            timeout: timeout.unwrap_or(60),
            when: self.condition(when),
            line,
        }
    }

    /// Octal permission bits.
    fn mode(&mut self, mode: Option<At<String>>) -> Option<u32> {
        let At { value, span } = mode?;
        match u32::from_str_radix(&value, 8) {
            Ok(bits) if bits <= 0o7777 && value.len() >= 3 => Some(bits),
            _ => {
                self.problem(
                    span,
                    format!("\"{value}\" is no mode: four octal digits like \"0644\" are expected"),
                    None,
                );
                None
            }
        }
    }

    /// A file or directory of the element itself; no way leads out of it.
    pub(super) fn own_file(&mut self, key: &str, at: &At<String>, directory_too: bool) -> PathBuf {
        let path = self.dir.join(&at.value);
        let leaves = at.value.is_empty() || at.value.starts_with('/') || at.value.split('/').any(|part| part == "..");
        if leaves {
            let message = format!("`{key}` is a path inside the element; \"{}\" is not", at.value);
            self.problem(at.span.clone(), message, None);
        } else if !path.exists() {
            self.problem(at.span.clone(), format!("there is no {}", path.display()), self.nearest_file(&at.value));
        } else if !directory_too && !path.is_file() {
            self.problem(at.span.clone(), format!("{} is not a file", path.display()), None);
        }
        path
    }

    fn nearest_file(&self, value: &str) -> Option<String> {
        let (folder, name) = value.rsplit_once('/').map_or(("", value), |(folder, name)| (folder, name));
        let entries = std::fs::read_dir(self.dir.join(folder)).ok()?;
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        crate::nearest::nearest(name, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"))
    }

    fn read(&mut self, path: &Path, at: &At<String>) -> Option<String> {
        if !path.is_file() {
            return None;
        }
        std::fs::read_to_string(path)
            .map_err(|error| {
                self.problem(at.span.clone(), format!("{} cannot be read as text: {error}", path.display()), None)
            })
            .ok()
    }
}
