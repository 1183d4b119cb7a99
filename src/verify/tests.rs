use super::*;
use crate::state::fixture::{self, *};
use crate::statement::{Genesis, Grant};

fn packets() -> Packets<'static> {
    Packets { facts: &|_| Ok(fixture::facts()), judge: Some(&|_, _, _| Verdict::default()) }
}

fn report(entries: &[StoredEntry], options: Options) -> Report {
    verify(entries.iter().cloned(), options, packets()).0
}

fn codes(report: &Report, step: Step) -> Vec<Code> {
    report.checks.iter().filter(|c| c.name == step).flat_map(|c| &c.reasons).map(|r| r.code).collect()
}

#[test]
fn a_good_ledger_holds_in_every_step_and_says_what_nobody_knows() {
    let book = Book::full();
    let report = report(&book.entries, Options::default());
    let (last, others) = report.checks.split_last().expect("eight");
    assert!(others.iter().all(|c| c.outcome == Outcome::Held), "{report:?}");
    assert_eq!(last.outcome, Outcome::NotEstablished, "nobody told where the end is");
    assert_eq!(report.checks.iter().map(|c| c.step).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((report.exit_code, report.entries, report.verified), (0, 4, 4));
    let head = report.head.expect("a head");
    assert_eq!((head.seq, head.leaf, head.root), (3, book.leaves[3], crate::merkle::root(&book.leaves)));
    let gaps: Vec<GapKind> = report.not_established.iter().map(|g| g.kind).collect();
    use GapKind::*;
    assert_eq!(gaps, [GenesisNotPinned, NoRememberedHead, NoWitness, TimesAreClaims]);
    let bytes = crate::canon::to_vec(&report).expect("JSON");
    assert_eq!(crate::canon::from_slice::<Report>(&bytes).expect("reads"), report);
}

#[test]
fn a_pin_and_a_remembered_head_close_their_gaps() {
    let book = Book::full();
    let head = report(&book.entries[..3], Options::default()).head;
    let options = Options { genesis: Some(book.id()), remembered: head, ..Options::default() };
    let good = report(&book.entries, options);
    assert_eq!(good.exit_code, 0);
    assert!(good.checks.iter().all(|c| c.outcome == Outcome::Held), "{good:?}");
    let gaps: Vec<GapKind> = good.not_established.iter().map(|g| g.kind).collect();
    assert_eq!(gaps, [GapKind::NoWitness, GapKind::TimesAreClaims]);
    let other = report(&book.entries, Options { genesis: Some(Digest::ZERO), ..Options::default() });
    assert_eq!(codes(&other, Step::Completeness), [Code::WrongLedger]);
    assert_eq!(other.exit_code, 4);
}

#[test]
fn a_cut_tail_and_a_second_history_are_seen() {
    let book = Book::full();
    let head = report(&book.entries, Options::default()).head;
    let remembered = Options { remembered: head, ..Options::default() };
    for cut in 0..4 {
        let cut_off = report(&book.entries[..cut], remembered.clone());
        assert!(codes(&cut_off, Step::Completeness).contains(&Code::RolledBack), "{cut}");
        assert_eq!(cut_off.exit_code, 5, "{cut}");
    }
    // The holders of all keys write another end, then go on.
    let mut other = Book::new();
    let grant = other.append(other.grant_files(1, fixture::grant("grant-1", BOB), &[ANN]), ANN);
    let of = other.append(other.run_files(2, run("run-1", grant, None), &[BOB]), BOB);
    other.append(other.run_files(3, run("run-other", grant, Some(of)), &[EVE]), EVE);
    other.append(other.run_files(4, run("run-4", grant, Some(of)), &[EVE]), EVE);
    let forked = report(&other.entries, remembered.clone());
    assert_eq!(codes(&forked, Step::Completeness), [Code::Forked]);
    assert_eq!(forked.exit_code, 5);
    let both = forked.reasons().next().expect("a reason");
    assert_eq!(both.expected.as_deref(), head.map(|h| h.to_string()).as_deref());
    assert_eq!(report(&book.entries, remembered).exit_code, 0);
}

#[test]
fn nothing_and_a_shallow_clone_are_not_established() {
    let none = report(&[], Options::default());
    assert_eq!((none.exit_code, codes(&none, Step::Completeness)), (3, vec![Code::LedgerAbsent]));
    assert!(none.checks.iter().all(|c| c.outcome == Outcome::NotEstablished));
    let book = Book::full();
    let shallow = report(&book.entries[2..], Options { shallow: true, ..Options::default() });
    assert_eq!((shallow.exit_code, shallow.verified), (3, 0));
    assert_eq!(codes(&shallow, Step::Completeness), [Code::Shallow]);
    assert_eq!(shallow.outcome(Step::Chain), Outcome::NotEstablished);
    assert_eq!(shallow.outcome(Step::Signatures), Outcome::Held, "what is here was checked");
    // Without the flag a missing beginning is an attack.
    let beheaded = report(&book.entries[2..], Options::default());
    assert_eq!(beheaded.exit_code, 1);
    assert_eq!(beheaded.outcome(Step::Chain), Outcome::Broken);
}

#[test]
fn entries_that_are_moved_left_out_or_doubled_break_the_chain() {
    let book = Book::full();
    let e = &book.entries;
    for (name, entries) in [
        ("left out", vec![e[0].clone(), e[1].clone(), e[3].clone()]),
        ("moved", vec![e[0].clone(), e[2].clone(), e[1].clone(), e[3].clone()]),
        ("doubled", vec![e[0].clone(), e[1].clone(), e[1].clone(), e[2].clone()]),
        ("genesis twice", vec![e[0].clone(), e[0].clone()]),
    ] {
        let report = report(&entries, Options::default());
        assert_eq!(report.outcome(Step::Chain), Outcome::Broken, "{name}");
        assert_eq!(report.exit_code, 1, "{name}");
        assert!(report.not_established.iter().any(|g| g.kind == GapKind::ReplayStopped), "{name}");
    }
    let mut elsewhere = e.to_vec();
    elsewhere[1].oid = git_id(77).to_string();
    assert_eq!(
        report(&elsewhere, Options::default()).outcome(Step::Chain),
        Outcome::Broken,
        "another parent"
    );
}

#[test]
fn every_changed_file_is_seen_in_its_step() {
    let book = Book::full();
    for (at, path, step) in [
        (0, "policy.toml", Step::Content),
        (0, "statement.json", Step::Content),
        (1, "statement.sig", Step::Signatures),
        (2, "packet/README.md", Step::Content),
        (2, "packet/HASH_MANIFEST.txt", Step::Content),
        (3, "statement.json", Step::Signatures),
    ] {
        let mut entries = book.entries.clone();
        let file = entries[at].files.get_mut(path).expect("the file");
        let middle = file.len() / 2;
        file[middle] ^= 1;
        let broken = report(&entries, Options::default());
        assert_eq!(broken.outcome(step), Outcome::Broken, "{at} {path}");
        assert_eq!((broken.exit_code, broken.verified), (1, at as u64), "{at} {path}");
        let mut fewer = book.entries.clone();
        fewer[at].files.remove(path);
        assert_ne!(report(&fewer, Options::default()).exit_code, 0, "{at} without {path}");
    }
    for odd in
        ["packet/a\nb", "packet/../x", "packet//x", "more.txt", "packet/.git", "Statement.json", "packet/a b"]
    {
        let mut more = book.entries.clone();
        more[2].files.insert(odd.into(), vec![]);
        let found = report(&more, Options::default());
        assert!(codes(&found, Step::Content).contains(&Code::FileUnexpected), "{odd}");
    }
}

#[test]
fn files_that_are_signed_but_not_claimed_are_refused() {
    // The committer signs a tree with one file more than the statement names.
    let book = Book::full();
    let mut files = book.run_files(9, run("run-9", book.leaves[1], Some(book.leaves[2])), &[EVE]);
    let entry =
        |files| report(&[&book.entries[..], &[book.next(files, EVE, 100)]].concat(), Options::default());
    assert_eq!(entry(files.clone()).exit_code, 0);
    files.insert("packet/more.txt".into(), b"PRODUCTION".to_vec());
    assert_eq!(codes(&entry(files.clone()), Step::Content), [Code::FileUnexpected]);
    files.remove("packet/more.txt");
    files.remove("packet/README.md");
    assert_eq!(codes(&entry(files), Step::Content), [Code::FileMissing]);
}

#[test]
fn what_the_judge_refuses_is_not_folded_in() {
    let book = Book::full();
    let judge = |refused: Kind| {
        move |_: &State, statement: &Statement, _: &EntryFiles| match statement.kind() == refused {
            true => Reason::new(Code::ClaimFound, "packet").into(),
            false => Verdict::default(),
        }
    };
    for (kind, verified) in [(Kind::Grant, 1), (Kind::Rehearsal, 2), (Kind::Rerun, 3)] {
        let judge = judge(kind);
        let packets = Packets { facts: &|_| Ok(fixture::facts()), judge: Some(&judge) };
        let (report, state) = verify(book.entries.clone(), Options::default(), packets);
        assert_eq!(codes(&report, Step::Packet), [Code::ClaimFound]);
        assert_eq!((report.exit_code, report.verified, state.next_seq()), (4, verified, verified));
    }
    let judge = judge(Kind::Genesis);
    let packets = Packets { facts: &|_| Ok(fixture::facts()), judge: Some(&judge) };
    let (report, state) = verify(book.entries.clone(), Options::default(), packets);
    assert_eq!((report.exit_code, report.verified, state.next_seq()), (4, 0, 0));
}

#[test]
fn what_was_not_judged_or_not_read_is_never_held() {
    let book = Book::full();
    let skipped = Packets { facts: &|_| Ok(fixture::facts()), judge: None };
    let (report, _) = verify(book.entries.clone(), Options::default(), skipped);
    assert_eq!((report.outcome(Step::Packet), report.exit_code), (Outcome::NotEstablished, 3));
    assert_eq!(report.outcome(Step::Grants), Outcome::Held);
    let unread = Packets { facts: &|_| Err(Verdict::default()), judge: packets().judge };
    let (report, _) = verify(book.entries.clone(), Options::default(), unread);
    assert_eq!(report.verified, 2);
    assert_ne!(report.exit_code, 0);
}

#[test]
fn a_resumed_verification_ends_where_a_whole_one_does() {
    let book = Book::full();
    let (whole, _) = verify(book.entries.clone(), Options::default(), packets());
    for split in 0..=4 {
        let (first, state) = verify(book.entries[..split].to_vec(), Options::default(), packets());
        let mut rest = Verifier::resume(state, Options { remembered: first.head, ..Options::default() });
        for stored in &book.entries[split..] {
            rest.push(stored, check(stored), packets());
        }
        let (report, _) = rest.finish();
        assert_eq!((report.head, report.exit_code), (whole.head, 0), "{split}");
    }
}

#[test]
fn what_is_noted_from_outside_counts() {
    let book = Book::full();
    let mut verifier = Verifier::new(Options::default());
    verifier.push(&book.entries[0], check(&book.entries[0]), packets());
    verifier.note(Step::Object, Reason::new(Code::ObjectMissing, "commit").into());
    assert!(verifier.stopped());
    let (report, _) = verifier.finish();
    assert_eq!((report.exit_code, report.outcome(Step::Object)), (3, Outcome::NotEstablished));
    let mut verifier = Verifier::new(Options::default());
    verifier.push(&book.entries[0], check(&book.entries[0]), packets());
    verifier.note(Step::Completeness, Reason::new(Code::Grafts, "repository").into());
    assert!(!verifier.stopped());
    assert_eq!(verifier.finish().0.exit_code, 3);
}

#[test]
fn entries_that_were_announced_and_not_pushed_are_not_established() {
    let book = Book::full();
    for pushed in [3, 4] {
        let mut verifier = Verifier::new(Options::default());
        verifier.announce(4);
        for stored in &book.entries[..pushed] {
            verifier.push(stored, check(stored), packets());
        }
        let (report, _) = verifier.finish();
        let (outcome, exit) = if pushed == 4 { (Outcome::Held, 0) } else { (Outcome::NotEstablished, 3) };
        assert_eq!(
            (report.outcome(Step::Object), report.outcome(Step::Grants), report.exit_code),
            (outcome, outcome, exit)
        );
        assert_eq!(report.not_established.iter().any(|g| g.kind == GapKind::NotRead), pushed == 3);
    }
}

#[test]
fn a_report_is_bounded_and_its_exit_code_is_not() {
    let mut verifier = Verifier::new(Options::default());
    for i in 0..MAX_REASONS + 5 {
        verifier.note(Step::Object, Reason::new(Code::ObjectMissing, i).into());
    }
    verifier.note(Step::Object, Reason::new(Code::ObjectCorrupt, "last").into());
    let (report, _) = verifier.finish();
    assert_eq!((report.checks[0].reasons.len(), report.checks[0].more), (MAX_REASONS, 6));
    assert_eq!((report.exit_code, report.checks[0].outcome), (1, Outcome::Broken));
}

#[test]
fn an_attacker_without_the_registered_keys_gets_nowhere() {
    let book = Book::full();
    // A whole ledger of one's own is another ledger.
    let own = Genesis { keys: vec![key(MAL, &[crate::statement::Role::Owner])], ..genesis() };
    let mut mine = Book { state: State::default(), entries: vec![], leaves: vec![] };
    mine.append(mine.genesis_files(own, &[MAL]), MAL);
    let pinned = Options { genesis: Some(book.id()), ..Options::default() };
    assert_eq!(codes(&report(&mine.entries, pinned), Step::Completeness), [Code::WrongLedger]);
    // An entry of one's own in somebody's ledger.
    let grant = Grant { operator: print(BOB), ..fixture::grant("grant-9", BOB) };
    let entry = book.next(book.grant_files(9, grant, &[MAL]), MAL, 100);
    let found = report(&[&book.entries[..], &[entry]].concat(), Options::default());
    assert_eq!(codes(&found, Step::Authority), [Code::KeyUnknown, Code::RoleMissing]);
    assert_eq!((found.verified, found.outcome(Step::Signatures)), (4, Outcome::Held));
}

#[test]
fn every_changed_byte_and_every_prefix_of_every_file_is_refused() {
    let book = Book::full();
    for at in [0, 2] {
        let good = &book.entries[at];
        assert!(check(good).verified.is_some());
        for (path, bytes) in &good.files {
            let holds = |changed: Vec<u8>| {
                let mut entry = good.clone();
                entry.files.insert(path.clone(), changed);
                check(&entry).verified.is_some()
            };
            // A policy is long and its text is one file of many: some places stand for all.
            let stride = if at == 0 { 97 } else { 1 };
            for i in (0..bytes.len()).step_by(stride) {
                assert!(!holds(bytes[..i].to_vec()), "{path}: prefix {i}");
                let mut changed = bytes.clone();
                changed[i] ^= 1;
                assert!(!holds(changed), "{path}: byte {i}");
            }
            assert!(!holds([&bytes[..], b"\n"].concat()), "{path}: a line end more");
        }
    }
}

#[test]
fn a_signature_that_was_malleated_is_refused_in_both_places() {
    use base64ct::{Base64, Encoding};
    // S + L: the same signature in the eyes of a lenient checker.
    let malleate = |signature: &mut [u8]| {
        let order = data_encoding::HEXLOWER
            .decode(b"edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
            .expect("hex");
        let mut carry = 0u16;
        for (byte, add) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
    };
    let book = Book::full();
    let good = &book.entries[1];
    assert!(check(good).verified.is_some());
    let text = String::from_utf8(good.commit.clone()).expect("ASCII");
    let (begin, end) = ("-----BEGIN SSH SIGNATURE-----\n", "\n -----END");
    let (from, to) = (text.find(begin).expect("armor") + begin.len(), text.find(end).expect("armor"));
    let mut blob = Base64::decode_vec(&text[from..to].replace(['\n', ' '], "")).expect("base64");
    let at = blob.len() - 64;
    malleate(&mut blob[at..]);
    let encoded = Base64::encode_string(&blob);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(70).map(|c| std::str::from_utf8(c).expect("ASCII")).collect();
    let mut forged = good.clone();
    forged.commit = format!("{} {}{}", &text[..from], lines.join("\n "), &text[to..]).into_bytes();
    assert!(crate::entry::Entry::parse(&forged.commit).is_ok(), "its form is good");
    assert_eq!(codes(&report(&[forged], Options::default()), Step::Signatures), [Code::SignatureInvalid]);
    // Signed into a tree by its committer, so that nothing but the statement's signature is wrong.
    let mut files = book.grant_files(9, fixture::grant("grant-9", BOB), &[ANN]);
    let entry = |files| check(&book.next(files, ANN, 100));
    assert!(entry(files.clone()).verified.is_some());
    let mut own: serde_json::Value = serde_json::from_slice(&files["statement.sig"]).expect("JSON");
    let mut signature =
        Base64::decode_vec(own["signatures"][0]["sig"].as_str().expect("one")).expect("base64");
    malleate(&mut signature);
    own["signatures"][0]["sig"] = Base64::encode_string(&signature).into();
    files.insert("statement.sig".into(), crate::canon::to_vec(&own).expect("canonical"));
    let found = entry(files);
    assert!(found.object.accepted() && found.content.accepted());
    assert!(found.signatures.has(Code::SignatureInvalid));
}

mod any_order {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    static BOOK: LazyLock<(Vec<StoredEntry>, Vec<Checked>)> = LazyLock::new(|| {
        let book = Book::full();
        let checked = book.entries.iter().map(check).collect();
        (book.entries, checked)
    });

    proptest! {
        #[test]
        fn only_a_beginning_of_the_ledger_verifies(order in proptest::collection::vec(0usize..4, 0..7)) {
            let (entries, checked) = &*BOOK;
            let mut verifier = Verifier::new(Options::default());
            for at in &order {
                verifier.push(&entries[*at], checked[*at].clone(), packets());
            }
            let (report, state) = verifier.finish();
            let right = order.iter().enumerate().take_while(|(i, at)| i == *at).count();
            prop_assert_eq!((report.verified, state.next_seq()), (right as u64, right as u64));
            prop_assert_eq!(report.exit_code == 0, right == order.len() && right > 0);
        }
    }
}
