//! A reader of bash that knows words, quotes, expansions and assignments, and nothing else of the language.

use std::collections::BTreeSet;

/// A variable that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) name: String,
    /// The byte where the name begins.
    pub(super) at: usize,
    pub(super) demanded: bool,
}

/// What a text reads and sets.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Uses of what is not set, the first of each name.
    pub(super) uses: Vec<Use>,
    /// What is set at the end.
    pub(super) set: BTreeSet<String>,
    /// What is given a default, or tested.
    guarded: BTreeSet<String>,
}

/// What the text that is being read is inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Double quotes, or the body of a here-document.
    Quotes,
    /// `$(…)` or `(…)`.
    Parens,
    /// `${…}`.
    Braces,
    /// Backquotes.
    Backquotes,
}

/// What the words of a command set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    /// Not known yet, or nothing.
    Other,
    /// `read`, `mapfile`: all that follow.
    Reads,
    /// `for`, `select`, `printf -v`, `[[ -v`: the next one.
    Next,
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    known: &'t BTreeSet<String>,
    inside: Vec<Inside>,
    command: Command,
    /// Where the word that is being read begins.
    word: Option<usize>,
    /// A name that the word sets once it is complete.
    pending: Option<String>,
    /// Ends of here-documents whose bodies begin at the next line, and whether they are quoted.
    documents: Vec<(String, bool)>,
    silent: bool,
    scan: Scan,
}

pub(super) fn scan(text: &str, known: &BTreeSet<String>) -> Scan {
    let mut scanner = Scanner {
        text,
        at: 0,
        known,
        inside: Vec::new(),
        command: Command::Other,
        word: None,
        pending: None,
        documents: Vec::new(),
        silent: false,
        scan: Scan::default(),
    };
    while scanner.step() {}
    scanner.end_word();
    scanner.scan
}

fn name_length(text: &str) -> usize {
    let letter = |char: char| char.is_ascii_alphabetic() || char == '_';
    if !text.starts_with(letter) {
        return 0;
    }
    text.find(|char: char| !(letter(char) || char.is_ascii_digit())).unwrap_or(text.len())
}

impl Scan {
    /// What is set at the end, also what is given a default or tested: who reads that knows of it.
    pub(super) fn all_set(self) -> BTreeSet<String> {
        self.set.into_iter().chain(self.guarded).collect()
    }
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn quoted(&self) -> bool {
        self.inside.last() == Some(&Inside::Quotes)
    }

    fn step(&mut self) -> bool {
        let Some(char) = self.rest().chars().next() else { return false };
        let size = char.len_utf8();
        match char {
            '\\' => self.skip_escaped(),
            '$' => self.dollar(),
            '`' => self.toggle(Inside::Backquotes),
            '"' => self.toggle(Inside::Quotes),
            _ if self.quoted() => self.at += size,
            '\'' => self.single_quotes(),
            '}' if self.inside.last() == Some(&Inside::Braces) => self.pop(Inside::Braces),
            _ if self.inside.last() == Some(&Inside::Braces) => self.at += size,
            '#' if self.word.is_none() => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
            '\n' => {
                self.separator();
                self.bodies();
            }
            ';' | '&' | '|' => self.separator(),
            '(' => {
                // Also the list of an array, which is part of its assignment.
                self.separator();
                self.inside.push(Inside::Parens);
            }
            ')' => {
                self.separator();
                if self.inside.last() == Some(&Inside::Parens) {
                    self.inside.pop();
                }
            }
            '<' if self.rest().starts_with("<<<") => {
                self.end_word();
                self.at += 3;
            }
            '<' if self.rest().starts_with("<<") => self.document(),
            char if char.is_whitespace() => {
                self.end_word();
                self.at += size;
            }
            _ => self.letter(size),
        }
        true
    }

    fn skip_escaped(&mut self) {
        if self.word.is_none() && !self.rest().starts_with("\\\n") {
            self.word = Some(self.at);
        }
        let mut chars = self.rest().chars();
        self.at += chars.by_ref().take(2).map(char::len_utf8).sum::<usize>();
    }

    fn toggle(&mut self, what: Inside) {
        self.word.get_or_insert(self.at);
        self.at += 1;
        if self.inside.last() == Some(&what) {
            self.inside.pop();
        } else {
            self.inside.push(what);
        }
    }

    fn pop(&mut self, what: Inside) {
        if self.inside.last() == Some(&what) {
            self.inside.pop();
        }
        self.at += 1;
    }

    fn single_quotes(&mut self) {
        self.word.get_or_insert(self.at);
        let body = &self.text[self.at + 1..];
        self.at += body.find('\'').map_or(body.len() + 1, |end| end + 2);
    }

    /// A plain character of a word: at its beginning there may be an assignment.
    fn letter(&mut self, size: usize) {
        if self.word.is_none() {
            self.word = Some(self.at);
            let length = name_length(self.rest());
            let after = &self.rest()[length..];
            let after = match after.strip_prefix('[').and_then(|subscript| subscript.split_once(']')) {
                Some((_, after)) => after,
                None => after,
            };
            if length > 0 && (after.starts_with('=') || after.starts_with("+=")) {
                self.pending = Some(self.rest()[..length].to_owned());
                self.at += length;
                return;
            }
        }
        self.at += size;
    }

    /// The word is complete: what it sets is set, and what it says of the next word is known.
    fn end_word(&mut self) {
        if let Some(name) = self.pending.take() {
            self.scan.set.insert(name);
        }
        let Some(start) = self.word.take() else { return };
        let word = &self.text[start..self.at];
        match (self.command, word) {
            (_, "source" | "." | "eval" | "+u" | "+ue") => self.silent = true,
            (_, "for" | "select" | "-v") => self.command = Command::Next,
            (_, "read" | "mapfile" | "readarray") => self.command = Command::Reads,
            (Command::Reads | Command::Next, word) if !word.is_empty() && name_length(word) == word.len() => {
                self.scan.set.insert(word.to_owned());
                if self.command == Command::Next {
                    self.command = Command::Other;
                }
            }
            _ => {}
        }
    }

    fn separator(&mut self) {
        self.end_word();
        self.command = Command::Other;
        self.at += 1;
    }

    fn dollar(&mut self) {
        self.word.get_or_insert(self.at);
        self.at += 1;
        let length = name_length(self.rest());
        if length > 0 {
            let name = self.rest()[..length].to_owned();
            self.used(name, self.at, false);
            self.at += length;
        } else if self.rest().starts_with('{') {
            self.at += 1;
            self.braces();
        } else if self.rest().starts_with('(') {
            // A command of its own; the word goes on behind it.
            self.at += 1;
            self.inside.push(Inside::Parens);
        } else if self.rest().starts_with('\'') && !self.quoted() {
            let mut escaped = false;
            let end = self.rest()[1..].find(|char| {
                let ends = char == '\'' && !escaped;
                escaped = char == '\\' && !escaped;
                ends
            });
            self.at += end.map_or(self.rest().len(), |end| end + 2);
        } else {
            // `$?`, `$1` and their like.
            self.at += self.rest().chars().next().filter(|char| *char != '"').map_or(0, char::len_utf8);
        }
    }

    /// Behind `${`.
    fn braces(&mut self) {
        self.inside.push(Inside::Braces);
        let length_of = self.rest().starts_with('#');
        if self.rest().starts_with(['#', '!']) {
            self.at += 1;
        }
        let length = name_length(self.rest());
        if length == 0 {
            return;
        }
        let (name, at) = (self.rest()[..length].to_owned(), self.at);
        self.at += length;
        if self.rest().starts_with('[') {
            self.at += self.rest().find(']').map_or(1, |end| end + 1);
        }
        let operator = self.rest().strip_prefix(':').unwrap_or(self.rest()).chars().next().unwrap_or(' ');
        // `${NAME:1}` is a part of the value, `${NAME: -1}` too.
        match operator {
            '-' | '+' if !length_of => drop(self.scan.guarded.insert(name)),
            '=' if !length_of => drop(self.scan.set.insert(name)),
            '?' => self.used(name, at, true),
            _ => self.used(name, at, false),
        }
    }

    fn used(&mut self, name: String, at: usize, demanded: bool) {
        let set = self.known.contains(&name) || self.scan.set.contains(&name) || self.scan.guarded.contains(&name);
        if !set && !self.silent && !self.scan.uses.iter().any(|other| other.name == name) {
            self.scan.uses.push(Use { name, at, demanded });
        }
    }

    /// At `<<`: its word says where the body ends.
    fn document(&mut self) {
        self.end_word();
        self.at += 2;
        if self.rest().starts_with('-') {
            self.at += 1;
        }
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        let end = self.rest().find(|char: char| char.is_whitespace() || ";&|)".contains(char));
        let word = self.rest()[..end.unwrap_or(self.rest().len())].to_owned();
        self.at += word.len();
        let bare: String = word.chars().filter(|char| !"'\"\\".contains(*char)).collect();
        self.documents.push((bare.clone(), bare != word));
    }

    /// At the beginning of a line: the bodies of here-documents.
    fn bodies(&mut self) {
        for (end, quoted) in std::mem::take(&mut self.documents) {
            let start = self.at;
            let mut stop = self.text.len();
            let mut next = self.text.len();
            let mut at = start;
            for line in self.text[start..].split_inclusive('\n') {
                if line.trim_end_matches('\n').trim_start_matches('\t') == end {
                    (stop, next) = (at, at + line.len());
                    break;
                }
                at += line.len();
            }
            if !quoted {
                self.body(start, stop);
            }
            self.at = next;
        }
    }

    /// Variables in the body of a here-document.
    fn body(&mut self, start: usize, stop: usize) {
        self.at = start;
        let outer = std::mem::replace(&mut self.inside, vec![Inside::Quotes]);
        let word = self.word.take();
        while self.at < stop {
            // A quote is a character like others there.
            if self.rest().starts_with('"') && self.quoted() {
                self.at += 1;
            } else {
                self.step();
            }
        }
        (self.inside, self.word) = (outer, word);
    }
}
