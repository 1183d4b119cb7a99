//! The template: the files that `plan new` writes, valid as they stand.

use std::collections::BTreeMap;

/// Every file of the template, by name.
pub(super) fn files() -> BTreeMap<String, String> {
    [
        ("plan.toml", include_str!("plan.toml")),
        ("up.sql", include_str!("up.sql")),
        ("down.sql", include_str!("down.sql")),
        ("macro.md", include_str!("macro.md")),
        ("rollback-pattern.md", include_str!("rollback-pattern.md")),
        ("blockers.json", include_str!("blockers.json")),
        ("ci-unknown.json", include_str!("ci-unknown.json")),
        ("decision.json", include_str!("decision.json")),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into()
}
