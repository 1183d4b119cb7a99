//! `demo`: the whole story in one empty directory, as commands that a newcomer can repeat.
//!
//! Owns: the order of the scenes. Must not: do anything that a command line could not; every step is this
//! program or git, started as a child, and a step that ends otherwise than it should ends the demo.

mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use super::answer::{Answer, Failure, Ui};
use crate::evidence::Plan;
use crate::rehearse::sample;
use crate::verdict::Code;
use stage::Stage;

/// Arguments of `demo`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Where: a directory that does not exist yet, or is empty.
    #[arg(long, value_name = "DIR", default_value = "fix7-demo")]
    dir: PathBuf,
    /// A SQLite database of yours instead of the sample. It is only read.
    #[arg(long, value_name = "DB", requires = "plan")]
    source: Option<PathBuf>,
    /// A plan for it (`fix7-ledger plan new DIR` writes a template).
    #[arg(long, value_name = "DIR", requires = "source")]
    plan: Option<PathBuf>,
}

/// The ref that the demo's ledger stands on.
const LEDGER: &str = "refs/heads/fix7-ledger/main";

pub(super) fn run(args: Args, ui: &Ui) -> Result<Answer, Failure> {
    let dir = empty_directory(&args.dir)?;
    let (source, plan) = inputs(&args, &dir)?;
    let mut stage = Stage::new(ui, &dir)?;

    stage.scene("Two people: an owner, who grants, and an operator, who rehearses");
    stage.us(&["key", "new", "olga", "--dir", "keys", "--no-passphrase"])?;
    stage.us(&["key", "new", "anna", "--dir", "keys", "--no-passphrase"])?;

    stage.scene("A clone with its hook, a server with its hook, and an empty ledger");
    stage.git(&["init", "-q", "--bare", "server.git"])?;
    stage.git(&["init", "-q", "work"])?;
    stage.git(&["-C", "work", "remote", "add", "origin", "../server.git"])?;
    stage.us(&["hooks", "install", "--repo", "work"])?;
    stage.us(&["hooks", "install", "--repo", "server.git", "--server"])?;
    let ids = ["--owner", "olga=keys/olga", "--operator", "anna=keys/anna", "--key", "keys/olga"];
    stage.us(&[&["init", "--repo", "work", "--name", "demo", "--demo"][..], &ids].concat())?;

    stage.scene("The rehearsal: the change and its rollback on an isolated clone of the database");
    stage.us(&["rehearse", "--repo", "work", "--source", &source, "--plan", &plan, "--out", "packet"])?;

    stage.scene("The owner grants one rehearsal; the operator records it and pushes");
    stage.us(&["grant", "issue", "--repo", "work", "--operator", "anna", "--key", "keys/olga"])?;
    stage.us(&[
        "record",
        "--repo",
        "work",
        "--packet",
        "packet",
        "--key",
        "keys/anna",
        "--push",
        "origin",
    ])?;
    let good = stage.ask_git(&["-C", "work", "rev-parse", LEDGER])?;

    stage.scene("An auditor verifies, with this program and with stock git");
    let id = ledger_id(&stage)?;
    stage.us(&["verify", "--repo", "server.git", "--pin", &id])?;
    let signers = stage.ask_us(&["export", "allowed-signers", "--repo", "work"])?;
    write(&dir.join("signers"), &signers)?;
    let config = format!("gpg.ssh.allowedSignersFile={}", dir.join("signers").display());
    stage.git(&["-C", "server.git", "-c", &config, "verify-commit", LEDGER])?;

    stage.scene("Somebody edits the decision to claim a production pass, signs it and pushes");
    forge(&mut stage, &dir)?;
    stage.refused(&["git", "-C", "work", "push", "origin", "fix7-ledger/main"], "CLAIM_FOUND")?;
    stage.scene("… and tries around the hook: the server refuses as well");
    stage.refused(
        &["git", "-C", "work", "push", "--no-verify", "origin", "fix7-ledger/main"],
        "CLAIM_FOUND",
    )?;

    stage.scene("The ledger on the server is what it was");
    let after = stage.ask_git(&["-C", "server.git", "rev-parse", LEDGER])?;
    if after != good {
        return Err(Failure::because(
            Code::LedgerRewritten,
            LEDGER,
            format!("expected {good}, found {after}"),
        ));
    }
    stage.git(&["-C", "work", "worktree", "remove", "--force", "../forged"])?;
    stage.git(&["-C", "work", "update-ref", LEDGER, &good])?;
    stage.us(&["log", "--repo", "server.git"])?;

    let text = format!(
        "\nEverything is in {}. What to look at next:\n\
         \x20 packet/README.md                      the evidence, rendered\n\
         \x20 packet/clone-rollback-evidence.json   before, after and after the rollback, leg by leg\n\
         \x20 sh packet/RERUN.sh {source}    the same packet again, byte for byte (run it in that directory)\n\
         \x20 git -C work show fix7-ledger/main     the entry, in plain git\n\
         \x20 fix7-ledger demo --dir mine --source YOUR.db --plan YOUR-PLAN\n\
         \x20 fix7-ledger survey --migrations DIR   your own migrations: which rollbacks are exact?",
        dir.display()
    );
    Ok(Answer::done(text).with("dir", &dir).with("steps", stage.into_steps()))
}

/// The directory, made or found empty.
fn empty_directory(given: &Path) -> Result<PathBuf, Failure> {
    let failed = |e: std::io::Error| Failure::because(Code::Unreadable, given.display(), e);
    fs::create_dir_all(given).map_err(failed)?;
    if fs::read_dir(given).map_err(failed)?.next().is_some() {
        return Err(Failure::because(Code::AlreadyExists, given.display(), "the directory is not empty"));
    }
    fs::canonicalize(given).map_err(failed)
}

/// The database and the plan: given ones by their absolute paths, or the sample's.
fn inputs(args: &Args, dir: &Path) -> Result<(String, String), Failure> {
    let absolute = |path: &Path| -> Result<String, Failure> {
        let found =
            fs::canonicalize(path).map_err(|e| Failure::because(Code::Unreadable, path.display(), e))?;
        Ok(found.to_string_lossy().into_owned())
    };
    if let (Some(source), Some(plan)) = (&args.source, &args.plan) {
        return Ok((absolute(source)?, absolute(plan)?));
    }
    sample::create(&dir.join("shop.db")).map_err(|e| Failure::because(Code::Unreadable, "shop.db", e))?;
    let mut files = Plan::template();
    files.insert("up.sql".to_owned(), sample::CHANGE.to_owned());
    files.insert("down.sql".to_owned(), sample::ROLLBACK.to_owned());
    let plan = files.get("plan.toml").map(|text| text.replace("tiny-example", "delivery-windows"));
    files.extend(plan.map(|text| ("plan.toml".to_owned(), text)));
    for (name, text) in files {
        write(&dir.join("plan").join(name), &text)?;
    }
    Ok(("shop.db".to_owned(), "plan".to_owned()))
}

/// The ledger's id, as `init` told it.
fn ledger_id(stage: &Stage<'_>) -> Result<String, Failure> {
    let status = stage.ask_us(&["status", "--repo", "work", "--json"])?;
    let status: serde_json::Value =
        serde_json::from_str(&status).map_err(|e| Failure::because(Code::Malformed, "status --json", e))?;
    let id = status["ledger"].as_str().map(str::to_owned);
    id.ok_or_else(|| Failure::because(Code::LedgerAbsent, LEDGER, "its status names no id"))
}

/// A commit on the ledger's branch whose packet claims a production pass, signed with the operator's key.
fn forge(stage: &mut Stage<'_>, dir: &Path) -> Result<(), Failure> {
    stage.git(&["-C", "work", "worktree", "add", "-q", "../forged", "fix7-ledger/main"])?;
    let decision = dir.join("forged/packet/production-decision-packet.json");
    let text = fs::read_to_string(&decision)
        .map_err(|e| Failure::because(Code::Unreadable, decision.display(), e))?;
    write(&decision, &text.replace("\"HOLD_PRODUCTION\"", "\"PRODUCTION_PASS\""))?;
    stage.note("# in forged/packet/production-decision-packet.json: HOLD_PRODUCTION becomes PRODUCTION_PASS");
    let message = stage.ask_git(&["-C", "forged", "log", "-1", "--format=%B"])?;
    write(&dir.join("message"), &message)?;
    let key = format!("user.signingkey={}", dir.join("keys/anna").display());
    let message = dir.join("message").to_string_lossy().into_owned();
    stage.git(&[
        "-C",
        "forged",
        "-c",
        "gpg.format=ssh",
        "-c",
        &key,
        "commit",
        "-q",
        "-n",
        "-S",
        "-a",
        "-F",
        &message,
    ])?;
    // What was pushed is the branch itself, whichever work tree it is checked out in.
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::because(Code::Unreadable, path.display(), e);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}
