//! What looks like a secret (R09, R35).
//!
//! Owns: the forms of keys, tokens and connection strings with a password. Must not: repeat what it found:
//! a finding is a kind and a line, never the value.
//!
//! ```
//! use fix7_ledger::judge::secret;
//! let dsn = format!("postgres://app:{}@db/orders", "x7");
//! assert_eq!(secret::find(dsn.as_bytes())[0].kind, "a connection string with a password");
//! assert!(secret::find(b"postgres://app@db/orders").is_empty());
//! ```

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// A place that looks like a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it looks like.
    pub kind: &'static str,
    /// The line, from 1.
    pub line: usize,
}

/// A token by its beginning: what it is, how it begins, how many of which characters follow at least.
type TokenForm = (&'static str, &'static str, usize, fn(u8) -> bool);

const WORD: fn(u8) -> bool = |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
const UPPER: fn(u8) -> bool = |b| b.is_ascii_uppercase() || b.is_ascii_digit();

const TOKENS: &[TokenForm] = &[
    ("an AWS access key", "AKIA", 16, UPPER),
    ("an AWS access key", "ASIA", 16, UPPER),
    ("a GitHub token", "ghp_", 30, WORD),
    ("a GitHub token", "gho_", 30, WORD),
    ("a GitHub token", "ghu_", 30, WORD),
    ("a GitHub token", "ghs_", 30, WORD),
    ("a GitHub token", "ghr_", 30, WORD),
    ("a GitHub token", "github_pat_", 20, WORD),
    ("a GitLab token", "glpat-", 16, WORD),
    ("a Slack token", "xoxb-", 10, WORD),
    ("a Slack token", "xoxa-", 10, WORD),
    ("a Slack token", "xoxp-", 10, WORD),
    ("a Slack token", "xoxr-", 10, WORD),
    ("a Slack token", "xoxs-", 10, WORD),
    ("a payment key", "sk_live_", 16, WORD),
    ("a payment key", "rk_live_", 16, WORD),
    ("an API key", "AIza", 30, WORD),
    ("an API key", "sk-ant-", 20, WORD),
    ("an API key", "sk-proj-", 20, WORD),
    ("an npm token", "npm_", 30, WORD),
    ("a package registry token", "cio", 32, WORD),
    ("an age secret key", "AGE-SECRET-KEY-1", 20, UPPER),
    ("a signed token", "eyJhbGciOi", 20, |b| WORD(b) || b == b'.'),
];

/// `key=value` pairs of connection strings and environments that hold a secret.
const PAIRS: &[&str] =
    &["pgpassword=", "password=", "passwd=", "pwd=", "secret=", "token=", "api_key=", "apikey="];
/// What a connection string in `key=value` form also has.
const CONNECTION_WORDS: &[&str] = &["host=", "dbname=", "user=", "server=", "sslmode=", "pgpassword="];

/// What every form has in it, in any case: a line without any of these holds no secret, and most lines have none.
static TRIGGERS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let starts = TOKENS.iter().map(|(_, start, ..)| *start);
    let words = starts.chain(PAIRS.iter().copied()).chain(["-----BEGIN ", "://"]);
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).expect("few and short patterns")
});

/// Everything in `bytes` that looks like a secret.
pub fn find(bytes: &[u8]) -> Vec<Finding> {
    if !TRIGGERS.is_match(bytes) {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().enumerate().filter(|(_, line)| TRIGGERS.is_match(*line));
    lines
        .flat_map(|(n, line)| kinds(line).into_iter().map(move |kind| Finding { kind, line: n + 1 }))
        .collect()
}

/// As [`find`], for one argument: there, `password=…` stands alone too.
pub fn in_argument(text: &str) -> Option<&'static str> {
    if !TRIGGERS.is_match(text) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let pair = PAIRS.iter().any(|pair| has_value(&lower, pair));
    kinds(text).first().copied().or(pair.then_some("a password or token"))
}

fn kinds(line: &str) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    let upper = line.to_ascii_uppercase();
    if upper.contains("-----BEGIN ") && upper.contains("PRIVATE KEY") {
        kinds.push("a private key");
    }
    for (kind, start, most, of) in TOKENS {
        let begins = |at: usize| at == 0 || !WORD(line.as_bytes()[at - 1]);
        let long =
            |at: usize| line.as_bytes()[at + start.len()..].iter().take_while(|b| of(**b)).count() >= *most;
        if line.match_indices(start).any(|(at, _)| begins(at) && long(at)) {
            kinds.push(*kind);
        }
    }
    let lower = line.to_ascii_lowercase();
    let connection = CONNECTION_WORDS.iter().any(|word| lower.contains(word));
    if url_with_password(line) || (connection && PAIRS.iter().any(|pair| has_value(&lower, pair))) {
        kinds.push("a connection string with a password");
    }
    kinds
}

/// `scheme://user:password@host`, where the password is not empty and not a placeholder.
fn url_with_password(line: &str) -> bool {
    line.match_indices("://").any(|(at, _)| {
        let rest = &line[at + 3..];
        let end = rest.find(['/', ' ', '"', '\'', '`', '<', '>', '?', '#']).unwrap_or(rest.len());
        let Some((user, _)) = rest[..end].rsplit_once('@') else { return false };
        user.split_once(':').is_some_and(|(_, password)| !placeholder(password))
    })
}

fn has_value(lower: &str, pair: &str) -> bool {
    lower.match_indices(pair).any(|(at, _)| {
        let value = &lower[at + pair.len()..];
        let value = value.trim_start_matches(['\'', '"']);
        let end = value.find([' ', '\'', '"', ';', '&', ',']).unwrap_or(value.len());
        !placeholder(&value[..end])
    })
}

/// Nothing, stars, or the name of a variable: what a document writes where the secret would be.
fn placeholder(value: &str) -> bool {
    value.is_empty() || value.chars().all(|c| c == '*' || c == 'x') || value.starts_with(['$', '{', '<', '%'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_without_a_trigger_is_of_any_kind() {
        let tokens = TOKENS.iter().map(|(_, start, most, of)| {
            let letter = (b'0'..=b'z').find(|b| of(*b)).expect("a letter of the form");
            format!("{start}{}", char::from(letter).to_string().repeat(*most))
        });
        let pairs = PAIRS.iter().map(|pair| format!("HOST=h {}v", pair.to_ascii_uppercase()));
        let others = ["-----begin x private key-----", "a://u:p@h"].map(str::to_owned);
        for line in tokens.chain(pairs).chain(others) {
            assert!(!kinds(&line).is_empty(), "{line} is of a kind");
            assert!(!find(line.as_bytes()).is_empty(), "{line} is found");
            for cut in 0..line.len() {
                let shorter = &line[cut..];
                assert!(kinds(shorter).is_empty() || TRIGGERS.is_match(shorter), "{shorter}");
            }
        }
    }

    #[test]
    fn r35_secrets_are_found_and_their_twins_are_not() {
        let filled = |start: &str, n: usize| format!("{start}{}", "A1".repeat(n));
        let pairs = [
            (filled("AKIA", 8), filled("AKIA", 4)),
            (filled("ghp_", 18), "ghp_short".to_owned()),
            (filled("github_pat_", 18), filled("mygithub_pat_", 18)),
            (format!("-----BEGIN {} PRIVATE KEY-----", "OPENSSH"), "-----BEGIN PUBLIC KEY-----".to_owned()),
            (format!("postgres://u:{}@h/d", "pw1"), "postgres://u@h/d".to_owned()),
            (format!("postgres://u:{}@h/d", "pw1"), "postgres://u:***@h/d".to_owned()),
            (format!("host=h user=u password={}", "pw1"), "host=h user=u password=$PGPASSWORD".to_owned()),
            (format!("host=h password={}", "pw1"), "UPDATE users SET password=hash WHERE id=1".to_owned()),
        ];
        for (bad, good) in pairs {
            let text = format!("first\n{bad}\n");
            assert_eq!(find(text.as_bytes()).first().map(|f| f.line), Some(2), "{bad}");
            assert_eq!(find(good.as_bytes()), [], "{good}");
        }
        assert!(in_argument(&format!("--token={}", "abc")).is_some());
        assert!(in_argument("--token=$TOKEN").is_none());
    }

    #[test]
    fn a_token_stands_alone_and_holds_the_characters_of_its_form() {
        let token = format!("ghp_{}", "a".repeat(30));
        for before in [" ", "key: ", "\"", "="] {
            assert_eq!(find(format!("{before}{token}").as_bytes()).len(), 1, "{before}");
        }
        for before in ["my", "x_", "x-"] {
            assert_eq!(find(format!("{before}{token}").as_bytes()), [], "{before}");
        }
        for joint in ["_", "-"] {
            assert_eq!(
                find(format!("ghp_{}", format!("a{joint}").repeat(15)).as_bytes()).len(),
                1,
                "{joint}"
            );
        }
        assert_eq!(find(format!("ghp_{}", "a.".repeat(15)).as_bytes()), []);
        assert_eq!(find(format!("eyJhbGciOi{}", "a.".repeat(10)).as_bytes()).len(), 1);
        assert_eq!(find(format!("eyJhbGciOi{}", "a,".repeat(10)).as_bytes()), []);
    }
}
