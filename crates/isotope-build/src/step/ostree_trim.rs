//! What a treefile wants removed and set, after packages and before its own files and scripts.

use super::Run;
use crate::build::Build;
use crate::error::StepError;
use isotope_plan::{OstreeTrim, RemoveFromPackage, Step};
use isotope_sys::target::{TargetDir, TargetError};
use regex::Regex;

/// The step.
pub(super) struct Trim<'a>(pub &'a OstreeTrim);

/// Where packages have their documentation, whole.
const DOCUMENTATION: [&str; 5] =
    ["/usr/share/groff", "/usr/share/info", "/usr/share/linda", "/usr/share/lintian", "/usr/share/man"];

/// By which dpkg leaves the same out of packages that come later.
const DPKG_NO_DOCUMENTATION: &str = "/etc/dpkg/dpkg.cfg.d/isotope-no-documentation";
const DPKG_LANGUAGES: &str = "/etc/dpkg/dpkg.cfg.d/isotope-languages";

impl Run for Trim<'_> {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let OstreeTrim {
            remove_files,
            remove_from_packages,
            default_target,
            mutate_os_release,
            no_documentation,
            languages,
        } = self.0;
        if *no_documentation {
            documentation(build.target.tree())?;
        }
        if let Some(languages) = languages {
            translations(build.target.tree(), languages)?;
        }
        for one in remove_from_packages {
            from_package(one, step, build)?;
        }
        for path in remove_files {
            if !build.target.tree().remove_tree(path.as_str())? {
                build.warn(format!("remove-files: there is no {path}"));
            }
        }
        if let Some(unit) = default_target {
            set_default(build.target.tree(), unit)?;
        }
        let version = build.compose.as_ref().and_then(|compose| compose.version.clone());
        match (mutate_os_release, version) {
            (Some(from), Some(version)) => os_release(build, from, &version)?,
            (Some(_), None) => build.warn("mutate-os-release: the commit has no version".to_owned()),
            (None, _) => {}
        }
        Ok(())
    }
}

fn from_package(one: &RemoveFromPackage, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
    let RemoveFromPackage { package, patterns } = one;
    let patterns: Vec<Regex> = patterns
        .iter()
        .map(|pattern| Regex::new(pattern).map_err(|_| StepError::Plan("a pattern that is no regular expression")))
        .collect::<Result<_, _>>()?;
    let files = build.with_packages(step, |manager, ctx| manager.files(ctx.target.tree(), package))?;
    let Some(files) = files else {
        build.warn(format!("remove-from-packages: {package} is not installed"));
        return Ok(());
    };
    let mut removed = 0;
    for path in files.iter().filter(|path| patterns.iter().any(|pattern| pattern.is_match(path))) {
        let stat = build.target.tree().symlink_metadata(path.as_str())?;
        // Directories may be other packages', too.
        if stat.is_some_and(|stat| !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir()) {
            build.target.tree().remove(path.as_str())?;
            removed += 1;
        }
    }
    build.events.output(&format!("{removed} files of {package} were removed"));
    Ok(())
}

/// Removes documentation, but not what licences are in.
fn documentation(tree: &TargetDir) -> Result<(), TargetError> {
    for dir in DOCUMENTATION {
        for entry in tree.read_dir(dir)? {
            tree.remove_tree(format!("{dir}/{}", entry.name.to_string_lossy()))?;
        }
    }
    for package in tree.read_dir("/usr/share/doc")?.into_iter().filter(|entry| entry.is_dir) {
        let dir = format!("/usr/share/doc/{}", package.name.to_string_lossy());
        for entry in tree.read_dir(dir.as_str())? {
            if entry.name != "copyright" {
                tree.remove_tree(format!("{dir}/{}", entry.name.to_string_lossy()))?;
            }
        }
        if tree.read_dir(dir.as_str())?.is_empty() {
            tree.remove(dir)?;
        }
    }
    let excludes = DOCUMENTATION.iter().map(|dir| format!("path-exclude={dir}/*\n")).collect::<String>();
    let text = format!("{excludes}path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n");
    tree.write(DPKG_NO_DOCUMENTATION, text, 0o644)
}

/// Removes translations into other languages. `en_US` keeps `en`, `en_US` and `en_US.UTF-8`.
fn translations(tree: &TargetDir, languages: &[String]) -> Result<(), TargetError> {
    if languages.iter().any(|language| language == "all") {
        return Ok(());
    }
    let kept = |name: &str| {
        let bare = name.split(['.', '@']).next().unwrap_or(name);
        languages.iter().any(|language| {
            let language = language.split(['.', '@']).next().unwrap_or(language);
            bare == language || language.strip_prefix(bare).is_some_and(|rest| rest.starts_with('_'))
        })
    };
    for entry in tree.read_dir("/usr/share/locale")?.into_iter().filter(|entry| entry.is_dir) {
        let name = entry.name.to_string_lossy();
        if !kept(&name) {
            tree.remove_tree(format!("/usr/share/locale/{name}"))?;
        }
    }
    let mut text = String::from("path-exclude=/usr/share/locale/*\npath-include=/usr/share/locale/locale.alias\n");
    for language in languages {
        let short = language.split('_').next().unwrap_or(language);
        text.push_str(&format!(
            "path-include=/usr/share/locale/{short}/*\npath-include=/usr/share/locale/{language}*/*\n"
        ));
    }
    tree.write(DPKG_LANGUAGES, text, 0o644)
}

fn set_default(tree: &TargetDir, unit: &str) -> Result<(), StepError> {
    let there =
        ["/etc/systemd/system", "/usr/lib/systemd/system"].iter().find(|dir| tree.exists(format!("{dir}/{unit}")));
    let Some(dir) = there else {
        return Err(StepError::Lacks {
            message: format!("default-target: the tree has no unit {unit}"),
            hint: "install the package that has it, or name another one, such as multi-user.target".to_owned(),
        });
    };
    Ok(tree.symlink(format!("{dir}/{unit}"), "/etc/systemd/system/default.target")?)
}

fn os_release(build: &mut Build<'_>, from: &str, version: &str) -> Result<(), StepError> {
    let tree = build.target.tree();
    let path = "/usr/lib/os-release";
    if !tree.exists(path) {
        build.warn("mutate-os-release: there is no /usr/lib/os-release".to_owned());
        return Ok(());
    }
    let text = tree.read_text(path)?;
    Ok(tree.write(path, mutated(&text, from, version), 0o644)?)
}

/// os-release with `version` for `from` in what people read, and OSTREE_VERSION.
fn mutated(text: &str, from: &str, version: &str) -> String {
    let line = |line: &str| {
        let shown = ["VERSION=", "PRETTY_NAME="].iter().any(|name| line.starts_with(name));
        format!("{}\n", if shown { line.replacen(from, version, 1) } else { line.to_owned() })
    };
    let kept = text.lines().filter(|line| !line.starts_with("OSTREE_VERSION=")).map(line);
    format!("{}OSTREE_VERSION='{version}'\n", kept.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, TargetDir) {
        let dir = tempfile::tempdir().unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        (dir, tree)
    }

    #[test]
    fn documentation_goes_but_licences_stay() {
        let (_dir, tree) = tree();
        for path in [
            "/usr/share/man/man1/a.1.gz",
            "/usr/share/doc/a/README",
            "/usr/share/doc/a/copyright",
            "/usr/share/doc/b/x",
        ] {
            tree.write(path, "", 0o644).unwrap();
        }
        documentation(&tree).unwrap();
        assert!(tree.exists("/usr/share/doc/a/copyright") && tree.exists("/usr/share/man"));
        for gone in ["/usr/share/man/man1", "/usr/share/doc/a/README", "/usr/share/doc/b"] {
            assert!(!tree.exists(gone), "{gone}");
        }
        assert!(tree.read_text(DPKG_NO_DOCUMENTATION).unwrap().contains("path-include=/usr/share/doc/*/copyright\n"));
    }

    #[test]
    fn languages_and_their_parents_stay() {
        let (_dir, tree) = tree();
        for name in ["de", "en", "en_GB", "en_US", "en_US.UTF-8", "sr@latin"] {
            tree.write(format!("/usr/share/locale/{name}/LC_MESSAGES/a.mo"), "", 0o644).unwrap();
        }
        tree.write("/usr/share/locale/locale.alias", "", 0o644).unwrap();
        translations(&tree, &["en_US".to_owned()]).unwrap();
        let names: Vec<_> = tree.read_dir("/usr/share/locale").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["en", "en_US", "en_US.UTF-8", "locale.alias"]);
    }

    #[test]
    fn os_release_shows_the_version() {
        let text = "NAME=Fedora\nVERSION=\"25 (Atomic Host)\"\nID=fedora\nVERSION_ID=25\nPRETTY_NAME=\"Fedora 25 (Atomic Host)\"\n";
        let expected = "NAME=Fedora\nVERSION=\"25.7 (Atomic Host)\"\nID=fedora\nVERSION_ID=25\nPRETTY_NAME=\"Fedora 25.7 (Atomic Host)\"\nOSTREE_VERSION='25.7'\n";
        assert_eq!(mutated(text, "25", "25.7"), expected);
    }

    #[test]
    fn the_default_target_must_be_there() {
        let (_dir, tree) = tree();
        assert!(set_default(&tree, "multi-user.target").unwrap_err().to_string().contains("no unit multi-user.target"));
        tree.write("/usr/lib/systemd/system/multi-user.target", "", 0o644).unwrap();
        set_default(&tree, "multi-user.target").unwrap();
        let link = tree.read_link("/etc/systemd/system/default.target").unwrap().unwrap();
        assert_eq!(link, "/usr/lib/systemd/system/multi-user.target");
    }
}
