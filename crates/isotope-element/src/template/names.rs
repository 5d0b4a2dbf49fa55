//! What names a template uses, found in its syntax tree, and which of them exist.

use super::{HELPERS, Template, helpers};
use crate::diagnostic::{Diagnostic, Spot};
use crate::nearest::suggest;
use crate::{TargetFacts, VarDecl};
use handlebars::template::{BlockParam, HelperTemplate, Parameter, TemplateElement};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Where the text of a template stands in a file.
pub(crate) struct TextPlace<'a> {
    /// The file.
    pub file: &'a Path,
    /// All its text.
    pub document: &'a str,
    /// The template in it: the whole file, or a TOML string with its quotes.
    pub span: Range<usize>,
}

impl TextPlace<'_> {
    /// The place of bytes of the template's text.
    pub fn spot(&self, text: &str, range: Range<usize>) -> Spot {
        let raw = self.document.get(self.span.clone()).unwrap_or_default();
        match map_offset(raw, text, range.start) {
            Some(start) => {
                let start = self.span.start + start;
                Spot::of(self.document, start..start + range.len())
            }
            None => Spot::of(self.document, self.span.clone()),
        }
    }
}

/// Where a byte of a TOML string's value stands in its source.
fn map_offset(raw: &str, value: &str, offset: usize) -> Option<usize> {
    if let Some(verbatim) = raw.find(value) {
        return Some(verbatim + offset);
    }
    let mut at = if raw.starts_with("\"\"\"") { 3 } else { 1 };
    if at == 3 {
        at += raw[3..].len() - raw[3..].trim_start_matches(['\r', '\n']).len();
    }
    for char in value.get(..offset)?.chars() {
        let rest = raw.get(at..)?;
        let Some(escape) = rest.strip_prefix('\\') else {
            at += rest.chars().next()?.len_utf8();
            continue;
        };
        let first = escape.chars().next()?;
        at += match first {
            'u' => 6,
            'U' => 10,
            'x' => 4,
            // A backslash at the end of a line swallows the white space that follows.
            '\n' | ' ' | '\t' | '\r' => {
                let swallowed = 1 + escape.len() - escape.trim_start().len();
                swallowed + char.len_utf8()
            }
            _ => 2,
        };
    }
    (at <= raw.len()).then_some(at)
}

/// Which names a template may use.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The element's own variables.
    pub vars: &'a BTreeMap<String, VarDecl>,
    /// Those of `target.…`.
    pub target: &'a [&'a str],
}

/// A name in a template, with its place.
pub(crate) struct NameUse {
    /// `variable`, `element.variable`, `target.arch`.
    pub name: String,
    /// Its bytes in the template.
    pub range: Range<usize>,
}

/// Something wrong in a template.
#[derive(Debug)]
pub(super) struct Flaw {
    pub range: Range<usize>,
    pub message: String,
    pub hint: Option<String>,
}

impl Template {
    /// Parse a template and check its names. Names of other elements (`element.variable`) are returned for later.
    pub(crate) fn parse(text: &str, place: &TextPlace<'_>, scope: Scope<'_>) -> (Self, Vec<NameUse>, Vec<Diagnostic>) {
        let (uses, flaws) = analyse(text, scope);
        let problems = flaws
            .into_iter()
            .map(|Flaw { range, message, hint }| {
                Diagnostic::error(place.file, message).at(place.spot(text, range)).hint(hint)
            })
            .collect();
        let names = uses.iter().map(|name| name.name.clone()).collect();
        let line = place.spot(text, 0..0).line;
        (Self { text: text.to_owned(), file: place.file.to_owned(), line, names }, uses, problems)
    }
}

/// Compile a template; expressions that merely show a value go through our own helper, which knows how a list looks.
pub(super) fn compile(text: &str) -> Result<handlebars::Template, Flaw> {
    let mut template = handlebars::Template::compile(text).map_err(|error| {
        let (line, column) = error.pos().unwrap_or((1, 1));
        let start = offset_of(text, line, column);
        let message = error.reason().to_string();
        let message = message
            .lines()
            .find(|line| line.contains("expected"))
            .unwrap_or(&message)
            .trim()
            .trim_start_matches("= ")
            .to_owned();
        Flaw { range: start..start + 1, message: format!("not a template: {message}"), hint: None }
    })?;
    show_values(&mut template);
    Ok(template)
}

fn show_values(template: &mut handlebars::Template) {
    for element in &mut template.elements {
        match element {
            TemplateElement::Expression(expression) | TemplateElement::HtmlExpression(expression)
                if expression.params.is_empty() && expression.hash.is_empty() && !is_helper(&expression.name) =>
            {
                let shown = std::mem::replace(&mut expression.name, Parameter::Name(helpers::SHOW.to_owned()));
                expression.params.push(match shown {
                    Parameter::Name(name) => {
                        handlebars::Path::parse(&name).map_or(Parameter::Name(name), Parameter::Path)
                    }
                    other => other,
                });
            }
            TemplateElement::HelperBlock(block) => {
                block.template.as_mut().map(show_values).unwrap_or_default();
                block.inverse.as_mut().map(show_values).unwrap_or_default();
            }
            _ => {}
        }
    }
}

fn is_helper(name: &Parameter) -> bool {
    name.as_name().is_some_and(|name| HELPERS.contains(&name))
}

/// The byte of a line and column, both from 1.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let line_start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[line_start.min(text.len())..];
    line_start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(offset, _)| offset)
}

fn analyse(text: &str, scope: Scope<'_>) -> (Vec<NameUse>, Vec<Flaw>) {
    if !text.contains("{{") {
        return (Vec::new(), Vec::new());
    }
    let compiled = match handlebars::Template::compile(text) {
        Ok(compiled) => compiled,
        Err(_) => return (Vec::new(), compile(text).err().into_iter().collect()),
    };
    let mut walk = Walk { text, scope, cursor: 0, frames: Vec::new(), uses: Vec::new(), flaws: Vec::new() };
    walk.template(&compiled);
    (walk.uses, walk.flaws)
}

/// What `{{#each}}` makes of the context.
struct Frame {
    /// Names after `as |…|`; without them `this` is the item.
    params: Vec<String>,
}

struct Walk<'a> {
    text: &'a str,
    scope: Scope<'a>,
    /// Names are looked for from here: the start of the expression at hand.
    cursor: usize,
    frames: Vec<Frame>,
    uses: Vec<NameUse>,
    flaws: Vec<Flaw>,
}

impl Walk<'_> {
    fn template(&mut self, template: &handlebars::Template) {
        for (index, element) in template.elements.iter().enumerate() {
            if let Some(at) = template.mapping.get(index) {
                self.cursor = self.cursor.max(offset_of(self.text, at.0, at.1));
            }
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::Expression(expression) | TemplateElement::HtmlExpression(expression) => {
                    self.call(expression)
                }
                TemplateElement::HelperBlock(block) => self.block(block),
                TemplateElement::DecoratorExpression(_) | TemplateElement::DecoratorBlock(_) => {
                    self.flaw("{{", "decorators (`{{* …}}`) are not available in templates".to_owned(), None);
                }
                TemplateElement::PartialExpression(_) | TemplateElement::PartialBlock(_) => {
                    self.flaw("{{", "partials (`{{> …}}`) are not available in templates".to_owned(), None);
                }
                _ => self.flaw("{{", "this expression is not available in templates".to_owned(), None),
            }
        }
    }

    fn block(&mut self, block: &HelperTemplate) {
        self.call(block);
        let opens_frame = block.name.as_name() == Some("each");
        if opens_frame {
            let name = |parameter: &Parameter| parameter.as_name().unwrap_or_default().to_owned();
            let params = match &block.block_param {
                Some(BlockParam::Single(one)) => vec![name(one)],
                Some(BlockParam::Pair((one, two))) => vec![name(one), name(two)],
                _ => Vec::new(),
            };
            self.frames.push(Frame { params });
        }
        if let Some(template) = &block.template {
            self.template(template);
        }
        if opens_frame {
            self.frames.pop();
        }
        if let Some(inverse) = &block.inverse {
            self.template(inverse);
        }
    }

    fn call(&mut self, call: &HelperTemplate) {
        let plain = !call.block && call.params.is_empty() && call.hash.is_empty();
        if !plain || is_helper(&call.name) {
            match &call.name {
                Parameter::Subexpression(_) => self.parameter(&call.name),
                name => {
                    let name = name.as_name().unwrap_or_default().to_owned();
                    if !HELPERS.contains(&name.as_str()) {
                        self.flaw(&name, format!("`{name}` is no helper"), suggest(&name, HELPERS, "helpers"));
                    }
                }
            }
        } else {
            self.parameter(&call.name);
        }
        for parameter in &call.params {
            self.parameter(parameter);
        }
        let mut hash: Vec<_> = call.hash.iter().collect();
        hash.sort_by_key(|(name, _)| name.as_str());
        for (_, parameter) in hash {
            self.parameter(parameter);
        }
    }

    fn parameter(&mut self, parameter: &Parameter) {
        match parameter {
            Parameter::Name(name) => self.path(name),
            Parameter::Path(handlebars::Path::Relative((_, raw))) => self.path(raw),
            Parameter::Subexpression(inner) => match inner.as_element() {
                TemplateElement::Expression(call) => self.call(call),
                _ => self.flaw("(", "this expression is not available in templates".to_owned(), None),
            },
            // `@index` and the like; literals.
            _ => {}
        }
    }

    /// A path as written: `release`, `vm.root_fs`, `../release`, `this`, `@root.release`.
    fn path(&mut self, raw: &str) {
        let mut depth = self.frames.len();
        let mut rest = raw;
        if let Some(from_root) = rest.strip_prefix("@root") {
            depth = 0;
            rest = from_root.trim_start_matches(['.', '/']);
        }
        while let Some(up) = rest.strip_prefix("../").or_else(|| (rest == "..").then_some("")) {
            if depth == 0 {
                return self.flaw(
                    raw,
                    format!("`{raw}` leads out of the template"),
                    Some("leave `../` out: only {{#each}} opens a level".to_owned()),
                );
            }
            depth -= 1;
            rest = up;
        }
        rest = rest.trim_start_matches("./");
        rest = rest.strip_prefix("this").filter(|tail| tail.is_empty() || tail.starts_with(['.', '/'])).unwrap_or(rest);
        let segments: Vec<&str> =
            rest.split(['.', '/']).map(|one| one.trim_matches(['[', ']'])).filter(|one| !one.is_empty()).collect();
        let innermost = segments.first().copied();
        if innermost
            .is_some_and(|name| self.frames[..depth].iter().any(|frame| frame.params.iter().any(|param| param == name)))
        {
            return;
        }
        match (depth, segments.as_slice()) {
            (0, []) => self.flaw(raw, format!("`{raw}` means nothing outside of {{{{#each}}}}"), None),
            (0, segments) => self.name(raw, segments),
            (_, []) => {}
            (_, [name, ..]) => {
                let up = "../".repeat(depth);
                let hint = if self.scope.vars.contains_key(*name) || segments.len() > 1 {
                    format!("inside {{{{#each}}}} write `{up}{}`", segments.join("."))
                } else {
                    "the item is `this`".to_owned()
                };
                self.flaw(raw, format!("`{raw}` is not part of a list's item"), Some(hint));
            }
        }
    }

    fn name(&mut self, raw: &str, segments: &[&str]) {
        let vars = self.scope.vars;
        match segments {
            [name] if vars.contains_key(*name) => self.found(raw, (*name).to_owned()),
            [name] => {
                let hint = suggest(name, vars.keys().map(String::as_str), "its variables")
                    .unwrap_or_else(|| format!("declare it: [vars.{name}]"));
                self.flaw(raw, format!("`{name}` is not a variable of this element"), Some(hint));
            }
            ["target", fact] if self.scope.target.contains(fact) => self.found(raw, format!("target.{fact}")),
            ["target", fact] if TargetFacts::NAMES.contains(fact) => {
                let message = format!("`target.{fact}` is not known yet where the distribution itself is declared");
                self.flaw(raw, message, Some(format!("known there: target.{}", self.scope.target.join(", target."))));
            }
            ["target", fact] => {
                let hint = suggest(fact, self.scope.target.iter().copied(), "known after `target.`");
                self.flaw(raw, format!("`target.{fact}` is unknown"), hint);
            }
            [name, _] if vars.contains_key(*name) => {
                self.flaw(raw, format!("`{raw}`: `{name}` is a variable of this element and has no parts"), None);
            }
            [element, var] => self.found(raw, format!("{element}.{var}")),
            _ => self.flaw(
                raw,
                format!("`{raw}` has too many parts"),
                Some("write `variable` or `element.variable`".to_owned()),
            ),
        }
    }

    fn found(&mut self, raw: &str, name: String) {
        let range = self.locate(raw);
        self.uses.push(NameUse { name, range });
    }

    fn flaw(&mut self, raw: &str, message: String, hint: Option<String>) {
        let range = self.locate(raw);
        self.flaws.push(Flaw { range, message, hint });
    }

    /// The next place of a word, as a whole word.
    fn locate(&self, word: &str) -> Range<usize> {
        let part_of_name = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.' | '/' | '@');
        let tail = self.text.get(self.cursor..).unwrap_or_default();
        let whole = tail.match_indices(word).find(|(at, _)| {
            let before = tail[..*at].chars().next_back();
            let after = tail[at + word.len()..].chars().next();
            word == "{{" || word == "(" || !(before.is_some_and(part_of_name) || after.is_some_and(part_of_name))
        });
        let start = self.cursor + whole.map_or(0, |(at, _)| at);
        start..start + word.len().max(1)
    }
}
