//! A quick look at whether bytes are canonical, without building the value.
//!
//! Owns: a scanner that says yes to the usual documents alone: printable ASCII, and beyond it only what is plainly
//! NFC. Must not: say yes to anything that the strict reader refuses or would write in another way; whatever it does
//! not know (an odd escape, a name beyond ASCII, the last level of depth) is the strict reader's, which gives the reason.
//!
//! ```text
//! bytes ─ is_canonical? ─ yes ─► the type's own reader          one pass, no allocation
//!                       └ no ──► strict value ─► written again ─► compared
//! ```

use unicode_normalization::{IsNormalized, is_nfc_quick};

use super::{MAX_BYTES, MAX_DEPTH, MAX_INTEGER};

/// Whether the bytes are certainly a canonical document.
pub(super) fn is_canonical(bytes: &[u8]) -> bool {
    // Between two quotation marks text is normalized as it is alone: they are ASCII, and nothing composes with them.
    let plain = bytes.is_ascii()
        || std::str::from_utf8(bytes).is_ok_and(|t| is_nfc_quick(t.chars()) == IsNormalized::Yes);
    if bytes.len() > MAX_BYTES || !plain {
        return false;
    }
    let mut scan = Scan { rest: bytes };
    scan.value(0).is_some() && scan.rest.is_empty()
}

/// What is left to look at. Every step gives `None` where it is not certain.
struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    fn value(&mut self, depth: usize) -> Option<()> {
        match *self.rest.first()? {
            b'"' => self.text().map(drop),
            b'{' if depth + 1 < MAX_DEPTH => self.object(depth + 1),
            b'[' if depth + 1 < MAX_DEPTH => self.array(depth + 1),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'0' => self.word(b"0"),
            b'1'..=b'9' => self.integer(),
            _ => None,
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.word(b"{")?;
        if self.word(b"}").is_some() {
            return Some(());
        }
        let mut before: Option<&[u8]> = None;
        loop {
            let name = self.text()?;
            let sorted = before.is_none_or(|before| before < name);
            if !sorted || !name.is_ascii() || name.contains(&b'\\') {
                return None;
            }
            before = Some(name);
            self.word(b":")?;
            self.value(depth)?;
            if self.word(b"}").is_some() {
                return Some(());
            }
            self.word(b",")?;
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.word(b"[")?;
        if self.word(b"]").is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            if self.word(b"]").is_some() {
                return Some(());
            }
            self.word(b",")?;
        }
    }

    /// What stands between the quotation marks.
    fn text(&mut self) -> Option<&'a [u8]> {
        let inner = self.rest.strip_prefix(b"\"")?;
        let mut at = 0;
        loop {
            match *inner.get(at)? {
                b'"' => break,
                b'\\' => match *inner.get(at + 1)? {
                    b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                    _ => return None,
                },
                0..=0x1f | 0x7f => return None,
                _ => at += 1,
            }
        }
        self.rest = &inner[at + 1..];
        Some(&inner[..at])
    }

    fn integer(&mut self) -> Option<()> {
        let digits = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at(digits);
        let number: u64 = std::str::from_utf8(number).ok()?.parse().ok()?;
        self.rest = rest;
        (number <= MAX_INTEGER).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }
}
