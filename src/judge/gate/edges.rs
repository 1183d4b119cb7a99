//! The edges: one below and one above each bound of the gate, and each exception with what is no longer one.

use super::*;

fn default_gate() -> Gate {
    Gate::new(&Policy::default_policy())
}

fn found(text: &str) -> Vec<String> {
    let verdict = default_gate().scan("x", Channel::TagMessage, text.as_bytes());
    verdict.reasons().iter().filter_map(|r| r.found.clone()).collect()
}

/// A gate whose bounds are small, and each another.
fn narrow() -> Gate {
    let mut text = String::from_utf8(Policy::DEFAULT.to_vec()).expect("UTF-8");
    for (name, least) in
        [("pushed_file_bytes", 400), ("file_bytes", 300), ("statement_bytes", 200), ("message_bytes", 100)]
    {
        let at = text.find(&format!("\n{name} = ")).expect("a limit") + 1;
        let end = at + text[at..].find(['\n', '#']).expect("its end");
        text.replace_range(at..end, &format!("{name} = {least} "));
    }
    Gate::new(&Policy::parse(text.as_bytes()).expect("above the floor"))
}

#[test]
fn each_channel_has_its_own_bound_and_takes_what_just_fits() {
    let gate = narrow();
    for (channel, most) in [
        (Channel::File { path: "x" }, 400),
        (Channel::PacketFile { path: "x.md" }, 300),
        (Channel::Statement, 200),
        (Channel::EntryMessage, 100),
        (Channel::Note, 100),
        (Channel::RefName, 100),
    ] {
        let text = |length: usize| "a b ".repeat(200).into_bytes()[..length].to_vec();
        assert!(gate.scan("x", channel, &text(most)).accepted(), "{channel:?}");
        assert!(gate.scan("x", channel, &text(most + 1)).has(Code::LimitExceeded), "{channel:?}");
    }
    let packet = |length: usize| {
        let (files, _) = Files::collect([("x.md", vec![b'a'; length])]);
        gate.scan_packet(&files, &[])
    };
    assert!(packet(300).accepted() && packet(301).has(Code::LimitExceeded));
}

#[test]
fn typed_places_are_known_by_the_files_name_on_any_branch() {
    let leak = br#"{"leak":{"tokens":["CUTOVER_PASS"]}}"#;
    let gate = default_gate();
    for (channel, takes) in [
        (Channel::File { path: "docs/rehearsal-bad-input-probes.json" }, true),
        (Channel::File { path: "docs/other.json" }, false),
        (Channel::PacketFile { path: "rehearsal-bad-input-probes.json" }, true),
        (Channel::PacketFile { path: "docs/rehearsal-bad-input-probes.json" }, false),
        (Channel::Note, false),
    ] {
        assert_eq!(gate.scan("x", channel, leak).accepted(), takes, "{channel:?}");
    }
    let statement = br#"{"predicate":{"claim":{"mentions":[{"token":"CUTOVER_PASS"}]}}}"#;
    assert!(gate.scan("x", Channel::Statement, statement).accepted());
    assert!(!gate.scan("x", Channel::PacketFile { path: "x.json" }, statement).accepted());
}

#[test]
fn tabs_stand_in_files_and_not_in_messages() {
    let scan = |channel, text: &[u8]| default_gate().scan("x", channel, text);
    for text in [&b"a\tb\n"[..], b"a\r\nb\n", b"a\nb"] {
        assert!(scan(Channel::PacketFile { path: "x.md" }, text).accepted(), "{text:?}");
    }
    assert!(scan(Channel::EntryMessage, b"a\nb").accepted());
    for text in [&b"a\tb"[..], b"a\r\nb", b"a\x7fb"] {
        assert!(scan(Channel::EntryMessage, text).has(Code::Undecidable), "{text:?}");
    }
}

#[test]
fn the_products_own_word_begins_no_claim_whatever_follows_and_its_neighbours_do() {
    for own in
        ["HOLD_PRODUCTION.\nok", "\"HOLD_PRODUCTION\", ok", "(HOLD_PRODUCTION) ready", "HOLD_PRODUCTION\nok"]
    {
        assert_eq!(found(own), [""; 0], "{own}");
    }
    for other in [
        "HOLD PRODUCTION.\nok",
        "HOLD_PRODUCTION ready",
        "XHOLD_PRODUCTION.\nok",
        "-HOLD_PRODUCTION.\nok",
        "_HOLD_PRODUCTION.\nok",
        "hold_production.\nok",
    ] {
        assert_eq!(found(other).len(), 1, "{other}");
    }
}

#[test]
fn a_longer_word_holds_a_claim_and_its_neighbour_does_not_excuse_one() {
    for passed in ["reproduction pass", "reproduction passed", "PRODUCTION_PASSWORD", "production_passport"] {
        assert_eq!(found(passed), [""; 0], "{passed}");
    }
    for refused in
        ["CUTOVER_PASSpassword", "passwordCUTOVER_PASS", "PRODUCTION_PASSwoRD", "reProduction_Pass"]
    {
        assert_eq!(found(refused).len(), 1, "{refused}");
    }
}

#[test]
fn up_to_three_fillers_stand_between_a_subject_and_its_verdict() {
    assert_eq!(found("production is now fully passed").len(), 1);
    assert_eq!(found("production is now fully already passed"), [""; 0]);
    assert_eq!(found("production is it ready").len(), 1);
    assert_eq!(found("production is readying"), [""; 0]);
}

#[test]
fn each_claim_is_told_once_and_no_more_than_eight_of_them() {
    assert_eq!(found("PRODUCTION_PASS\nx CUTOVER_PASS\n").len(), 2);
    assert_eq!(found("CUTOVER_PASS CUTOVER_PASS").len(), 1, "one line, one reason");
    assert_eq!(found("CUT0VER_PA55\n").len(), 1, "in whichever reading");
    let many: String = (0..20).map(|_| "CUTOVER_PASS\nwords\n").collect();
    assert_eq!(found(&many).len(), claims::MAX_HITS);
}

#[test]
fn what_holds_no_subject_is_read_turned_as_well() {
    for turned in ["LAVORPPA_FO_LAES", "FRNY_BS_NCCEBINY"] {
        assert_eq!(found(turned).len(), 1, "{turned}");
    }
    assert_eq!(found("LAVOMER_FO_LAES"), [""; 0]);
}

#[test]
fn phrases_count_where_the_ledger_announces_and_not_in_ordinary_texts() {
    let scan = |channel| default_gate().scan("x", channel, b"HOLD_LIFTED");
    assert!(scan(Channel::Note).has(Code::ClaimFound));
    assert!(scan(Channel::CommitMessage).accepted());
    assert!(scan(Channel::File { path: "x" }).accepted());
}

#[test]
fn digits_are_letters_of_a_word_that_has_some() {
    assert_eq!(found("production P455").len(), 1);
    assert_eq!(found("live system 53A1").len(), 1);
    assert_eq!(found("live system 5341"), [""; 0]);
    assert_eq!(found("production readyNow").len(), 1);
    assert_eq!(found("production READYNow"), [""; 0]);
    let message = |text: &str| default_gate().scan("x", Channel::CommitMessage, text.as_bytes());
    assert!(message("CUTOVER_P@$$").has(Code::ClaimFound), "symbols are letters of a token");
    assert!(message("CUTOVER_P#$$").accepted());
}

#[test]
fn pieces_of_a_document_are_joined_where_the_ledger_speaks_and_not_on_ordinary_branches() {
    let scan = |channel| default_gate().scan("x", channel, br#"["PRODUC","TION_PASS","x"]"#);
    assert!(scan(Channel::PacketFile { path: "x.json" }).has(Code::ClaimFound));
    let prose = |channel| default_gate().scan("x", channel, br#"{"a":{"production":{"result":"PASS"}}}"#);
    assert!(prose(Channel::PacketFile { path: "x.json" }).has(Code::ClaimFound));
    assert!(prose(Channel::File { path: "x.json" }).accepted());
}

#[test]
fn a_token_on_an_ordinary_branch_is_one_word_or_joined_by_what_joins() {
    let scan = |text: &str| default_gate().scan("x", Channel::File { path: "x" }, text.as_bytes());
    for refused in [
        "production_pass",
        "production pass",
        "production.pass",
        "Production+Pass",
        "cutover_pa5s",
        "CUTOVER ... PASS",
    ] {
        assert!(scan(refused).has(Code::ClaimFound), "{refused}");
    }
    for passed in [
        "production__pass",
        "cutover#pass",
        "production (pass",
        "production passes",
        "CUTOVER ............. PASS",
    ] {
        assert!(scan(passed).accepted(), "{passed}: {:?}", scan(passed));
    }
}

#[test]
fn what_is_encoded_once_too_often_is_told_with_its_layers_where_it_announces() {
    let nested =
        (0..5).fold("nothing to see here".to_owned(), |t, _| data_encoding::BASE64.encode(t.as_bytes()));
    let said = found(&nested);
    assert!(said.iter().any(|text| text.contains("limits.decode_depth (base64")), "{said:?}");
    let gate = default_gate();
    assert!(gate.scan("x", Channel::CommitMessage, nested.as_bytes()).accepted());
    // After the deep text the shallow one is still looked into.
    let shallow = data_encoding::BASE64.encode(b"CUTOVER_PASS");
    let both = format!("{nested}\n.\n{shallow}\n.\n{nested}");
    assert!(gate.scan("x", Channel::TagMessage, both.as_bytes()).has(Code::ClaimFound));
}
