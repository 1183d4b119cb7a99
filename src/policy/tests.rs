//! The embedded policy, the floor, pins.

use super::*;

fn text() -> String {
    String::from_utf8(Policy::DEFAULT.to_vec()).expect("UTF-8")
}

fn replaced(from: &str, to: &str) -> Result<Policy, PolicyError> {
    assert!(text().contains(from), "{from}");
    Policy::parse(text().replacen(from, to, 1).as_bytes())
}

#[test]
fn the_embedded_policy_reads_and_composes_the_boundary_word_for_word() {
    let policy = Policy::parse(Policy::DEFAULT).expect("the embedded policy");
    assert_eq!(policy.digest(), Digest::of(Policy::DEFAULT));
    assert_eq!(
        policy.boundary().text(),
        "A clone rehearsal is not production execution. This packet does not authorize production, REAL_RUN, \
         QT001/apply, permit, activation, repoint, cutover, CI/deploy, or secrets changes. Default remains \
         HOLD_PRODUCTION."
    );
    assert_eq!(policy.isolation_minimum("sqlite"), 2);
    assert_eq!(policy.isolation_minimum("postgresql"), 3);
    assert_eq!(policy.isolation_minimum("oracle"), 255);
}

#[test]
fn no_document_below_the_floor_is_a_policy() {
    for (from, to) in [
        ("hold = \"HOLD_PRODUCTION\"", "hold = \"LIFTED\""),
        ("hold = \"HOLD_PRODUCTION\"", "hold = false"),
        ("hold = \"HOLD_PRODUCTION\"", ""),
        ("hold = \"HOLD_PRODUCTION\"", "hold = \"HOLD_PRODUCTION\"\nlift = true"),
        ("hold = \"HOLD_PRODUCTION\"", "hold = \"HOLD_PRODUCTION\"\nhold = \"HOLD_PRODUCTION\""),
        ("REHEARSAL_ONLY\"", "PASS\""),
        ("is not production execution.", "is production execution."),
        ("\"permit\", \"activation\",", "\"permit\","),
        ("\"permit\", \"activation\",", "\"activation\", \"permit\","),
        ("\"PRODUCTION_PASS\", \"REAL", "\"REAL"),
        ("id = \"vps\"\nkind = \"contact\"", "id = \"vps\"\nkind = \"request\""),
        ("id = \"vps\"", "id = \"pg\""),
        ("words = [\"repoint\", \"repointing\"]", "words = []"),
        ("{ id = \"cutover\", reason = \"CUTOVER_FORBIDDEN\" },", ""),
        ("reason = \"CUTOVER_FORBIDDEN\" }", "reason = \"NO_SUCH_REASON\" }"),
        ("required = [\"read-only\", ", "required = ["),
        ("sqlite = 2", "sqlite = 1"),
        ("min_rollback_entries = 2", "min_rollback_entries = 1"),
        ("decode_depth = 4", "decode_depth = 400"),
        ("decode_depth = 4", "decode_depth = 0"),
        ("packet_files = 64", "packet_files = -1"),
        ("\"compass\",", "\"productionpass\","),
        ("\"compass\",", "\"compass\", \"compass\","),
        ("\"compass\",", "\"comp\\u00e4ss\","),
        ("# The default policy", "# The default p\u{43e}licy"),
        ("schema = 1", "schema = 2"),
    ] {
        assert!(replaced(from, to).is_err(), "{from} -> {to}");
    }
    assert!(replaced("sqlite = 2", "sqlite = 3").is_ok());
    assert!(replaced("\"compass\",", "").is_ok());
    let padded = text() + &"#".repeat(MAX_BYTES);
    assert!(matches!(Policy::parse(padded.as_bytes()), Err(PolicyError::TooLarge { .. })));
}

#[test]
fn a_pin_is_added_behind_every_other_byte() {
    let policy = Policy::default_policy();
    let digest = Digest::of(b"executable");
    assert!(!policy.pins(&digest));
    let bytes = policy.with_executable(digest, "0.1.0 \"; hold = 1");
    assert!(bytes.starts_with(Policy::DEFAULT));
    let pinned = Policy::parse(&bytes).expect("a policy");
    assert!(pinned.pins(&digest) && !pinned.pins(&Digest::of(b"another")));
    assert_eq!(pinned.with_executable(digest, "again"), bytes);
    let two = Policy::parse(&pinned.with_executable(Digest::of(b"another"), "0.2.0")).expect("a policy");
    assert_eq!(two.executables().len(), 2);
}

#[test]
fn a_document_with_pins_reads_as_it_does_without_the_short_way() {
    let pinned = Policy::default_policy().with_executable(Digest::of(b"one"), "0.1.0");
    let tails = [
        "",
        "\n[[executables]]\nsha256 = \"00\"\nversion = \"1\"\n",
        "\n[[executables]]\nsha256 = \"00\"\nversion = \"1\"",
        "\n[[executables]]\nversion = \"1\"\n",
        "\nhold = \"NONE\"\n",
        "version = \"2\"\n",
        "# a comment\n",
        "\n[[mentions]]\nfile = \"a\"\ntexts = [\"b\"]\n",
    ];
    let two = Policy::parse(&pinned).expect("a policy").with_executable(Digest::of(b"two"), "a \"b");
    for (before, tails) in [(Policy::DEFAULT, &tails[..]), (&pinned, &tails[..]), (&two, &tails[..])] {
        for tail in tails {
            let bytes = [before, tail.as_bytes()].concat();
            let (short, long) = (Policy::parse(&bytes), Policy::parse_document(&bytes));
            match (&short, &long) {
                (Ok(short), Ok(long)) => {
                    assert_eq!((short.bytes(), short.digest()), (long.bytes(), long.digest()));
                    assert_eq!(format!("{:?}", short.raw), format!("{:?}", long.raw));
                }
                _ => assert_eq!(short.err(), long.err(), "{tail}"),
            }
        }
    }
    // The short way is taken, and not for everything.
    assert!(two.strip_prefix(Policy::DEFAULT).and_then(pins::read).is_some_and(|pins| pins.len() == 2));
    assert!(pins::read(b"\n").is_none());
}

#[test]
fn the_macro_id_is_the_prefix_and_a_date() {
    let policy = Policy::default_policy();
    let id = policy.macro_id("2026-06-12");
    assert_eq!(id, "FIX7_P0_PRODUCTION_REHEARSAL_ONLY_ROLLBACK_AND_CI_RESOLUTION_LANE_MACRO_2026_06_12");
    assert!(policy.is_macro_id(&id));
    for bad in ["2026_6_12", "2026_06_12x", "", "2026_02_29", "2026_13_01", "2026-06-12", "2026_06_00"] {
        assert!(!policy.is_macro_id(&format!("{MACRO_PREFIX}{bad}")), "{bad}");
    }
    assert!(policy.is_macro_id(&format!("{MACRO_PREFIX}2028_02_29")));
}
