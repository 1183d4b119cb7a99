//! The words of a stored CREATE text: enough to tell texts apart that mean the same. No grammar.
//!
//! White space and comments separate words and vanish; quotes around an identifier vanish; letters that are
//! not inside of a string fold to lower case. Broken texts give words too: nothing is refused here.

/// One word of SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rehearse) enum Word {
    /// An identifier or a keyword, in lower case.
    Name(String),
    /// A string or blob literal, with its text.
    Text(String),
    /// A number.
    Number(String),
    /// Any other character.
    Sign(char),
}

/// Whether the text begins with these keywords.
pub(in crate::rehearse) fn begins_with(sql: &str, keywords: &[&str]) -> bool {
    let mut words = Words::new(sql);
    keywords.iter().all(|k| matches!(words.next(), Some(Word::Name(n)) if n.eq_ignore_ascii_case(k)))
}

/// The words of `sql`.
pub(in crate::rehearse) struct Words<'a> {
    rest: &'a str,
    /// Whether double quotes enclose strings.
    strings: bool,
}

impl<'a> Words<'a> {
    pub(in crate::rehearse) fn new(sql: &'a str) -> Words<'a> {
        Words { rest: sql, strings: false }
    }

    /// The words of an expression in which double quotes enclose strings, as SQLite takes them in a DEFAULT.
    pub(in crate::rehearse) fn with_strings(sql: &'a str) -> Words<'a> {
        Words { rest: sql, strings: true }
    }

    fn skip_space(&mut self) {
        loop {
            let rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
            self.rest = if let Some(comment) = rest.strip_prefix("--") {
                comment.find('\n').map_or("", |at| &comment[at..])
            } else if let Some(comment) = rest.strip_prefix("/*") {
                comment.find("*/").map_or("", |at| &comment[at + 2..])
            } else {
                self.rest = rest;
                return;
            };
        }
    }

    /// The text up to the closing quote; a doubled quote stands for itself.
    fn quoted(&mut self, close: char) -> String {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if c != close {
                text.push(c);
                continue;
            }
            match chars.peek() {
                Some((_, next)) if *next == close && close != ']' => {
                    text.push(c);
                    chars.next();
                }
                _ => {
                    self.rest = &self.rest[at + c.len_utf8()..];
                    return text;
                }
            }
        }
        self.rest = "";
        text
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        self.skip_space();
        let first = self.rest.chars().next()?;
        Some(match first {
            '"' if self.strings => Word::Text(self.quoted(first)),
            '"' | '`' => Word::Name(self.quoted(first).to_ascii_lowercase()),
            '[' => Word::Name(self.quoted(']').to_ascii_lowercase()),
            '\'' => Word::Text(self.quoted('\'')),
            '0'..='9' => Word::Number(self.take_while(|c| in_name(c) || c == '.').to_ascii_lowercase()),
            c if in_name(c) => Word::Name(self.take_while(in_name).to_ascii_lowercase()),
            sign => {
                self.rest = &self.rest[sign.len_utf8()..];
                Word::Sign(sign)
            }
        })
    }
}
