//! Admission: may this be asked of a rehearsal at all? (R30 to R35)
//!
//! Owns: what a request must not ask for, before anything is opened. Must not: resolve names or read files;
//! whoever calls gives every form of a name that it knows. Secrets are never echoed.
//!
//! ```text
//! source        every form of its name            PRODUCTION_TARGET
//! arguments     flags, values, free words         REAL_RUN_ APPLY_ CUTOVER_ CI_DEPLOY_FORBIDDEN  REQUEST_FORBIDDEN
//! environment   names, and FIX7_ values           the same
//! plan          plan.toml's keys and values       the same; every file for SECRETS_FORBIDDEN
//! ```
//!
//! ```
//! use fix7_ledger::judge::request::{self, Request};
//! use fix7_ledger::policy::Policy;
//! use fix7_ledger::verdict::Code;
//! let policy = Policy::default_policy();
//! let plain = Request { sources: vec!["/srv/copies/orders.db".into()], ..Request::default() };
//! assert!(request::judge(&policy, &plain).accepted());
//! let real = Request { arguments: vec!["--mode".into(), "Real-Run".into()], ..plain };
//! assert!(request::judge(&policy, &real).has(Code::RealRunForbidden));
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

use super::secret;
use crate::evidence::plan::PLAN_FILE;
use crate::packet::PLAN_FOLDER;
use crate::policy::{Policy, Surface, SurfaceKind};
use crate::verdict::{Code, Reason, Verdict};

/// Fields of `plan.toml` that quote fixed names or titles: they ask for nothing.
const QUOTED_FIELDS: [&str; 7] =
    ["macro.id", "macro.file", "kb.title", "kb.tags", "change.file", "rollback.file", "pattern.document"];
/// Fields that would name a database, were they there.
const TARGET_WORDS: [&str; 8] =
    ["source", "target", "database", "dsn", "host", "url", "connection", "server"];

/// What is asked of a rehearsal.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Every form of the source's name: as typed, with links resolved, the host's address.
    pub sources: Vec<String>,
    /// The arguments, without the paths that known options take.
    pub arguments: Vec<String>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// The plan's files.
    pub plan: BTreeMap<String, Vec<u8>>,
}

/// Every reason against the request. Secrets first: nothing of an argument that holds one is repeated.
pub fn judge(policy: &Policy, request: &Request) -> Verdict {
    let mut verdict = Verdict::default();
    let words = Wanted::of(policy);
    for source in &request.sources {
        verdict.merge(source_verdict(policy, source));
    }
    for (n, argument) in request.arguments.iter().enumerate() {
        verdict.merge(text_verdict(&words, &format!("argument {}", n + 1), argument));
    }
    for (name, value) in &request.environment {
        verdict.merge(variable_verdict(policy, &words, name, value));
    }
    verdict.merge(plan_verdict(policy, &request.plan));
    verdict
}

/// The plan's part alone: what a packet's reader can repeat.
pub fn plan_verdict(policy: &Policy, files: &BTreeMap<String, Vec<u8>>) -> Verdict {
    let mut verdict = Verdict::default();
    for (name, bytes) in files {
        for finding in secret::find(bytes) {
            let object = format!("{PLAN_FOLDER}{name}: line {}", finding.line);
            verdict.push(Reason::new(Code::SecretsForbidden, object).found(finding.kind));
        }
    }
    let text = files.get(PLAN_FILE).and_then(|bytes| std::str::from_utf8(bytes).ok());
    if let Some(table) = text.and_then(|text| toml::from_str::<toml::Table>(text).ok()) {
        walk(policy, &Wanted::of(policy), "", &toml::Value::Table(table), &mut verdict);
    }
    verdict
}

fn source_verdict(policy: &Policy, source: &str) -> Verdict {
    if let Some(kind) = secret::in_argument(source) {
        return Reason::new(Code::SecretsForbidden, "source").found(kind).into();
    }
    let plain: String = source.nfkc().collect();
    match policy.names_production(source).or_else(|| policy.names_production(&plain)) {
        Some(rule) => {
            Reason::new(Code::ProductionTarget, format_args!("source {}", shown(source))).found(rule).into()
        }
        None => Verdict::default(),
    }
}

fn text_verdict(wanted: &[Wanted<'_>], object: &str, text: &str) -> Verdict {
    if let Some(kind) = secret::in_argument(text) {
        return Reason::new(Code::SecretsForbidden, object).found(kind).into();
    }
    let mut verdict = Verdict::default();
    for surface in asked_for(wanted, text) {
        verdict.push(
            Reason::new(surface.reason, format_args!("{object}: {}", shown(text)))
                .found(format_args!("asks for {}", surface.id)),
        );
    }
    verdict
}

/// Any name that asks for a surface; a value only where the variable is this program's.
fn variable_verdict(policy: &Policy, wanted: &[Wanted<'_>], name: &str, value: &str) -> Verdict {
    let object = format!("environment {}", shown(name));
    let own = name.to_ascii_uppercase().starts_with("FIX7_");
    let squashed = squash(name);
    // Names of others hold such words for their own reasons (DEPLOY_KEY in a CI job): only the bare word asks.
    let mut verdict = Verdict::default();
    for Wanted { surface, words } in wanted {
        let bare = squashed.strip_prefix("fix7").unwrap_or(&squashed);
        let asks = words.iter().any(|Word { joined, .. }| bare == joined);
        if asks {
            verdict.push(Reason::new(surface.reason, &object).found(format_args!("asks for {}", surface.id)));
        }
    }
    let path = value.contains(['/', '\\']) && !squash(value).starts_with("qt001");
    if own && !path {
        verdict.merge(text_verdict(wanted, &object, value));
    } else if own && let Some(kind) = secret::in_argument(value) {
        verdict.push(Reason::new(Code::SecretsForbidden, object).found(kind));
    } else if own
        && value.contains("://")
        && let Some(rule) = policy.names_production(value)
    {
        verdict.push(Reason::new(Code::ProductionTarget, object).found(rule));
    }
    verdict
}

fn walk(policy: &Policy, wanted: &[Wanted<'_>], path: &str, value: &toml::Value, verdict: &mut Verdict) {
    if QUOTED_FIELDS.contains(&path) {
        return;
    }
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if !QUOTED_FIELDS.contains(&path.as_str()) {
                    verdict.merge(text_verdict(wanted, &format!("{PLAN_FOLDER}{PLAN_FILE}"), key));
                }
                walk(policy, wanted, &path, value, verdict);
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| walk(policy, wanted, path, item, verdict)),
        toml::Value::String(text) => {
            let object = format!("{PLAN_FOLDER}{PLAN_FILE}: {}", shown(path));
            verdict.merge(text_verdict(wanted, &object, text));
            let last = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
            if (TARGET_WORDS.iter().any(|word| last.contains(word)) || text.contains("://"))
                && let Some(rule) = policy.names_production(text)
            {
                verdict.push(Reason::new(Code::ProductionTarget, object).found(rule));
            }
        }
        _ => {}
    }
}

/// A surface that can be asked for, with its words made ready to be compared.
struct Wanted<'p> {
    surface: &'p Surface,
    words: Vec<Word>,
}

/// One of a surface's words: how many parts it has, and the parts as one.
struct Word {
    parts: usize,
    joined: String,
}

impl<'p> Wanted<'p> {
    fn of(policy: &'p Policy) -> Vec<Wanted<'p>> {
        let surfaces = policy.surfaces().iter().filter(|surface| surface.kind == SurfaceKind::Request);
        let word = |text: &String| {
            let parts = words(text);
            Word { joined: parts.concat(), parts: parts.len() }
        };
        surfaces.map(|surface| Wanted { surface, words: surface.words.iter().map(word).collect() }).collect()
    }
}

/// The surfaces that a text asks for: a word of the policy as whole words, in any case and joining; a word of
/// two parts, or with a digit, inside of longer ones too.
fn asked_for<'p>(wanted: &[Wanted<'p>], text: &str) -> Vec<&'p Surface> {
    let words = words(text);
    let squashed = words.concat();
    let asks = |Word { parts, joined }: &Word| {
        let distinct = *parts > 1 || joined.bytes().any(|b| b.is_ascii_digit());
        words.contains(joined) || (distinct && squashed.contains(joined.as_str()))
    };
    wanted.iter().filter(|w| w.words.iter().any(asks)).map(|w| w.surface).collect()
}

/// Lower-case words of letters and digits; compatibility forms folded, a capital after a small letter begins one.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    // ASCII is its own compatibility form, and nearly everything is ASCII.
    let folded: Cow<'_, str> =
        if text.is_ascii() { text.into() } else { text.nfkc().collect::<String>().into() };
    for c in folded.chars() {
        if !c.is_alphanumeric() || (small && c.is_uppercase()) {
            words.push(String::new());
        }
        small = c.is_lowercase();
        if c.is_alphanumeric() {
            words.last_mut().expect("there is always a last word").extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn squash(text: &str) -> String {
    words(text).concat()
}

/// An argument for people: escaped and cut.
fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Plan;

    fn policy() -> Policy {
        Policy::default_policy()
    }

    fn argument(text: &str) -> Verdict {
        judge(&policy(), &Request { arguments: vec![text.into()], ..Request::default() })
    }

    #[track_caller]
    fn only(verdict: &Verdict, code: Code) {
        assert!(
            !verdict.accepted() && verdict.reasons().iter().all(|r| r.code == code),
            "{code}: {verdict:?}"
        );
        assert_eq!(verdict.exit_code(), 4);
    }

    #[test]
    fn r30_production_is_no_target_in_any_form_of_its_name() {
        for source in
            ["/srv/production/orders.db", "postgres://u@db-PROD/x", "/data/orders.prod.db", "/srv/ｐｒｏｄ/x"]
        {
            let request = Request { sources: vec!["/tmp/x".into(), source.into()], ..Request::default() };
            only(&judge(&policy(), &request), Code::ProductionTarget);
        }
        let copy = Request { sources: vec!["/srv/copies/products.db".into()], ..Request::default() };
        assert!(judge(&policy(), &copy).accepted());
    }

    #[test]
    fn r31_to_r34_forbidden_words_in_any_case_and_joining() {
        for (texts, code) in [
            (
                &[
                    "REAL_RUN",
                    "--real-run",
                    "realrun",
                    "RealRun",
                    "mode=Real Run",
                    "xrealrunx",
                    "ＲＥＡＬ_ＲＵＮ",
                ][..],
                Code::RealRunForbidden,
            ),
            (&["QT001", "apply", "QT001/apply", "qt001apply", "--Apply", "QT-001"], Code::ApplyForbidden),
            (&["cutover", "CutOver", "cut-over", "CUT_OVER", "--go-live"], Code::CutoverForbidden),
            (&["deploy", "[deploy]", "CI/deploy", "workflow_dispatch", "ciDeploy"], Code::CiDeployForbidden),
            (&["permit", "--activate", "activation", "repoint"], Code::RequestForbidden),
        ] {
            texts.iter().for_each(|text| only(&argument(text), code));
        }
        for fine in ["rehearse", "reapply", "--down", "surreal", "applied", "orders-2026", "unpermitted"] {
            assert!(argument(fine).accepted(), "{fine}: {:?}", argument(fine));
        }
    }

    #[test]
    fn r35_a_secret_is_refused_and_never_repeated() {
        let value = format!("hunter{}", 2);
        let verdict = argument(&format!("postgres://app:{value}@db/orders"));
        only(&verdict, Code::SecretsForbidden);
        assert!(!format!("{verdict:?}").contains(&value));
        assert!(argument("postgres://app@db/orders").accepted());
    }

    #[test]
    fn r31_the_environment_asks_too() {
        let with = |name: &str, value: &str| {
            let environment = vec![(name.to_owned(), value.to_owned())];
            judge(&policy(), &Request { environment, ..Request::default() })
        };
        only(&with("REAL_RUN", "1"), Code::RealRunForbidden);
        only(&with("Cutover", "x"), Code::CutoverForbidden);
        only(&with("QT001", "1"), Code::ApplyForbidden);
        only(&with("DEPLOY", "1"), Code::CiDeployForbidden);
        only(&with("SECRET", "1"), Code::SecretsForbidden);
        only(&with("FIX7_DSN", &format!("postgres://u:{}@h/d", "pw9")), Code::SecretsForbidden);
        only(&with("FIX7_DSN", "postgres://u@db-prod/d"), Code::ProductionTarget);
        only(&with("FIX7_MODE", "real-run"), Code::RealRunForbidden);
        only(&with("FIX7_REAL_RUN", "0"), Code::RealRunForbidden);
        only(&with("FIX7_STEP", "QT001/apply"), Code::ApplyForbidden);
        for (name, value) in
            [("HOME", "/home/deploy"), ("DEPLOY_KEY", "x"), ("FIX7_LEDGER", "/opt/deploy/fix7-ledger")]
        {
            assert!(with(name, value).accepted(), "{name}");
        }
    }

    #[test]
    fn r31_to_r35_the_plan_asks_too() {
        let plan = |from: &str, to: &str| {
            let mut files = Plan::template();
            let text = files["plan.toml"].replacen(from, to, 1);
            assert_ne!(text, files["plan.toml"]);
            files.insert("plan.toml".into(), text);
            plan_verdict(&policy(), &files.into_iter().map(|(n, t)| (n, t.into_bytes())).collect())
        };
        assert!(plan("tiny-example", "tiny-other").accepted());
        only(&plan("tiny-example", "cutover-friday"), Code::CutoverForbidden);
        only(&plan("[settings]", "[settings]\nmode = \"REAL_RUN\""), Code::RealRunForbidden);
        only(&plan("[settings]", "[settings]\nreal_run = true"), Code::RealRunForbidden);
        only(&plan("[settings]", "[settings]\ntarget = \"/srv/prod/x.db\""), Code::ProductionTarget);
        let dsn = format!("[settings]\ntarget = \"postgres://u:{}@h/d\"", "pw9");
        assert!(plan("[settings]", &dsn).has(Code::SecretsForbidden));
    }

    #[test]
    fn r31_a_list_in_the_plan_asks_too() {
        let plan = |text: &str| plan_verdict(&policy(), &BTreeMap::from([("plan.toml".into(), text.into())]));
        only(&plan("modes = [\"plain\", \"REAL_RUN\"]"), Code::RealRunForbidden);
        assert!(plan("modes = [\"plain\", \"rehearse\"]").accepted());
    }

    #[test]
    fn what_asks_is_shown_escaped_and_cut() {
        let shown = |text: &str| argument(text).reasons()[0].object.clone();
        assert_eq!(shown("real-run\n\u{202e}"), "argument 1: real-run\\n\\u{202e}");
        let long = format!("cutover {}", "x".repeat(100));
        assert_eq!(shown(&long), format!("argument 1: {}", &long[..80]));
    }
}
