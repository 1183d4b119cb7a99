//! The order of migrations: by the numbers in their names, as people count.

use std::cmp::Ordering;

/// Compares two names so that digit runs count as numbers: `2_b` comes before `10_a`.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    loop {
        let (x, y) = match (left.first(), right.first()) {
            (None, None) => return a.cmp(b),
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some(x), Some(y)) => (*x, *y),
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let ((m, after_m), (n, after_n)) = (number(left), number(right));
            // Without their leading zeros, the longer number is the larger.
            let order = m.len().cmp(&n.len()).then(m.cmp(n));
            if order != Ordering::Equal {
                return order;
            }
            (left, right) = (after_m, after_n);
        } else if x == y {
            (left, right) = (&left[1..], &right[1..]);
        } else {
            return x.cmp(&y);
        }
    }
}

/// The digits at the beginning without their leading zeros, and the rest.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let zeros = digits.iter().position(|b| *b != b'0').unwrap_or(digits.len());
    (&digits[zeros..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_and_ties_are_broken_by_text() {
        let mut names = ["10_a", "2_b", "1_c", "2_a", "0002_a", "20240101_x", "V9.a", "V0010.b"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["1_c", "0002_a", "2_a", "2_b", "10_a", "20240101_x", "V9.a", "V0010.b"]);
    }
}
