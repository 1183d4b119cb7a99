//! The command line: the only code that reads arguments, environment and clock, prints, and exits.
//!
//! Owns: one file a verb, each with its `Args` (whose doc comments are the help text) and `run`. A verb
//! gives an [`answer::Answer`] (text and JSON of the same facts, one exit code) or a [`answer::Failure`].
//! Must not: hold a rule; every rule stands in the pure modules.
//!
//! ```text
//! exit  0 done · 1 broken · 2 usage · 3 could not be established · 4 refused · 5 rollback or fork · 75 try again
//! ```

pub mod answer;
mod awaited;
mod admission;
mod validate;
mod probe;
mod rerun;
mod rerun_record;
mod bundle;
mod checkpoint;
mod completions;
mod demo;
mod init;
mod key;
mod key_change;
mod decision;
mod proposal;
mod policy;
mod correct;
mod blocker_decision;
mod blockers;
mod state;
mod keyring;
mod export;
mod grant;
mod leaves;
mod log;
mod man;
mod numbering;
mod show;
mod shown;
mod site;
mod status;
mod replay;
mod packet_directory;
mod publish;
mod gate;
mod hook;
mod hooks;
mod next_step;
mod outbox;
mod pager;
mod prove;
mod push;
mod recall;
mod record;
mod screen;
mod recording;
mod doctor;
mod dump;
mod table;
mod tiles;
mod trust;
mod verify;
mod verify_proof;
mod witness;
mod witness_http;
mod plan;
mod policy_choice;
mod rehearse;
mod report;
mod rehearsed;
mod place;
mod surroundings;
mod survey;
mod writing;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{FromArgMatches, Parser, Subcommand};

use answer::{Answer, Failure, Ui};

/// A signed evidence ledger in git for database rollback rehearsals.
///
/// A rehearsal runs a change and its rollback on an isolated clone and proves that the database is
/// restored exactly. It authorizes nothing: production stays on HOLD.
#[derive(Parser)]
#[command(name = "fix7-ledger", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    everywhere: Everywhere,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(clap::Args)]
struct Everywhere {
    /// Print one JSON document with a stable schema instead of text; the exit code is the same.
    #[arg(long, global = true)]
    json: bool,
    /// Colour the text. `auto`: on a terminal, as NO_COLOR, CLICOLOR and CLICOLOR_FORCE say.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    color: clap::ColorChoice,
    /// Print long pages at once instead of in $FIX7_PAGER, $PAGER or less.
    #[arg(long, global = true)]
    no_pager: bool,
}

#[derive(Subcommand)]
enum Verb {
    /// Show the whole story on a sample database, in a directory of its own.
    Demo(demo::Args),
    /// Rehearse a change and its rollback on an isolated clone, and write the packet.
    Rehearse(rehearse::Args),
    /// Judge a packet: derive every file of it again and compare.
    Validate(validate::Args),
    /// Give the rules bad input made from a packet, and see each refused for its own reason.
    Probe(probe::Args),
    /// Rehearse again from a packet's own plan, and compare every byte.
    Rerun(rerun::Args),
    /// Write a plan's template, or check a plan.
    Plan(plan::Args),
    /// Begin a ledger: its keys, their roles, and the policy.
    Init(init::Args),
    /// Permit one operator one rehearsal, and list the grants.
    Grant(grant::Args),
    /// List the entries, newest first.
    Log(log::Args),
    /// Show one entry, print one of its files, or take its packet out.
    Show(show::Args),
    /// Show what the ledger amounts to. Production is on HOLD in every case.
    Status(status::Args),
    /// Write the report: one page that shows the rehearsals and verifies itself in a browser, offline.
    Report(report::Args),
    /// Write a rehearsal's document into a directory, at its path in the knowledge hub.
    Publish(publish::Args),
    /// Print what other tools need to check entries without this program.
    Export(export::Args),
    /// Judge a packet, sign it and append it to the ledger.
    Record(record::Args),
    /// Verify the ledger, offline: eight steps, each held, broken or not established.
    Verify(verify::Args),
    /// Sign the ledger's head as a checkpoint (C2SP), which travels and can be cosigned.
    Checkpoint(checkpoint::Args),
    /// Prove offline that an entry is in the ledger, or that the ledger only grew.
    Prove(prove::Args),
    /// Be a witness of ledgers, or ask witnesses about this one.
    Witness(witness::Args),
    /// Send the ledger to a remote, behind whatever came first.
    Push(push::Args),
    /// List what could not be placed on the ledger yet, and place it.
    Outbox(outbox::Args),
    /// Install, remove and check the hooks of a clone or a server.
    Hooks(hooks::Args),
    /// Judge a range of commits as the server's hook would: a required check for hosts without hooks.
    Gate(gate::Args),
    /// Called by the installed hooks.
    #[command(hide = true)]
    Hook(hook::Args),
    /// Try every migration of a history up, down and up again.
    Survey(survey::Args),
    /// Sign where a PostgreSQL dump comes from, so that it may be rehearsed on.
    Dump(dump::Args),
    /// Make, import and list the keys that sign; add, retire and revoke those that count in a ledger.
    Key(key::Args),
    /// Show the policy in force, and tighten it.
    Policy(policy::Args),
    /// Add a signature to a proposal, which others wrote with `--propose`.
    Sign(proposal::SignArgs),
    /// Append a proposal that enough owners signed.
    Apply(proposal::ApplyArgs),
    /// Announce a rehearsal, so that it is missed until it is recorded.
    Begin(correct::BeginArgs),
    /// Say that an entry counts no more. Nothing is rewritten.
    Void(correct::VoidArgs),
    /// Show what stands between a rehearsal and production, and which entries still prove a leg of it.
    Blockers(blockers::Args),
    /// Exchange verified heads with another auditor as small signed texts.
    State(state::Args),
    /// Add an auditor's word about an entry, and confirm a suspect one.
    Note(correct::NoteArgs),
    /// Say what is missing on this machine and in this clone, and how to mend it.
    Doctor(doctor::Args),
    /// Print a completion script for a shell.
    Completions(completions::Args),
    /// Print the manual page, or write those of every verb into a directory.
    Man(man::Args),
}

impl Verb {
    fn name(&self) -> &'static str {
        match self {
            Verb::Demo(_) => "demo",
            Verb::Rehearse(_) => "rehearse",
            Verb::Validate(_) => "validate",
            Verb::Probe(_) => "probe",
            Verb::Rerun(_) => "rerun",
            Verb::Plan(_) => "plan",
            Verb::Init(_) => "init",
            Verb::Grant(_) => "grant",
            Verb::Log(_) => "log",
            Verb::Show(_) => "show",
            Verb::Status(_) => "status",
            Verb::Report(_) => "report",
            Verb::Publish(_) => "publish",
            Verb::Export(_) => "export",
            Verb::Record(_) => "record",
            Verb::Verify(_) => "verify",
            Verb::Checkpoint(_) => "checkpoint",
            Verb::Prove(_) => "prove",
            Verb::Witness(_) => "witness",
            Verb::Push(_) => "push",
            Verb::Outbox(_) => "outbox",
            Verb::Hooks(_) => "hooks",
            Verb::Gate(_) => "gate",
            Verb::Hook(_) => "hook",
            Verb::Survey(_) => "survey",
            Verb::Dump(_) => "dump",
            Verb::Key(_) => "key",
            Verb::Policy(_) => "policy",
            Verb::Sign(_) => "sign",
            Verb::Apply(_) => "apply",
            Verb::Begin(_) => "begin",
            Verb::Void(_) => "void",
            Verb::Note(_) => "note",
            Verb::Blockers(_) => "blockers",
            Verb::State(_) => "state",
            Verb::Doctor(_) => "doctor",
            Verb::Completions(_) => "completions",
            Verb::Man(_) => "man",
        }
    }

    fn run(self, ui: &Ui) -> Result<Answer, Failure> {
        match self {
            Verb::Demo(args) => demo::run(args, ui),
            Verb::Rehearse(args) => rehearse::run(args, ui),
            Verb::Validate(args) => validate::run(args, ui),
            Verb::Probe(args) => probe::run(args, ui),
            Verb::Rerun(args) => rerun::run(args, ui),
            Verb::Plan(args) => plan::run(args, ui),
            Verb::Init(args) => init::run(args, ui),
            Verb::Grant(args) => grant::run(args, ui),
            Verb::Log(args) => log::run(args, ui),
            Verb::Show(args) => show::run(args, ui),
            Verb::Status(args) => status::run(args, ui),
            Verb::Report(args) => report::run(args, ui),
            Verb::Publish(args) => publish::run(args, ui),
            Verb::Export(args) => export::run(args, ui),
            Verb::Record(args) => record::run(args, ui),
            Verb::Verify(args) => verify::run(args, ui),
            Verb::Checkpoint(args) => checkpoint::run(args, ui),
            Verb::Prove(args) => prove::run(args, ui),
            Verb::Witness(args) => witness::run(args, ui),
            Verb::Push(args) => push::run(args, ui),
            Verb::Outbox(args) => outbox::run(args, ui),
            Verb::Hooks(args) => hooks::run(args, ui),
            Verb::Gate(args) => gate::run(args, ui),
            Verb::Hook(args) => hook::run(args, ui),
            Verb::Survey(args) => survey::run(args, ui),
            Verb::Dump(args) => dump::run(args, ui),
            Verb::Key(args) => key::run(args, ui),
            Verb::Policy(args) => policy::run(args, ui),
            Verb::Sign(args) => proposal::sign(args, ui),
            Verb::Apply(args) => proposal::apply(args, ui),
            Verb::Begin(args) => correct::begin(args, ui),
            Verb::Void(args) => correct::void(args, ui),
            Verb::Note(args) => correct::note(args, ui),
            Verb::Blockers(args) => blockers::run(args, ui),
            Verb::State(args) => state::run(args, ui),
            Verb::Doctor(args) => doctor::run(args, ui),
            Verb::Completions(args) => completions::run(args, ui),
            Verb::Man(args) => man::run(args, ui),
        }
    }
}

/// Runs the command line and gives the documented exit code.
pub fn main() -> ExitCode {
    let arguments = surroundings::arguments();
    let colour = answer::colour(&arguments);
    answer::set_colour(colour);
    let asked = admission::judge(&arguments, surroundings::variables());
    if !asked.accepted() {
        let json = arguments.iter().any(|argument| argument == "--json");
        return Ui::new(json, false).finish("admission", Err(asked.into()));
    }
    let whole = || command().color(colour).try_get_matches().and_then(|found| Cli::from_arg_matches(&found));
    let cli = match one_verb(std::env::args_os().collect()).map_or_else(whole, Ok) {
        Ok(cli) => cli,
        Err(usage) => return answer::usage(&usage, std::env::args_os().any(|a| a == "--json")),
    };
    let ui = Ui::new(cli.everywhere.json, !cli.everywhere.no_pager);
    let verb = cli.verb.name();
    ui.finish(verb, cli.verb.run(&ui))
}

/// The command line of one verb alone.
#[derive(Parser)]
struct OneVerb<A: clap::Args> {
    #[command(flatten)]
    everywhere: Everywhere,
    #[command(flatten)]
    args: A,
}

/// The call of a verb that is called often, by git or in a loop: the whole command takes longer to put together than
/// some of these take to run. Whatever is not plainly such a call, help and mistakes as well, the whole command answers.
fn one_verb(mut line: Vec<OsString>) -> Option<Cli> {
    fn of<A: clap::Args>(line: Vec<OsString>, verb: fn(A) -> Verb) -> Option<Cli> {
        let OneVerb { everywhere, args } = OneVerb::try_parse_from(line).ok()?;
        Some(Cli { everywhere, verb: verb(args) })
    }
    let named = line.get(1)?.to_str()?.to_owned();
    line.remove(1);
    match named.as_str() {
        "record" => of(line, Verb::Record),
        "verify" => of(line, Verb::Verify),
        "hook" => of(line, Verb::Hook),
        _ => None,
    }
}

/// The whole command, for completions and for the test that reads the README's commands.
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_verb_alone_reads_what_the_whole_command_reads() {
        let mut read = 0;
        for line in [
            "record --packet p --repo r --key k --json",
            "record --packet p --mention a:1:b:c --failed",
            "record --packet p --color never",
            "record",
            "record --packet p --grant g --rerun-of e",
            "record --packet p extra",
            "record --packet p --help",
            "record --packet p --version",
            "verify --repo r --threads 2",
            "verify --proof p --pin x",
            "hook pre-push origin url",
            "hook pre-receive",
            "hook pre-nothing",
        ] {
            let words = || format!("fix7-ledger {line}").split(' ').map(OsString::from).collect::<Vec<_>>();
            let (whole, alone) = (Cli::try_parse_from(words()), one_verb(words()));
            assert_eq!(whole.is_ok(), alone.is_some(), "{line}");
            if let (Ok(whole), Some(alone)) = (whole, alone) {
                let told = |cli: &Cli| (cli.verb.name(), cli.everywhere.json, cli.everywhere.color);
                assert_eq!(told(&whole), told(&alone), "{line}");
                read += 1;
            }
        }
        assert!((4..8).contains(&read), "{read} are calls, the others are mistakes");
        let all = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(one_verb(all("fix7-ledger log --json")).is_none() && one_verb(all("fix7-ledger")).is_none());
    }
}
