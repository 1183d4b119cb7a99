//! PostgreSQL: what stands beside the digest of a leg's rows.
//!
//! Owns: what a cluster keeps outside of transactions or of the database, and the schema in two opinions. Must not: judge.
//!
//! ```text
//! apart    sequences, roles, large objects: before · after · what differs although a ROLLBACK was made
//! schema   by the catalogue · by pg_dump: before · after; each says whether the schema changed, and they must agree
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Digits of a digest that are shown.
const SHOWN: usize = 16;

/// What PostgreSQL keeps outside of transactions or outside of the database: equal at the end of every leg but of
/// `transaction`, where a difference of sequences is told and never hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApartFacts {
    /// Over the sequences' positions before.
    pub sequences_before: Digest,
    /// The same at the end.
    pub sequences_after: Digest,
    /// Over roles, memberships and settings before.
    pub roles_before: Digest,
    /// The same at the end.
    pub roles_after: Digest,
    /// Over the content of all large objects before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub large_objects_before: Option<Digest>,
    /// The same at the end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub large_objects_after: Option<Digest>,
    /// `large_objects`, `roles`, `sequence:public.x(5 called->9 called)`: sorted, empty where nothing differs.
    pub non_transactional_effects: Vec<String>,
}

impl ApartFacts {
    /// Whether everything is as before.
    pub fn same(&self) -> bool {
        self.sequences_before == self.sequences_after && self.same_but_sequences()
    }

    /// Whether roles and large objects are as before: a ROLLBACK takes both back.
    pub fn same_but_sequences(&self) -> bool {
        self.roles_before == self.roles_after && self.large_objects_before == self.large_objects_after
    }
}

/// The schema in two opinions. Two programs read the same catalogue: what one of them overlooks, the other may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SchemaFacts {
    /// Over all objects that pg_dump tells too, by the catalogue, before.
    pub catalogue_before: Digest,
    /// The same at the end.
    pub catalogue_after: Digest,
    /// Over the text of `pg_dump --schema-only` before.
    pub pg_dump_before: Digest,
    /// The same at the end.
    pub pg_dump_after: Digest,
}

impl SchemaFacts {
    /// Whether both say that nothing changed.
    pub fn same(&self) -> bool {
        self.catalogue_before == self.catalogue_after && self.pg_dump_before == self.pg_dump_after
    }

    /// Both opinions, for people: `catalogue equal, pg_dump 0123456789abcdef->fedcba9876543210`.
    pub fn told(&self) -> String {
        let one = |before, after| if before == after { "equal".to_owned() } else { values(before, after) };
        let catalogue = one(&self.catalogue_before, &self.catalogue_after);
        format!("catalogue {catalogue}, pg_dump {}", one(&self.pg_dump_before, &self.pg_dump_after))
    }

    /// Which of the two alone sees a difference, and both of its values: `pg_dump_alone:`, `catalogue_alone:`, with
    /// `object` between.
    pub fn alone(&self, object: &str) -> Option<String> {
        let catalogue = self.catalogue_before != self.catalogue_after;
        let (who, before, after) = match (catalogue, self.pg_dump_before != self.pg_dump_after) {
            (true, false) => ("catalogue_alone", &self.catalogue_before, &self.catalogue_after),
            (false, true) => ("pg_dump_alone", &self.pg_dump_before, &self.pg_dump_after),
            _ => return None,
        };
        Some(format!("{who}:{object}({})", values(before, after)))
    }
}

fn values(before: &Digest, after: &Digest) -> String {
    let short = |digest: &Digest| digest.to_string().chars().take(SHOWN).collect::<String>();
    format!("{}->{}", short(before), short(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_alone_sees_a_difference_is_told_with_both_values() {
        let of = |n: u8| Digest::of(&[n]);
        let facts = |catalogue_after, pg_dump_after| SchemaFacts {
            catalogue_before: of(1),
            catalogue_after,
            pg_dump_before: of(2),
            pg_dump_after,
        };
        assert_eq!(facts(of(1), of(2)).alone("x"), None);
        assert_eq!(facts(of(3), of(3)).alone("x"), None, "both see one");
        let values = format!("{}->{}", &of(2).to_string()[..16], &of(3).to_string()[..16]);
        assert_eq!(facts(of(1), of(3)).alone("x"), Some(format!("pg_dump_alone:x({values})")));
        assert_eq!(facts(of(1), of(3)).told(), format!("catalogue equal, pg_dump {values}"));
        assert!(facts(of(3), of(2)).alone("x").is_some_and(|code| code.starts_with("catalogue_alone:x(")));
    }
}
