//! The terminal that an answer is read on: fitting text into its width, and moments as somebody who looks at it now
//! would say them. Where the answer goes to a file or a pipe nothing is fitted and every moment is written out.
//!
//! Owns: the width of texts, with colours counting nothing. Must not: read the clock or the terminal (`surroundings`
//! does), know what a text says.
//!
//! ```text
//! width 24   note  a sentence about   a word that is too long for a line of its own
//!                  an entry           is cut with `…`; nothing is broken in two
//! ```

use unicode_width::UnicodeWidthChar;

use super::surroundings;
use crate::time::Timestamp;

/// Stands where something was cut off.
const CUT: char = '…';
/// Columns by which the continuation of a line is indented further than its beginning.
const HANGING: usize = 4;

/// The columns that a text takes on a terminal; escape sequences of colours take none.
pub(super) fn width(text: &str) -> usize {
    visible(text).map(|(_, columns)| columns).sum()
}

/// Each character with the columns that it takes.
fn visible(text: &str) -> impl Iterator<Item = (char, usize)> + '_ {
    let mut in_escape = false;
    text.chars().map(move |c| match (in_escape, c) {
        (false, '\u{1b}') => {
            in_escape = true;
            (c, 0)
        }
        (true, c) => {
            in_escape = !c.is_ascii_alphabetic();
            (c, 0)
        }
        (false, c) => (c, c.width().unwrap_or(0)),
    })
}

/// At most so many columns of a text, with `…` where something is missing. Colours that begin in what is left end in it.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (mut kept, mut taken, mut full) = (String::new(), 0, false);
    for (c, own) in visible(text) {
        let escape = own == 0 && (c == '\u{1b}' || c.is_ascii());
        if !full && taken + own > columns.saturating_sub(1) {
            full = true;
            kept.extend((columns > 0).then_some(CUT));
        }
        if !full || escape {
            kept.push(c);
            taken += own;
        }
    }
    kept
}

/// A text whose lines take at most so many columns: broken between words, the rest of a line indented under it.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| fit_line(line, columns)).collect();
    lines.join("\n")
}

fn fit_line(line: &str, columns: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    let indent = line.len() - line.trim_start_matches(' ').len();
    let hanging = hanging(line, indent).min(columns / 2);
    let mut fitted = " ".repeat(indent.min(columns / 2));
    let (mut taken, mut spaces, mut fresh) = (fitted.len(), 0, true);
    for word in line[indent..].split(' ') {
        let own = width(word);
        if word.is_empty() {
            spaces += 1;
            continue;
        }
        // Alone at the beginning of a line a word gains nothing from another one.
        if !fresh && taken + spaces + own > columns {
            fitted.push('\n');
            fitted.push_str(&" ".repeat(hanging));
            taken = hanging;
        } else if !fresh {
            fitted.push_str(&" ".repeat(spaces));
            taken += spaces;
        }
        let shown = cut(word, columns.saturating_sub(taken));
        fitted.push_str(&shown);
        taken += width(&shown);
        (spaces, fresh) = (1, false);
    }
    fitted
}

/// Where the rest of a line begins: under what stands behind a name and at least two spaces, else a little further in.
fn hanging(line: &str, indent: usize) -> usize {
    let behind = line[indent..].find("  ").map(|at| {
        let value = line[indent + at..].trim_start_matches(' ');
        width(&line[..line.len() - value.len()])
    });
    behind.unwrap_or(indent + HANGING)
}

/// A moment: as long ago as it is where somebody looks at a terminal, written out elsewhere.
pub(super) fn when(time: Timestamp) -> String {
    match surroundings::window().and_then(|_| surroundings::now().ok()) {
        Some(now) => ago(now, time),
        None => time.to_string(),
    }
}

fn ago(now: Timestamp, time: Timestamp) -> String {
    match now.unix_seconds() - time.unix_seconds() {
        ahead @ ..0 => format!("in {}", shown_age(-ahead)),
        0..10 => "just now".to_owned(),
        since => format!("{} ago", shown_age(since)),
    }
}

/// A length of time in its largest unit of which there are at least two.
pub(super) fn shown_age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        172_800..63_072_000 => format!("{} days", seconds / 86_400),
        _ => format!("{} years", seconds / 31_536_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_columns_and_wide_letters_two() {
        assert_eq!(width("\u{1b}[31mred\u{1b}[0m"), 3);
        assert_eq!(width("漢字"), 4);
        assert_eq!(cut("\u{1b}[31mhostile\u{1b}[0m", 4), "\u{1b}[31mhos…\u{1b}[0m");
        assert_eq!(cut("漢字漢字", 4), "漢…", "half of a wide letter is none");
        assert_eq!((cut("fits", 4).as_str(), cut("", 0).as_str(), cut("x", 0).as_str()), ("fits", "", ""));
    }

    #[test]
    fn lines_break_between_words_and_what_is_too_long_is_cut() {
        let text = "  note    a sentence about an entry\nshort";
        assert_eq!(fit(text, 20), "  note    a sentence\n          about an\n          entry\nshort");
        assert_eq!(fit("  one two three four", 12), "  one two\n      three\n      four");
        assert_eq!(fit(text, 200), text);
        assert_eq!(fit("leaf 0123456789abcdef", 12), "leaf\n    0123456…");
        assert_eq!(fit("  leaf  0123456789abcdef", 12), "  leaf\n      01234…");
        assert_eq!(fit("0123456789abcdef", 8), "0123456…");
        for columns in 1..40 {
            let longest = fit(text, columns).lines().map(width).max();
            assert!(longest <= Some(columns), "{columns}: {longest:?}");
        }
    }

    #[test]
    fn moments_are_told_as_somebody_would() {
        let at = |seconds| Timestamp::from_unix_seconds(seconds).expect("in range");
        let now = 1_800_000_000;
        let cases = [
            (0, "just now"),
            (90, "90 s ago"),
            (3_600, "60 min ago"),
            (86_400, "24 h ago"),
            (300 * 86_400, "300 days ago"),
            (5 * 31_536_000, "5 years ago"),
            (-600, "in 10 min"),
        ];
        for (before, words) in cases {
            assert_eq!(ago(at(now), at(now - before)), words);
        }
    }
}
