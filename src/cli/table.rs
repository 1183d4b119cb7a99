//! Tables for people: columns that fit the terminal, and where it is too narrow for columns, one paragraph a row.
//!
//! Owns: the layout. Must not: let a cell's text steer the terminal: every cell is escaped here.
//!
//! ```text
//! width 60    #  WHEN      KIND       NAME                BY     (columns shrink, the widest first, and say so with …)
//! width 30   #3  when 2 h ago
//!              kind rehearsal
//! ```

use owo_colors::OwoColorize;

use super::answer::escaped;
use super::screen::{cut, width};
use super::surroundings;

/// No column is made narrower than this, nor than its name: a row is a paragraph then.
const NARROWEST: usize = 8;
/// Spaces before the first column, and between two.
const MARGIN: usize = 1;
const GAP: usize = 2;

/// How a cell is to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// Rarely looked at.
    Quiet,
    /// As it should be.
    Good,
    /// Not settled yet.
    Open,
    /// Something speaks against it.
    Bad,
}

/// A text in a tone.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Cell {
        // A cell is one line whatever stands in it.
        Cell { text: escaped(text.as_ref()).replace(['\n', '\t'], " "), tone: Tone::Plain }
    }
}

impl Cell {
    /// The text in this tone.
    pub(super) fn toned(text: impl AsRef<str>, tone: Tone) -> Cell {
        Cell { tone, ..Cell::from(text) }
    }

    fn painted(&self, text: &str) -> String {
        paint(text, self.tone)
    }
}

/// Colours a text; whether they are shown is decided where it is printed.
pub(super) fn paint(text: &str, tone: Tone) -> String {
    match tone {
        _ if text.is_empty() => String::new(),
        Tone::Plain => text.to_owned(),
        Tone::Quiet => text.dimmed().to_string(),
        Tone::Good => text.green().to_string(),
        Tone::Open => text.yellow().to_string(),
        Tone::Bad => text.red().bold().to_string(),
    }
}

/// Rows of as many cells as there are columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table whose columns have these names.
    pub(super) fn headed(head: impl IntoIterator<Item = &'static str>) -> Table {
        Table { head: head.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn add_row<C: Into<Cell>>(&mut self, row: impl IntoIterator<Item = C>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }

    /// The table as wide as the terminal lets it be; as wide as it is where there is none.
    pub(super) fn fitted(&self) -> String {
        self.within(surroundings::window().map(|window| window.columns))
    }

    fn within(&self, columns: Option<usize>) -> String {
        let natural = self.widths();
        let Some(columns) = columns else { return self.columns(&natural) };
        let least: Vec<usize> = (0..natural.len())
            .map(|n| self.head.get(n).map_or(0, |name| width(name)).max(NARROWEST).min(natural[n]))
            .collect();
        match shrunk(&natural, &least, columns) {
            Some(widths) => self.columns(&widths),
            None => self.paragraphs(columns),
        }
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.head.iter().map(|name| width(name)).collect();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            row.iter().zip(&mut widths).for_each(|(cell, most)| *most = width(&cell.text).max(*most));
        }
        widths
    }

    fn columns(&self, widths: &[usize]) -> String {
        let head: Vec<Cell> = self.head.iter().map(|name| Cell::toned(name, Tone::Quiet)).collect();
        let rows = (!head.is_empty()).then_some(&head).into_iter().chain(&self.rows);
        let lines: Vec<String> = rows.map(|row| line(row, widths)).collect();
        lines.join("\n")
    }

    /// Each row as a paragraph: what does not fit behind the cell before stands below it.
    fn paragraphs(&self, columns: usize) -> String {
        let mut lines = Vec::new();
        for row in &self.rows {
            let (mut current, mut taken) = (String::new(), 0);
            for (n, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.text.is_empty()) {
                let name = self.head.get(n).filter(|_| n > 0).map(|name| format!("{} ", name.to_lowercase()));
                let name = name.unwrap_or_default();
                let (before, indent) = if taken == 0 { (0, 0) } else { (GAP, MARGIN + GAP) };
                let mut room = columns.saturating_sub(taken + before);
                if taken > 0 && width(&name) + width(&cell.text) > room {
                    lines.push(std::mem::replace(&mut current, " ".repeat(indent)));
                    taken = indent;
                    room = columns.saturating_sub(indent);
                } else {
                    current.push_str(&" ".repeat(before));
                    taken += before;
                }
                let text = cut(&cell.text, room.saturating_sub(width(&name)));
                taken += width(&name) + width(&text);
                current.push_str(&cut(&paint(&name, Tone::Quiet), columns));
                current.push_str(&cell.painted(&text));
            }
            lines.push(current);
        }
        lines.join("\n")
    }
}

/// One row; nothing follows its last letter.
fn line(row: &[Cell], widths: &[usize]) -> String {
    let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
    let mut text = " ".repeat(MARGIN);
    for (n, (cell, columns)) in row.iter().zip(widths).enumerate().take(last + 1) {
        let shown = cut(&cell.text, *columns);
        text.push_str(&cell.painted(&shown));
        if n < last {
            text.push_str(&" ".repeat(columns - width(&shown) + GAP));
        }
    }
    text
}

/// Widths that fit together: the widest columns give way first. `None` where that would leave too little of them.
fn shrunk(natural: &[usize], least: &[usize], columns: usize) -> Option<Vec<usize>> {
    let between = MARGIN + GAP * natural.len().saturating_sub(1);
    let room = columns.checked_sub(between)?;
    let mut widths = natural.to_vec();
    while widths.iter().sum::<usize>() > room {
        let wide = widths.iter_mut().zip(least).filter(|(width, least)| **width > **least);
        *wide.max_by_key(|(width, _)| **width)?.0 -= 1;
    }
    Some(widths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::headed(["#", "KIND", "NAME"]);
        table.add_row(["1", "grant", "grant-1"]);
        table.add_row(["12", "rehearsal", "delivery-windows-2"]);
        table.add_row(["13", "", ""]);
        table
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn columns_keep_their_width_give_way_or_become_paragraphs() {
        let whole = " #   KIND       NAME\n 1   grant      grant-1\n 12  rehearsal  delivery-windows-2\n 13";
        assert_eq!(plain(&sample().within(None)), whole);
        assert_eq!(plain(&sample().within(Some(80))), whole);
        let narrow = plain(&sample().within(Some(28)));
        assert!(narrow.ends_with(" 12  rehearsal  delivery-wi…\n 13"), "{narrow}");
        let stacked = plain(&sample().within(Some(20)));
        let expected = "1  kind grant\n   name grant-1\n12  kind rehearsal\n   name delivery-wi…\n13";
        assert_eq!(stacked, expected);
        for columns in 12..60 {
            let longest = plain(&sample().within(Some(columns))).lines().map(width).max();
            assert!(longest <= Some(columns), "{columns}");
        }
    }

    #[test]
    fn a_cell_is_one_line_and_steers_nothing() {
        let mut table = Table::default();
        table.add_row(["a\u{1b}[2J\nb", "c"]);
        assert_eq!(plain(&table.within(None)), " a\\u{1b}[2J b  c");
    }
}
