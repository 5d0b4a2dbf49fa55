//! What `element-info` prints: the elements of a build, for people and for `eval` in a shell.
//!
//! Paths and names without special characters give the very text that diskimage-builder's gives; others are quoted, which its
//! own does not do.

use super::ElementSet;
use std::fmt::Write as _;

impl ElementSet {
    /// The names on one line.
    #[must_use]
    pub fn line(&self) -> String {
        self.names().join(" ")
    }

    /// Name → directory as YAML, sorted: the value of `IMAGE_ELEMENT_YAML`.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut rows: Vec<(String, String)> =
            self.elements.iter().map(|element| (element.name.clone(), element.dir.display().to_string())).collect();
        rows.sort();
        rows.iter().map(|(name, dir)| format!("{}: {}\n", yaml_scalar(name), yaml_scalar(dir))).collect()
    }

    /// `[NAME]=DIRECTORY` for each element: what `get_image_element_array` prints, for
    /// `eval declare -A a=($(get_image_element_array))`.
    #[must_use]
    pub fn array(&self) -> String {
        let pair = |(name, dir): (&str, String)| format!("[{}]={} ", shell_word(name), shell_word(&dir));
        self.elements.iter().map(|element| pair((&element.name, element.dir.display().to_string()))).collect()
    }

    /// Lines of shell that set `IMAGE_ELEMENT` and `IMAGE_ELEMENT_YAML` and define `get_image_element_array`.
    #[must_use]
    pub fn env(&self) -> String {
        let mut out = String::new();
        let quoted = |text: &str| text.replace('\'', r"'\''");
        let array = escape(&self.array());
        // Writing to a String cannot fail.
        let written = write!(
            out,
            "export IMAGE_ELEMENT='{}'\nexport IMAGE_ELEMENT_YAML='{}'\nfunction get_image_element_array {{\n  echo \"{array}\"\n}};\n\
             export -f get_image_element_array;\n",
            quoted(&self.line()),
            quoted(&self.yaml()),
        );
        written.unwrap_or_default();
        out
    }
}

/// For double quotes in a shell, inside which four characters are not themselves.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        if matches!(char, '\\' | '"' | '$' | '`') {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || "-_./+@%:,=".contains(char))
}

fn shell_word(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A text as PyYAML writes it: plain where it would be read as this text again, else in single quotes.
fn yaml_scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let start = |char: char| char.is_ascii_alphabetic() || char == '/' || char == '_';
    let plain = is_plain(text)
        && text.starts_with(start)
        && !text.ends_with(':')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::dib::DibElement;
    use crate::dib::side::SideFile;

    fn set(elements: &[(&str, &str)]) -> ElementSet {
        let element = |(name, dir): &(&str, &str)| DibElement {
            name: (*name).to_owned(),
            dir: dir.into(),
            listed: dir.into(),
            depends: Vec::new(),
            provides: Vec::new(),
            side: SideFile::default(),
        };
        ElementSet { elements: elements.iter().map(element).collect(), ..ElementSet::default() }
    }

    #[test]
    fn the_environment_of_plain_names() {
        insta::assert_snapshot!(set(&[("vm", "/e/vm"), ("base", "/e/base")]).env(), @r#"
        export IMAGE_ELEMENT='vm base'
        export IMAGE_ELEMENT_YAML='base: /e/base
        vm: /e/vm
        '
        function get_image_element_array {
          echo "[vm]=/e/vm [base]=/e/base "
        };
        export -f get_image_element_array;
        "#);
    }

    #[test]
    fn yaml_of_odd_names_is_read_again() {
        let set = set(&[("no", "/e/no"), ("8", "/e/x: y"), ("it's", "/e/#")]);
        let yaml = set.yaml();
        let text = crate::yaml::Text { path: std::path::Path::new("x"), text: &yaml };
        let crate::yaml::Kind::Map(entries) = text.parse().unwrap().unwrap().kind else { panic!("{yaml}") };
        let found: Vec<(&str, &str)> = entries.iter().map(|(key, value)| (&*key.name, value.text().unwrap())).collect();
        assert_eq!(found, [("8", "/e/x: y"), ("it's", "/e/#"), ("no", "/e/no")]);
    }

    #[test]
    fn a_real_set() {
        let world = World::new();
        world.element("os", &[], &["operating-system"]).element("app", &["os"], &[]);
        assert_eq!(world.set(&["app"]).line(), "os app");
    }
}
