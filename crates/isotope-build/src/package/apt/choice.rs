//! What apt has chosen to do, as it tells its `Pre-Install-Pkgs` hook (apt.conf(5), protocol version 2).

use std::path::PathBuf;

/// One step of apt's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Unpack a package file.
    Unpack {
        /// The package.
        name: String,
        /// Whether another version of it is installed.
        replaces: bool,
        /// Its file.
        file: PathBuf,
    },
    /// Configure a package.
    Configure,
    /// Remove a package.
    Remove,
}

/// A plan, in apt's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Its steps.
    pub steps: Vec<Step>,
}

impl Choice {
    /// Reads what the hook got: a version, apt's configuration, an empty line, the steps.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let steps = text.lines().skip_while(|line| !line.is_empty()).filter_map(parse_step);
        Self { steps: steps.collect() }
    }

    /// The package files that are needed.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let file = |step: &'_ Step| if let Step::Unpack { file, .. } = step { Some(file.clone()) } else { None };
        self.steps.iter().filter_map(file).collect()
    }

    /// The package files to unpack, if that is all there is to do: nothing is removed and nothing replaced.
    #[must_use]
    pub fn fresh(&self) -> Option<Vec<PathBuf>> {
        let mut files = Vec::new();
        for step in &self.steps {
            match step {
                Step::Unpack { replaces: false, file, .. } => files.push(file.clone()),
                Step::Configure => {}
                Step::Unpack { replaces: true, .. } | Step::Remove => return None,
            }
        }
        Some(files)
    }
}

/// `name old-version < new-version action`; `-` for no version.
fn parse_step(line: &str) -> Option<Step> {
    let mut words = line.splitn(5, ' ');
    let name = words.next()?.to_owned();
    let old = words.next()?;
    match words.nth(2)? {
        "**CONFIGURE**" => Some(Step::Configure),
        "**REMOVE**" => Some(Step::Remove),
        file => Some(Step::Unpack { name, replaces: old != "-", file: file.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "VERSION 2\nAPT::Architecture=amd64\nDir=/x\n\n";

    #[test]
    fn a_fresh_install_is_its_files_in_order() {
        let text = format!(
            "{HEAD}b - < 2 /a b/b_2_all.deb\na - < 1:1 /c/a_1%3a1_all.deb\nb - < 2 **CONFIGURE**\na - < 1:1 **CONFIGURE**\n"
        );
        let choice = Choice::parse(&text);
        assert_eq!(choice.steps.len(), 4);
        assert_eq!(choice.fresh().unwrap(), [PathBuf::from("/a b/b_2_all.deb"), "/c/a_1%3a1_all.deb".into()]);
    }

    #[test]
    fn upgrades_and_removals_are_not_fresh() {
        assert_eq!(Choice::parse(&format!("{HEAD}a 1 < 2 /c/a.deb\n")).fresh(), None);
        assert_eq!(Choice::parse(&format!("{HEAD}a 1 > - **REMOVE**\n")).fresh(), None);
        assert_eq!(Choice::parse("").fresh().unwrap(), Vec::<PathBuf>::new());
    }
}
