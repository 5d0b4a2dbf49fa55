//! The recipe: which elements, which values, what comes out. A file, or made from a command line.
//!
//! In: text and `--set` arguments. Out: a [`Recipe`] whose own parts are valid; whether its elements and variables exist, the planner
//! says. Who gives a variable its value, the first one wins: `--set`, the recipe's `[vars]`, the environment alias, the default.

mod raw;

use crate::exports::ExportRequest;
use crate::layout::DiskSize;
use crate::problem::suggest;
use crate::{Problem, sizes};
use isotope_element::document::{self, At};
use isotope_element::{Diagnostic, Given, Origin, Spot};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// The image's name; a file name.
    pub name: String,
    /// One line about it.
    pub summary: String,
    /// Its file, unless it was made from a command line.
    pub file: Option<PathBuf>,
    /// What was asked for, in order.
    pub elements: Vec<ElementRequest>,
    /// Given values: element → variable.
    pub vars: BTreeMap<String, BTreeMap<String, Setting>>,
    /// What elements in diskimage-builder's format see in their environment.
    pub environment: BTreeMap<String, String>,
    /// What comes out; empty: the default.
    pub exports: Vec<ExportRequest>,
    /// Size of the disk, instead of the layout's.
    pub size: Option<DiskSize>,
    /// Source of identifiers; `None`: the name.
    pub seed: Option<String>,
    /// Facts for publishers, beside those of the elements.
    pub properties: BTreeMap<String, String>,
}

/// An element that a recipe asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementRequest {
    /// Its name, or a provided name.
    pub name: String,
    /// Who asks.
    pub origin: Origin,
}

/// A value that a recipe or `--set` gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The value, before its type is known.
    pub given: Given,
    /// Who gives it.
    pub origin: Origin,
    /// Its place in the recipe's file.
    pub spot: Option<Spot>,
}

/// Why a recipe's file cannot be used; all reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct RecipeErrors {
    /// Each with its place.
    pub errors: Vec<Diagnostic>,
}

/// The JSON Schema of recipes.
#[must_use]
pub fn recipe_schema() -> schemars::Schema {
    schemars::schema_for!(raw::RawRecipe)
}

impl Recipe {
    /// Reads a recipe's text; `path` is for messages.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with line, column and the nearest known name.
    pub fn parse(path: &Path, text: &str) -> Result<Self, RecipeErrors> {
        let raw: raw::RawRecipe = document::parse(path, text).map_err(|errors| RecipeErrors { errors })?;
        let (recipe, errors) = Reader { path, text, errors: Vec::new() }.recipe(raw);
        if errors.is_empty() { Ok(recipe) } else { Err(RecipeErrors { errors }) }
    }

    /// A recipe from a command line: these elements, everything else as by default.
    #[must_use]
    pub fn anonymous<S: AsRef<str>>(name: &str, elements: &[S]) -> Self {
        let origin = command_line();
        Self {
            name: name.to_owned(),
            summary: String::new(),
            file: None,
            elements: elements
                .iter()
                .map(|element| ElementRequest { name: element.as_ref().to_owned(), origin: origin.clone() })
                .collect(),
            vars: BTreeMap::new(),
            environment: BTreeMap::new(),
            exports: Vec::new(),
            size: None,
            seed: None,
            properties: BTreeMap::new(),
        }
    }

    /// Takes `--set element.var=value`, which wins over the recipe.
    ///
    /// # Errors
    /// The argument has another form.
    pub fn set(&mut self, argument: &str) -> Result<(), Problem> {
        let parts = argument.split_once('=').and_then(|(key, value)| Some((key.split_once('.')?, value)));
        let Some(((element, var), value)) = parts.filter(|((element, var), _)| !element.is_empty() && !var.is_empty())
        else {
            return Err(Problem::usage(format!("`--set {argument}` has not the form element.variable=value"))
                .remedy("for example: --set debian-minimal.release=bookworm"));
        };
        let setting = Setting { given: Given::Text(value.to_owned()), origin: command_line(), spot: None };
        self.vars.entry(element.to_owned()).or_default().insert(var.to_owned(), setting);
        Ok(())
    }

    /// Replaces the exports by formats named on a command line (`-t qcow2,raw`); those the recipe has keep their settings.
    ///
    /// # Errors
    /// A format is not known.
    pub fn set_formats<S: AsRef<str>>(&mut self, names: &[S]) -> Result<(), Vec<Problem>> {
        let (mut wanted, mut problems) = (Vec::new(), Vec::new());
        for name in names {
            match ExportRequest::by_name(name.as_ref()) {
                Ok(request) => {
                    let own: Vec<_> = self.exports.iter().filter(|own| own.format == request.format).cloned().collect();
                    wanted.extend(if own.is_empty() { vec![request] } else { own });
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            self.exports = wanted;
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// Replaces the size of the disk (`--size 20GiB`).
    ///
    /// # Errors
    /// It is no size.
    pub fn set_size(&mut self, text: &str) -> Result<(), Problem> {
        self.size = Some(sizes::disk(text).map_err(|message| Problem::usage(format!("--size: {message}")))?);
        Ok(())
    }

    /// The names that were asked for, for [`Catalogue::resolve`](isotope_element::Catalogue::resolve).
    #[must_use]
    pub fn element_names(&self) -> Vec<&str> {
        self.elements.iter().map(|element| element.name.as_str()).collect()
    }
}

/// From what the file says to what it means.
struct Reader<'t> {
    path: &'t Path,
    text: &'t str,
    errors: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn recipe(mut self, raw: raw::RawRecipe) -> (Recipe, Vec<Diagnostic>) {
        let raw::RawRecipe { name, summary, elements, vars, environment, exports, size, seed, properties } = raw;
        if let Some(fault) = name_fault(&name.value) {
            self.error(name.span.clone(), format!("name: {fault}"), NAME_HINT);
        }
        if elements.value.is_empty() {
            self.error(
                elements.span.clone(),
                "a recipe needs at least one element".to_owned(),
                "for example: elements = [\"debian-minimal\"]",
            );
        }
        let elements = elements.value.into_iter();
        let recipe = Recipe {
            name: name.value,
            summary: summary.unwrap_or_default(),
            file: Some(self.path.to_owned()),
            elements: elements
                .map(|element| ElementRequest { origin: self.origin(&element), name: element.value })
                .collect(),
            vars: self.vars(vars),
            environment,
            exports: exports.into_iter().map(|export| self.export(export)).collect(),
            size: size.and_then(|size| self.size(size)),
            seed,
            properties,
        };
        (recipe, self.errors)
    }

    fn vars(
        &self,
        raw: BTreeMap<String, BTreeMap<String, At<raw::RawValue>>>,
    ) -> BTreeMap<String, BTreeMap<String, Setting>> {
        let setting = |value: At<raw::RawValue>| Setting {
            origin: self.origin(&value),
            spot: Some(Spot::of(self.text, value.span)),
            given: Given::Toml(value.value.into()),
        };
        let vars = |vars: BTreeMap<String, At<raw::RawValue>>| {
            vars.into_iter().map(|(var, value)| (var, setting(value))).collect()
        };
        raw.into_iter().map(|(element, of_element)| (element, vars(of_element))).collect()
    }

    fn export(&self, raw: At<raw::RawExport>) -> ExportRequest {
        let origin = self.origin(&raw);
        let raw::RawExport { format, compression, checksums } = raw.value;
        ExportRequest { format, compression, checksums, origin }
    }

    fn size(&mut self, raw: At<raw::RawSize>) -> Option<DiskSize> {
        let text = match raw.value {
            raw::RawSize::Text(text) => text,
            raw::RawSize::Bytes(bytes) => bytes.to_string(),
        };
        sizes::disk(&text)
            .map_err(|fault| self.error(raw.span, format!("size: {fault}"), "or `auto`: as large as the content needs"))
            .ok()
    }

    fn origin<T>(&self, at: &At<T>) -> Origin {
        Origin { element: "recipe".to_owned(), file: Some(self.path.to_owned()), line: Some(at.line(self.text)) }
    }

    fn error(&mut self, span: Range<usize>, message: String, hint: &str) {
        self.errors.push(Diagnostic::error(self.path, message).at(Spot::of(self.text, span)).hint(hint.to_owned()));
    }
}

const NAME_HINT: &str = "use letters, digits and `.`, `_`, `-`, `+`; it becomes the outputs' file name";

/// What keeps a name from being a file name.
pub(crate) fn name_fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if name.len() > 200 {
        return Some(format!("it has {} bytes, at most 200 fit a file name", name.len()));
    }
    if name.starts_with(['.', '-']) {
        return Some(format!("`{name}` begins with `{}`", &name[..1]));
    }
    let odd = name.chars().find(|char| !(char.is_ascii_alphanumeric() || ".-_+".contains(*char)))?;
    Some(format!("`{name}` has the character `{}`, which file names should not have", odd.escape_debug()))
}

pub(crate) fn name_problem(name: &str) -> Option<Problem> {
    name_fault(name).map(|fault| Problem::usage(format!("the image's name: {fault}")).remedy(NAME_HINT))
}

/// The origin of everything on a command line.
pub(crate) fn command_line() -> Origin {
    Origin { element: "command line".to_owned(), file: None, line: None }
}

/// Unknown name with its nearest, for messages.
pub(crate) fn unknown(what: &str, name: &str, known: &[&str]) -> Problem {
    Problem::usage(format!("unknown {what} `{name}`")).remedy(suggest(name, known))
}
