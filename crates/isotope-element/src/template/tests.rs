//! Tests of templates: what renders, and which names are refused at load time.

use super::*;
use crate::{Arch, Family};
use std::collections::BTreeMap;

const VARS: &str = "[vars.color]\ntype = \"string\"\ndefault = \"red\"\n[vars.on]\ntype = \"bool\"\ndefault = true\n\
                    [vars.list]\ntype = \"list\"\ndefault = [\"a\", \"b c\"]\n";

/// Loads an element with one template file; the errors, or the names that the template uses.
fn load(text: &str) -> Result<BTreeSet<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    let element = dir.path().join("e");
    std::fs::create_dir(&element).unwrap();
    let manifest = format!("summary = \"e\"\n{VARS}[[templates]]\nsource = \"t.hbs\"\ndest = \"/t\"\n");
    std::fs::write(element.join("element.toml"), manifest).unwrap();
    std::fs::write(element.join("t.hbs"), text).unwrap();
    let catalogue = crate::load(&[dir.path().to_owned()])
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    Ok(catalogue.elements["e"].manifest.templates[0].template.names.clone())
}

fn rendered(text: &str) -> Result<String, RenderError> {
    let own = BTreeMap::from([
        ("color".to_owned(), Value::Text("<red> & \"blue\"".to_owned())),
        ("on".to_owned(), Value::Bool(true)),
        ("list".to_owned(), Value::List(vec!["a".to_owned(), "b c".to_owned()])),
    ]);
    let other = BTreeMap::from([("size".to_owned(), Value::Size(crate::Bytes(1024)))]);
    let values = Values(BTreeMap::from([("e".to_owned(), own), ("vm-x".to_owned(), other)]));
    let target = TargetFacts {
        arch: Arch::X86_64,
        distro: "debian".into(),
        family: Family::Debian,
        release: "trixie".into(),
        tree: crate::Tree::Package,
    };
    Renderer::new(&values, Some(&target)).render("e", &Template::plain(text))
}

#[test]
fn values_render_as_they_are() {
    for (text, expected) in [
        ("{{color}}", "<red> & \"blue\""),
        ("{{on}} {{list}}", "true a b c"),
        ("{{#if on}}yes{{else}}no{{/if}}", "yes"),
        ("{{#each list}}[{{this}}]{{/each}}", "[a][b c]"),
        ("{{join list \", \"}}", "a, b c"),
        ("{{vm-x.size}}", "1024"),
        ("linux-image-{{target.deb_arch}} {{target.release}}", "linux-image-amd64 trixie"),
        ("{{#if (eq target.distro \"debian\")}}deb{{/if}}", "deb"),
        ("no braces", "no braces"),
    ] {
        assert_eq!(rendered(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn a_name_without_a_value_is_an_error_when_rendered() {
    assert!(rendered("{{colour}}").is_err());
}

#[test]
fn undeclared_names_are_refused_wherever_they_stand() {
    for text in [
        "{{colour}}",
        "{{#if colour}}x{{/if}}",
        "{{#if on}}{{colour}}{{/if}}",
        "{{#unless on}}a{{else}}{{colour}}{{/unless}}",
        "{{#each colour}}x{{/each}}",
        "{{#if (eq colour \"red\")}}x{{/if}}",
        "{{join colour \" \"}}",
        "line one\n{{#if on}}\n  {{colour}}\n{{/if}}",
    ] {
        let error = load(text).unwrap_err();
        assert!(error.contains("colour") && error.contains("t.hbs:"), "{text}: {error}");
    }
}

#[test]
fn declared_names_are_collected() {
    let names = load("{{#if on}}{{color}}{{/if}}{{#each list}}{{this}}{{/each}}").unwrap();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["color", "list", "on"]);
}

#[test]
fn broken_templates_name_their_line() {
    let error = load("fine\n{{#if on}}\nnever closed\n").unwrap_err();
    assert!(error.contains("t.hbs:"), "{error}");
}
