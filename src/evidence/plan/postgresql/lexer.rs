//! The tokens of a PostgreSQL script, as far as they matter here: words, and where a quoted text ends.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or a plain name: from, to.
    Word(usize, usize),
    /// Any other byte; a whole quoted text or name is one.
    Byte(u8),
}

pub(super) struct Lexer<'a> {
    text: &'a [u8],
    /// Where the last token begins.
    pub(super) from: usize,
    /// Where it ends.
    pub(super) at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn of(text: &'a str) -> Lexer<'a> {
        Lexer { text: text.as_bytes(), from: 0, at: 0 }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The next token; comments and white space are passed over.
    pub(super) fn next(&mut self) -> Option<Token> {
        loop {
            self.from = self.at;
            let byte = *self.text.get(self.at)?;
            match (byte, self.peek(1)) {
                (b'-', b'-') => self.skip_past(|text, at| text[at] == b'\n', 1),
                (b'/', b'*') => self.comment(),
                (b'\'', _) => return Some(self.quoted(b'\'', false)),
                (b'"', _) => return Some(self.quoted(b'"', false)),
                (b'e' | b'E', b'\'') => {
                    self.at += 1;
                    return Some(self.quoted(b'\'', true));
                }
                (b'$', _) => return Some(self.dollar()),
                _ if byte.is_ascii_whitespace() => self.at += 1,
                _ if is_name(byte) && !byte.is_ascii_digit() => {
                    let from = self.at;
                    while is_name(self.peek(0)) || self.peek(0) == b'$' {
                        self.at += 1;
                    }
                    return Some(Token::Word(from, self.at));
                }
                // A number: `1e'x'` is no text with escapes.
                _ if byte.is_ascii_digit() => {
                    while is_name(self.peek(0)) {
                        self.at += 1;
                    }
                    return Some(Token::Byte(byte));
                }
                _ => {
                    self.at += 1;
                    return Some(Token::Byte(byte));
                }
            }
        }
    }

    fn skip_past(&mut self, end: impl Fn(&[u8], usize) -> bool, length: usize) {
        while self.at < self.text.len() && !end(self.text, self.at) {
            self.at += 1;
        }
        self.at = (self.at + length).min(self.text.len());
    }

    /// A comment, with those inside of it.
    fn comment(&mut self) {
        let mut depth = 0usize;
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => (depth, self.at) = (depth + 1, self.at + 2),
                (b'*', b'/') => (depth, self.at) = (depth - 1, self.at + 2),
                _ => self.at += 1,
            }
            if depth == 0 {
                break;
            }
        }
        self.at = self.at.min(self.text.len());
    }

    fn quoted(&mut self, quote: u8, escapes: bool) -> Token {
        self.at += 1;
        while self.at < self.text.len() {
            match self.peek(0) {
                b'\\' if escapes => self.at += 2,
                byte if byte == quote && self.peek(1) == quote => self.at += 2,
                byte if byte == quote => break,
                _ => self.at += 1,
            }
        }
        self.at = (self.at + 1).min(self.text.len());
        Token::Byte(quote)
    }

    /// `$tag$ … $tag$`, or a lone `$`.
    fn dollar(&mut self) -> Token {
        let from = self.at;
        let mut end = from + 1;
        while self.text.get(end).is_some_and(|byte| is_name(*byte)) {
            end += 1;
        }
        let digit = self.text.get(from + 1).is_some_and(u8::is_ascii_digit);
        if self.text.get(end) != Some(&b'$') || digit {
            self.at += 1;
            return Token::Byte(b'$');
        }
        let tag = &self.text[from..=end];
        self.at = end + 1;
        self.skip_past(|text, at| text[at..].starts_with(tag), tag.len());
        Token::Byte(b'$')
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
