//! `[vars.*]`.

use super::Checker;
use crate::document::At;
use crate::raw::RawVar;
use crate::template::HELPERS;
use crate::{Form, VarDecl, VarDefault, VarType};
use std::collections::BTreeMap;

impl Checker<'_> {
    /// Declarations first, defaults after: a default may name any variable.
    pub(super) fn variables(&mut self, raw: BTreeMap<String, At<RawVar>>) {
        let mut defaults = Vec::new();
        for (name, At { value, span }) in raw {
            let RawVar { kind, values, pattern, expects, default, env, help, secret } = value;
            if !name.starts_with(|c: char| c.is_ascii_lowercase())
                || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            {
                self.problem(
                    span.clone(),
                    format!("`{name}` is no name of a variable: lower case letters, digits and `_`"),
                    None,
                );
            } else if HELPERS.contains(&name.as_str())
                || ["this", "target", "else", "as", "true", "false", "null"].contains(&name.as_str())
            {
                self.problem(
                    span.clone(),
                    format!("a variable cannot be called `{name}`: templates give that word another meaning"),
                    None,
                );
            }
            match (&values, kind.value) {
                (None, VarType::Enum) => {
                    self.problem(
                        kind.span.clone(),
                        format!("the enum `{name}` lacks `values`"),
                        Some("add values = [\"…\", \"…\"]".to_owned()),
                    );
                }
                (Some(values), VarType::Enum) if values.value.is_empty() => {
                    self.problem(values.span.clone(), format!("the enum `{name}` accepts nothing"), None);
                }
                (Some(values), other) if other != VarType::Enum => {
                    self.problem(
                        values.span.clone(),
                        format!("`values` is for enums, and `{name}` is a {other}"),
                        None,
                    );
                }
                _ => {}
            }
            if let Some(env) = &env {
                self.env_names(env);
            }
            let form = self.form(&name, &kind, pattern, expects);
            let decl = VarDecl {
                name: name.clone(),
                kind: kind.value,
                values: values.map(|at| at.value).unwrap_or_default(),
                form,
                default: None,
                env: env.map(|at| at.value.0).unwrap_or_default(),
                help,
                secret,
                line: self.line(&span),
            };
            self.vars.insert(name.clone(), decl);
            defaults.extend(default.map(|default| (name, default)));
        }
        for (name, default) in defaults {
            let parsed = self.default(&name, default);
            if let Some(decl) = self.vars.get_mut(&name) {
                decl.default = parsed;
            }
        }
    }

    fn form(
        &mut self,
        name: &str,
        kind: &At<VarType>,
        pattern: Option<At<String>>,
        expects: Option<At<String>>,
    ) -> Option<Form> {
        let (pattern, expects) = match (pattern, expects) {
            (None, None) => return None,
            (Some(pattern), Some(expects)) => (pattern, expects),
            (Some(At { span, .. }), None) => {
                let hint = "add expects = \"…\": the pattern in words, for the error message".to_owned();
                self.problem(span, format!("the pattern of `{name}` lacks `expects`"), Some(hint));
                return None;
            }
            (None, Some(At { span, .. })) => {
                self.problem(span, format!("`expects` of `{name}` tells a pattern in words, and there is none"), None);
                return None;
            }
        };
        if !matches!(kind.value, VarType::String | VarType::Path | VarType::Url | VarType::List) {
            let message = format!("`pattern` is for texts and lists; `{name}` has the type {}", kind.value);
            self.problem(pattern.span, message, None);
            return None;
        }
        match Form::new(&pattern.value, expects.value) {
            Ok(form) => Some(form),
            Err(error) => {
                let message = format!("the pattern of `{name}` is no regular expression: {error}");
                self.problem(pattern.span, message, None);
                None
            }
        }
    }

    fn default(&mut self, name: &str, default: At<toml::Value>) -> Option<VarDefault> {
        let At { value, span } = default;
        match value {
            toml::Value::String(text) if text.contains("{{") => {
                Some(VarDefault::Template(self.template(At { value: text, span })))
            }
            value => match self.vars.get(name)?.from_toml(&value) {
                Ok(value) => Some(VarDefault::Value(value)),
                Err(error) => {
                    self.problem(span, format!("the default does not fit: {}", error.message), error.hint);
                    None
                }
            },
        }
    }

    fn env_names(&mut self, env: &At<crate::raw::OneOrMany>) {
        for name in &env.value.0 {
            if name.is_empty()
                || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                || name.starts_with(|c: char| c.is_ascii_digit())
            {
                self.problem(env.span.clone(), format!("\"{name}\" is no name of an environment variable"), None);
            }
        }
    }
}
