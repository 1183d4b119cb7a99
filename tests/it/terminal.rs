//! `log`, `show` and `status` on a real terminal (a pseudo-terminal made by Python's `pty`): nothing is wider than it,
//! nothing is coloured that should not be, and a pager is what the reader named, never a shell.

use std::os::unix::fs::PermissionsExt as _;

use crate::harness::{BINARY, Ran, Scratch};
use crate::sample::fetched;
use crate::stage::Stage;

/// Runs its arguments on a terminal of so many rows and columns, and passes on what it shows and how it ended.
const ON_A_TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", int(sys.argv[1]), int(sys.argv[2]), 0, 0))
    os.execvp(sys.argv[3], sys.argv[3:])
while True:
    try:
        shown = os.read(terminal, 65536)
    except OSError:
        break
    if not shown:
        break
    sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

/// Tall enough for every page: no pager is asked for.
const TALL: u16 = 2000;

/// The binary on a terminal, with these variables.
#[track_caller]
fn on_terminal(s: &Scratch, rows: u16, columns: u16, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = s.scrubbed("python3");
    command.args(["-c", ON_A_TERMINAL, &rows.to_string(), &columns.to_string(), BINARY]).args(arguments);
    command.env("TERM", "xterm-256color").envs(variables.iter().copied());
    let mut ran = Ran::of(&arguments.join(" "), command.output().expect("python3 starts"));
    ran.stdout = ran.stdout.replace("\r\n", "\n");
    ran
}

/// Columns that a line takes, its colours left out. What is shown here is ASCII but for the sign of a cut.
fn columns(line: &str) -> usize {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().chars().count();
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, text)| text.chars().count())).sum::<usize>()
}

const PAGES: [&[&str]; 6] = [
    &["log", "--repo", "sample.git"],
    &["show", "--repo", "sample.git"],
    &["show", "--repo", "sample.git", "0"],
    &["status", "--repo", "sample.git"],
    &["blockers", "--repo", "sample.git", "--history"],
    &["grant", "list", "--repo", "sample.git"],
];

#[test]
fn no_line_is_wider_than_the_terminal_and_nothing_is_lost_on_a_wide_one() {
    let s = fetched();
    for page in PAGES {
        for width in [40, 80, 200] {
            let shown = on_terminal(&s, TALL, width, &[], page).ok().stdout;
            let widest = shown.lines().max_by_key(|line| columns(line)).expect("a line");
            assert!(columns(widest) <= width.into(), "{page:?} on {width}: {widest:?}");
            assert!(shown.contains("\u{1b}["), "{page:?}: a terminal gets colours");
            assert!(width < 200 || !shown.contains('…'), "{page:?} on {width}: nothing is cut");
        }
        let free = s.run(page).ok().stdout;
        assert!(!free.contains('…') && !free.contains('\u{1b}'), "{page:?}: a pipe gets everything, bare");
    }
    // Not broken in two: each word of the narrow page is one of the wide page, or ends in the sign of a cut.
    let wide = on_terminal(&s, TALL, 200, &[("NO_COLOR", "1")], PAGES[3]).ok().stdout.to_lowercase();
    let narrow = on_terminal(&s, TALL, 40, &[("NO_COLOR", "1")], PAGES[3]).ok().stdout;
    for word in narrow.split_whitespace() {
        let word = word.to_lowercase();
        let begun = word.strip_suffix('…').map(|begun| wide.contains(begun));
        assert!(begun.unwrap_or_else(|| wide.split_whitespace().any(|whole| whole == word)), "{word}");
    }
}

#[test]
fn colours_are_as_the_reader_says() {
    let s = fetched();
    let coloured = |variables: &[(&str, &str)], more: &[&str]| {
        let shown = on_terminal(&s, TALL, 80, variables, &[PAGES[3], more].concat()).ok();
        shown.stdout.contains('\u{1b}')
    };
    assert!(coloured(&[], &[]));
    assert!(!coloured(&[("NO_COLOR", "1")], &[]));
    assert!(!coloured(&[("CLICOLOR", "0")], &[]));
    assert!(!coloured(&[("TERM", "dumb")], &[]));
    assert!(!coloured(&[], &["--color", "never"]));
    assert!(coloured(&[("NO_COLOR", "1")], &["--color=always"]), "what is typed counts more");
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], &["--color=never"]));
    // Into a pipe, where nobody looks.
    let piped = |variables: &[(&str, &str)], more: &[&str]| {
        let mut command = s.binary(&[PAGES[3], more].concat());
        let output = command.envs(variables.iter().copied()).output().expect("starts");
        Ran::of("status", output).ok().stdout.contains('\u{1b}')
    };
    assert!(!piped(&[], &[]) && !piped(&[], &["--color", "auto"]));
    assert!(piped(&[("CLICOLOR_FORCE", "1")], &[]) && piped(&[], &["--color", "always"]));
    // What is wrong with the words themselves is coloured no more than the rest.
    for (variables, more, expected) in
        [(&[][..], &[][..], true), (&[("NO_COLOR", "1")], &[], false), (&[], &["--color", "never"], false)]
    {
        let words = [&["status", "--nonsense"], more].concat();
        let shown = on_terminal(&s, TALL, 80, variables, &words).exits(2);
        assert_eq!(shown.stdout.contains('\u{1b}'), expected, "{words:?}");
    }
    s.run(&["status", "--color", "sometimes"]).exits(2);
    // JSON is JSON for whoever reads it.
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], &["--json"]));
}

#[test]
fn moments_are_relative_for_people_alone() {
    let s = fetched();
    for page in [PAGES[0], PAGES[1], PAGES[3]] {
        on_terminal(&s, TALL, 120, &[], page).ok().says(" ago");
        let free = s.run(page).ok().says("2026-11-23T08:2");
        assert!(!free.stdout.contains(" ago"), "{}", free.stdout);
    }
}

/// A pager that writes down its arguments and what it was given.
fn pager(s: &Scratch) -> String {
    let path = s.write("pager", "#!/bin/sh\nprintf '%s\\n' \"$@\" > given-arguments\ncat > given-text\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_long_page_on_a_terminal_goes_to_the_readers_own_pager() {
    let s = fetched();
    let pager = pager(&s);
    let paged = || std::fs::read_to_string(s.path("given-text")).ok();
    let shown = |rows: u16, variables: &[(&str, &str)], more: &[&str]| {
        let _ = std::fs::remove_file(s.path("given-text"));
        on_terminal(&s, rows, 80, variables, &[PAGES[1], more].concat()).ok().stdout
    };
    let named = [("FIX7_PAGER", pager.as_str()), ("PAGER", "false")];
    assert_eq!(shown(20, &named, &[]), "", "the pager has it all");
    let text = paged().expect("paged");
    assert!(text.contains("entry #3 rerun") && text.contains("statement.sig") && text.contains('\u{1b}'));
    shown(20, &[("PAGER", pager.as_str()), ("NO_COLOR", "1")], &[]);
    assert!(
        paged().is_some_and(|text| !text.contains('\u{1b}')),
        "bare where the terminal would get it bare"
    );
    // Without a pager: it is short, it is not wanted, there is none, or nobody looks.
    for (rows, variables, more) in [
        (TALL, &named[..], &[][..]),
        (20, &named, &["--no-pager"]),
        (20, &[("FIX7_PAGER", "")], &[]),
        (20, &[("FIX7_PAGER", "cat")], &[]),
        (20, &[("FIX7_PAGER", "no-such-pager-here")], &[]),
        (20, &named, &["--json"]),
    ] {
        let text = shown(rows, variables, more);
        assert!(paged().is_none() && text.contains("statement.sig"), "{variables:?} {more:?}");
    }
    let mut piped = s.binary(PAGES[1]);
    piped.env("FIX7_PAGER", &pager).output().expect("starts");
    assert!(paged().is_none());
}

#[test]
fn a_pager_is_a_program_with_arguments_and_no_shell() {
    let s = fetched();
    let line = format!("{} -x $(touch owned) ;touch owned", pager(&s));
    on_terminal(&s, 20, 80, &[("FIX7_PAGER", &line)], PAGES[1]).ok();
    let arguments = std::fs::read_to_string(s.path("given-arguments")).expect("called");
    assert_eq!(arguments, "-x\n$(touch\nowned)\n;touch\nowned\n");
    assert!(!s.path("owned").exists());
}

#[test]
fn a_reader_who_leaves_early_makes_no_noise_and_findings_keep_their_exit() {
    let s = fetched();
    // `true` reads nothing: the page is longer than a pipe holds.
    let many = ["show", "--repo", "sample.git", "--file", "packet/rehearsal-execution-evidence.json"];
    let left = on_terminal(&s, 2, 80, &[("FIX7_PAGER", "true")], &many).ok();
    assert_eq!(left.stdout, "");
    let quiet = s.program("", "sh", &["-c", &format!("{BINARY} show --repo sample.git | head -1")]).ok();
    assert_eq!(quiet.stderr, "");
    // The same exit with and without the pager.
    let stage = Stage::new();
    stage.us(&["begin", "--repo", "work", "--key", "keys/anna", "--grant", "grant-3"]).ok();
    for more in [&[][..], &["--no-pager"]] {
        let words = [&["status", "--repo", "work"], more].concat();
        on_terminal(&stage.scratch, 3, 80, &[("FIX7_PAGER", "true")], &words).exits(3).says("RUN_OPEN");
    }
}

#[test]
fn text_of_others_steers_no_terminal() {
    let s = fetched();
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}";
    for arguments in [&["show", "--repo", "sample.git", hostile], &["key", "list", "--dir", hostile]] {
        let shown = on_terminal(&s, TALL, 80, &[("NO_COLOR", "1")], arguments).stdout;
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown:?}");
        assert!(shown.contains("owned"), "it is shown, and spelt out: {shown:?}");
    }
}

#[test]
fn a_status_begins_with_the_hold_and_ends_with_what_to_do() {
    let s = fetched();
    let text = s.run(PAGES[3]).ok().stdout;
    assert!(text.starts_with("HOLD_PRODUCTION  "), "{text}");
    let names: Vec<&str> = text
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let expected = [
        "HOLD_PRODUCTION",
        "ledger",
        "head",
        "rehearsal",
        "blockers",
        "findings",
        "owners",
        "grants",
        "next",
    ];
    assert_eq!(names, expected);
    assert!(text.contains("7 open: ") && text.contains("findings    none"), "{text}");
    // What to do next follows from what is there.
    let stage = Stage::new();
    let next = |exit: i32| {
        let json = stage.us(&["status", "--repo", "work", "--json"]).exits(exit).json();
        json["next"][0].as_str().expect("a step").to_owned()
    };
    assert!(next(0).starts_with("anna has grant `grant-3`"), "{}", next(0));
    stage.us(&["begin", "--repo", "work", "--key", "keys/anna", "--grant", "grant-3"]).ok();
    assert!(next(3).contains("entry #4 began is missed"), "{}", next(3));
    let empty = Scratch::new();
    empty.git("", &["init", "-q", "--bare", "empty.git"]).ok();
    empty.run(&["status", "--repo", "empty.git"]).exits(3).says("HOLD_PRODUCTION");
}

#[test]
fn the_json_of_the_pages_has_these_fields_and_no_others() {
    let s = fetched();
    let fields = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    let frame = ["exit", "ok", "reasons", "schema"];
    let with = |own: &[&str]| {
        let mut all: Vec<String> = own.iter().chain(&frame).map(|&name| name.to_owned()).collect();
        all.sort();
        all
    };
    let json = |page: &[&str]| s.run(&[page, &["--json"]].concat()).ok().json();
    let log = json(PAGES[0]);
    assert_eq!(fields(&log), with(&["entries", "hold", "ledger"]));
    let entry =
        ["by", "commit", "key", "kind", "leaf", "name", "packet_tree", "seq", "statement", "suspect", "time"];
    assert_eq!(fields(&log["entries"][0]), entry);
    let shown =
        ["commit", "files", "independent_reruns", "leaf", "seq", "statement", "suspect", "trailers", "void"];
    assert_eq!(fields(&json(PAGES[1])), with(&shown));
    let status = [
        "commit",
        "demo",
        "entries",
        "hold",
        "independent_reruns",
        "last_rehearsal",
        "leaf",
        "ledger",
        "name",
        "next",
        "numbers",
        "open_begins",
        "open_blockers",
        "open_grants",
        "owner_threshold",
        "policy",
        "rehearsals",
        "root",
        "suspect_entries",
        "time",
    ];
    assert_eq!(fields(&json(PAGES[3])), with(&status));
}
