//! What a change of policy may do: add, never remove.
//!
//! Owns: the comparison of two policies. Must not: judge one alone ([`super::floor`]).
//!
//! ```text
//! rules       (tokens, surfaces, probes, legs, required files, deny lists)     may grow, never shrink
//! exceptions  (benign words, vocabulary, typed places, extensions, exceptions) may shrink, never grow
//! minima      (isolation, vectors, rollback entries)                           may rise, never fall
//! limits      (bytes, counts, depths)                                          may fall, never rise
//! executables                                                                  free: each pin is a decision
//! ```

use super::Policy;
use super::document::{Limits, Surface};
use crate::verdict::{Code, Reason, Verdict};

/// Compares `old` and `new`.
pub(super) fn compare(old: &Policy, new: &Policy) -> Verdict {
    let (o, n) = (&old.raw, &new.raw);
    let mut verdict = Verdict::default();
    let v = &mut verdict;
    // The words that are fixed are equal already: both documents passed the floor.
    for (field, before, after) in [
        ("claims.tokens", &o.claims.tokens, &n.claims.tokens),
        ("claims.phrases", &o.claims.phrases, &n.claims.phrases),
        ("claims.subjects", &o.claims.subjects, &n.claims.subjects),
        ("claims.verdicts", &o.claims.verdicts, &n.claims.verdicts),
        ("claims.verdict_words", &o.claims.verdict_words, &n.claims.verdict_words),
        ("claims.fillers", &o.claims.fillers, &n.claims.fillers),
        ("claims.prepositions", &o.claims.prepositions, &n.claims.prepositions),
        ("claims.scope_keys", &o.claims.scope_keys, &n.claims.scope_keys),
        ("legs.required", &o.legs.required, &n.legs.required),
        (
            "legs.required_with_rollback_script",
            &o.legs.required_with_rollback_script,
            &n.legs.required_with_rollback_script,
        ),
        ("packet.required", &o.packet.required, &n.packet.required),
        ("production.words", &o.production.words, &n.production.words),
        ("production.hosts", &o.production.hosts, &n.production.hosts),
        ("production.paths", &o.production.paths, &n.production.paths),
        ("production.system_identifiers", &o.production.system_identifiers, &n.production.system_identifiers),
    ] {
        grows(v, field, before, after, |item| item.clone());
    }
    for (field, before, after) in [
        ("claims.benign", &o.claims.benign, &n.claims.benign),
        ("claims.vocabulary", &o.claims.vocabulary, &n.claims.vocabulary),
        ("packet.extensions", &o.packet.extensions, &n.packet.extensions),
        ("production.exceptions", &o.production.exceptions, &n.production.exceptions),
    ] {
        shrinks(v, field, before, after, |item| item.clone());
    }
    shrinks(v, "mentions", &o.mentions, &n.mentions, |place| place.file.clone());
    grows(v, "probes.canonical", &o.probes.canonical, &n.probes.canonical, |p| p.id.clone());
    grows(v, "probes.extended", &o.probes.extended, &n.probes.extended, |p| p.id.clone());
    equal(v, "probes.control", &o.probes.control, &n.probes.control);
    surfaces(v, &o.surfaces, &n.surfaces);
    for (field, before, after) in [
        ("legs.min_rollback_entries", o.legs.min_rollback_entries, n.legs.min_rollback_entries),
        ("validator.min_good_vectors", o.validator.min_good_vectors, n.validator.min_good_vectors),
        ("validator.min_bad_vectors", o.validator.min_bad_vectors, n.validator.min_bad_vectors),
        ("isolation.sqlite", o.isolation.sqlite.into(), n.isolation.sqlite.into()),
        ("isolation.postgresql", o.isolation.postgresql.into(), n.isolation.postgresql.into()),
        ("ledger.require_begin", o.ledger.require_begin.into(), n.ledger.require_begin.into()),
        ("ledger.require_numbers", o.ledger.require_numbers.into(), n.ledger.require_numbers.into()),
        ("ledger.owner_threshold", o.ledger.owner_threshold, n.ledger.owner_threshold),
        ("ledger.min_independent_reruns", o.ledger.min_independent_reruns, n.ledger.min_independent_reruns),
    ] {
        v.require(after >= before, || loosened(field, format!("at least {before}"), after));
    }
    for ((field, before), (_, after)) in named(&o.limits).into_iter().zip(named(&n.limits)) {
        v.require(after <= before, || {
            loosened(&format!("limits.{field}"), format!("at most {before}"), after)
        });
    }
    verdict
}

fn loosened(field: &str, expected: impl std::fmt::Display, found: impl std::fmt::Display) -> Reason {
    Reason::new(Code::PolicyLoosened, format_args!("policy.toml {field}")).values(expected, found)
}

fn grows<T: PartialEq>(v: &mut Verdict, field: &str, before: &[T], after: &[T], name: impl Fn(&T) -> String) {
    for item in before.iter().filter(|item| !after.contains(item)) {
        v.push(loosened(field, format_args!("`{}` as before", name(item)), "a list without it"));
    }
}

fn shrinks<T: PartialEq>(
    v: &mut Verdict,
    field: &str,
    before: &[T],
    after: &[T],
    name: impl Fn(&T) -> String,
) {
    for item in after.iter().filter(|item| !before.contains(item)) {
        v.push(loosened(field, "no further exception", format_args!("`{}`", name(item))));
    }
}

fn equal(v: &mut Verdict, field: &str, before: &str, after: &str) {
    v.require(before == after, || loosened(field, before, after));
}

fn surfaces(v: &mut Verdict, before: &[Surface], after: &[Surface]) {
    for old in before {
        let field = format!("surfaces `{}`", old.id);
        match after.iter().find(|new| new.id == old.id) {
            None => v.push(loosened(&field, "the surface as before", "a list without it")),
            Some(new) => {
                v.require(new.kind == old.kind && new.reason == old.reason, || {
                    loosened(
                        &field,
                        format_args!("{:?}, {}", old.kind, old.reason),
                        format_args!("{:?}, {}", new.kind, new.reason),
                    )
                });
                grows(v, &field, &old.words, &new.words, |word| word.clone());
            }
        }
    }
}

fn named(l: &Limits) -> [(&'static str, u64); 12] {
    [
        ("packet_files", l.packet_files),
        ("file_bytes", l.file_bytes),
        ("packet_bytes", l.packet_bytes),
        ("path_bytes", l.path_bytes),
        ("path_depth", l.path_depth),
        ("statement_bytes", l.statement_bytes),
        ("mentions", l.mentions),
        ("message_bytes", l.message_bytes),
        ("pushed_file_bytes", l.pushed_file_bytes),
        ("decoded_bytes", l.decoded_bytes),
        ("decode_expansion", l.decode_expansion),
        ("decode_depth", l.decode_depth),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(from: &str, to: &str) -> Policy {
        let text = std::str::from_utf8(Policy::DEFAULT).expect("UTF-8");
        assert!(text.contains(from), "{from}");
        Policy::parse(text.replacen(from, to, 1).as_bytes()).expect("above the floor")
    }

    #[test]
    fn a_change_may_add_and_never_take_away() {
        let old = Policy::default_policy();
        // (from, to): taken forward it tightens, taken back it loosens.
        for (from, to) in [
            ("\"CUTOVER_APPROVED\",", "\"CUTOVER_APPROVED\", \"LAUNCH_PASS\","),
            ("words = [\"repoint\",", "words = [\"redirect\", \"repoint\","),
            ("hosts = []", "hosts = [\"db.example\"]"),
            ("required = [\"read-only\",", "required = [\"down\", \"read-only\","),
            ("\"packet_tree.sha256\",", "\"packet_tree.sha256\", \"more.json\","),
            ("sqlite = 2", "sqlite = 3"),
            ("min_bad_vectors = 5", "min_bad_vectors = 6"),
            ("packet_files = 64", "packet_files = 63"),
            ("decode_depth = 4", "decode_depth = 3"),
            ("\"compass\", ", ""),
            ("\"production-target\",", ""),
            ("extensions = [\"json\", \"md\",", "extensions = [\"json\","),
            ("exceptions = [\"production-rehearsal-only\", ", "exceptions = ["),
            ("[validator]", "[ledger]\nrequire_begin = true\n\n[validator]"),
            ("[validator]", "[ledger]\nrequire_numbers = true\n\n[validator]"),
            ("[validator]", "[ledger]\nowner_threshold = 2\n\n[validator]"),
            ("[validator]", "[ledger]\nmin_independent_reruns = 2\n\n[validator]"),
            ("extended = []", "extended = [{ id = \"more\", reason = \"MALFORMED\" }]"),
        ] {
            let new = with(from, to);
            assert!(old.tightened_by(&new).accepted(), "{to}: {:?}", old.tightened_by(&new));
            let back = new.tightened_by(&old);
            assert!(back.has(Code::PolicyLoosened), "{to}");
            assert_eq!(back.reasons().len(), 1, "{back:?}");
        }
        assert!(old.tightened_by(&old).accepted());
    }

    #[test]
    fn a_further_typed_place_loosens_and_a_further_pin_does_not() {
        let old = Policy::default_policy();
        let text = String::from_utf8(old.bytes().to_vec()).expect("UTF-8");
        let place = "\n[[mentions]]\nfile = \"commands.sh\"\ntexts = [\"PRODUCTION_PASS\"]\n";
        let new = Policy::parse((text + place).as_bytes()).expect("a policy");
        assert!(old.tightened_by(&new).has(Code::PolicyLoosened));
        assert!(new.tightened_by(&old).accepted());
        let digest = crate::digest::Digest::of(b"an executable");
        let pinned = Policy::parse(&old.with_executable(digest, "0.1.0")).expect("a policy");
        assert!(old.tightened_by(&pinned).accepted());
        assert!(pinned.tightened_by(&old).accepted());
    }
}
