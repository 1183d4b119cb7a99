//! The claim gate under attack: what must be refused, what must pass, and that a blind gate would be found out.
//!
//! ```text
//! channels   a push in stock git's objects, a claim in each of its channels in every disguise
//! texts      look-alikes by the official table, the unseen characters of Unicode, naughty strings, encodings
//! cut        a token cut in two at every place, over all that stands side by side
//! benign     evidence, SQL, code, messages, documents with declared mentions
//! ```
//!
//! Every corpus counts itself: `cargo test --test it claims -- --nocapture` prints refused N of N, passed M of M.

mod benign;
mod channels;
mod cut;
mod texts;

/// How a text can be written so that it reads the same: the unit tests' own table.
#[allow(dead_code)] // the units lay its encodings around one another as well
#[path = "../../src/judge/gate/disguises.rs"]
mod disguises;

use fix7_ledger::judge::gate::{Channel, Gate};
use fix7_ledger::packet::Files;
use fix7_ledger::policy::Policy;
use fix7_ledger::statement::Mention;
use fix7_ledger::verdict::{Code, Verdict};

/// A gate as the corpora see it.
trait Look {
    fn text(&self, channel: Channel<'_>, bytes: &[u8]) -> Verdict;
    fn packet(&self, files: &Files, mentions: &[Mention]) -> Verdict;
}

impl Look for Gate {
    fn text(&self, channel: Channel<'_>, bytes: &[u8]) -> Verdict {
        self.scan("x", channel, bytes)
    }
    fn packet(&self, files: &Files, mentions: &[Mention]) -> Verdict {
        self.scan_packet(files, mentions)
    }
}

/// The control: lets everything through.
struct Blind;

impl Look for Blind {
    fn text(&self, _: Channel<'_>, _: &[u8]) -> Verdict {
        Verdict::default()
    }
    fn packet(&self, _: &Files, _: &[Mention]) -> Verdict {
        Verdict::default()
    }
}

fn gate() -> Gate {
    Gate::new(&Policy::default_policy())
}

/// What became of a corpus.
#[derive(Default)]
struct Count {
    cases: usize,
    wrong: Vec<String>,
}

impl Count {
    /// A case that must be refused for this reason.
    fn refused(&mut self, verdict: &Verdict, code: Code, what: impl FnOnce() -> String) {
        self.cases += 1;
        if !verdict.has(code) {
            self.wrong.push(format!("{}: {:?}", what(), verdict.reasons()));
        }
    }

    /// A case that must be let through.
    fn passed(&mut self, verdict: &Verdict, what: impl FnOnce() -> String) {
        self.cases += 1;
        if !verdict.accepted() {
            self.wrong.push(format!("{}: {:?}", what(), verdict.reasons()));
        }
    }

    /// Prints the count and demands that nothing is wrong, over `least` cases.
    #[track_caller]
    fn told(self, corpus: &str, verb: &str, least: usize) {
        eprintln!("{corpus}: {verb} {} of {}", self.cases - self.wrong.len(), self.cases);
        assert!(self.cases >= least, "{corpus}: {} cases", self.cases);
        let shown: Vec<String> =
            self.wrong.iter().take(40).map(|text| text.chars().take(240).collect()).collect();
        assert!(self.wrong.is_empty(), "{} of {}:\n{}", self.wrong.len(), self.cases, shown.join("\n"));
    }
}

#[test]
fn a_blind_gate_is_found_out() {
    for (corpus, count) in [
        ("channels", channels::attacks(&Blind)),
        ("look-alikes and unseen characters", texts::unseen(&Blind)),
        ("naughty strings", texts::naughty(&Blind)),
        ("encodings", texts::nested(&Blind)),
        ("cuts", cut::attacks(&Blind)),
    ] {
        assert_eq!(count.wrong.len(), count.cases, "{corpus}: every attack gets past a blind gate");
        assert!(count.cases > 50, "{corpus}: {}", count.cases);
    }
}
