//! What a script may not do, whatever it says: end the transaction, leave the clone, change how it is stored.
//!
//! Owns: the authorizer, the commit hook and the list of pragmas. Must not: run statements.
//!
//! Two layers for every door, since each has a gap: the authorizer does not see `INSERT OR ROLLBACK` or
//! `RAISE(ROLLBACK)` (autocommit does), `SQLITE_LIMIT_ATTACHED` does not see `PRAGMA`, and a commit that
//! slips through both is refused by the commit hook.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Result};

/// Pragmas that a script may set: they change rows, the header or how the script itself is run, and
/// nothing outside of the clone.
const MAY_SET: &[&str] = &[
    "application_id",
    "auto_vacuum",
    "cache_size",
    "case_sensitive_like",
    "cell_size_check",
    "defer_foreign_keys",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "ignore_check_constraints",
    "incremental_vacuum",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "legacy_alter_table",
    "optimize",
    "page_size",
    "quick_check",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "synchronous",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];
/// Pragmas that a script may ask, but not set.
const MAY_ASK: &[&str] = &[
    "collation_list",
    "compile_options",
    // Full-text search asks this of its own accord.
    "data_version",
    "database_list",
    "freelist_count",
    "function_list",
    "journal_mode",
    "locking_mode",
    "module_list",
    "page_count",
    "pragma_list",
    "schema_version",
    "temp_store",
];
/// Functions that reach out of the database.
const FORBIDDEN_FUNCTIONS: &[&str] = &["load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"];

/// Functions whose result may depend on the clock or on chance.
const CHANCE: &[&str] = &[
    "changes",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "julianday",
    "last_insert_rowid",
    "random",
    "randomblob",
    "sqlite_source_id",
    "sqlite_version",
    "strftime",
    "time",
    "timediff",
    "total_changes",
    "unixepoch",
];

/// The state that hooks and the script runner share.
#[derive(Debug, Default)]
struct Shared {
    /// What runs is the rehearsal's own: its verbs, its look at the rows, its checkpoint.
    own: AtomicBool,
    /// The script may use transaction verbs (the plan says `transaction = false`).
    script_verbs: AtomicBool,
    /// A plain VACUUM is running: it attaches a nameless temporary database.
    vacuum: AtomicBool,
    /// Commits that were asked for and refused.
    commit_attempts: AtomicU64,
    /// A function was used whose result may differ from one time to the next.
    chance: AtomicBool,
    /// The first thing that was refused.
    denied: Mutex<Option<String>>,
}

/// The guard of one connection.
#[derive(Clone, Debug)]
pub struct Guard(Arc<Shared>);

impl Guard {
    /// Sets the guard on `connection`. With `wrapped` the script may not touch transactions at all;
    /// without it, it may use BEGIN, COMMIT and a plain VACUUM. At `deadline` whatever the script runs
    /// is interrupted.
    ///
    /// # Errors
    /// SQLite's own.
    pub fn set(connection: &mut Connection, wrapped: bool, deadline: Instant) -> Result<Guard> {
        /// Virtual-machine steps between two looks at the clock.
        const STEPS: i32 = 20_000;
        let guard = Guard(Arc::default());
        guard.0.script_verbs.store(!wrapped, Ordering::SeqCst);
        // VACUUM needs one slot; the authorizer leaves it to VACUUM alone.
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, i32::from(!wrapped))?;
        let shared = Arc::clone(&guard.0);
        connection.authorizer(Some(move |context: AuthContext<'_>| shared.decide(&context.action)))?;
        let shared = Arc::clone(&guard.0);
        connection.commit_hook(Some(move || {
            let allowed = shared.own.load(Ordering::SeqCst) || shared.script_verbs.load(Ordering::SeqCst);
            if !allowed {
                shared.commit_attempts.fetch_add(1, Ordering::SeqCst);
            }
            !allowed
        }))?;
        let shared = Arc::clone(&guard.0);
        let late = move || !shared.own.load(Ordering::SeqCst) && Instant::now() >= deadline;
        connection.progress_handler(STEPS, Some(late))?;
        Ok(guard)
    }

    /// Runs something of the rehearsal's own, without the guard and without the deadline.
    pub fn lifted<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.0.own.swap(true, Ordering::SeqCst);
        let done = work();
        self.0.own.store(before, Ordering::SeqCst);
        done
    }

    /// Runs one of the rehearsal's own transaction verbs.
    ///
    /// # Errors
    /// SQLite's own.
    pub fn own(&self, connection: &Connection, verb: &str) -> Result<()> {
        self.lifted(|| connection.execute_batch(verb))
    }

    /// Lifts the guard for good: the script is over.
    pub fn retire(&self) {
        self.0.own.store(true, Ordering::SeqCst);
    }

    /// Says that the statement about to run is a VACUUM.
    pub fn vacuum(&self, running: bool) {
        self.0.vacuum.store(running, Ordering::SeqCst);
    }

    /// Commits that were asked for and refused.
    pub fn commit_attempts(&self) -> u64 {
        self.0.commit_attempts.load(Ordering::SeqCst)
    }

    /// Whether the script used a function whose result may differ from one time to the next.
    pub fn left_to_chance(&self) -> bool {
        self.0.chance.load(Ordering::SeqCst)
    }

    /// What was refused first, if anything was.
    pub fn denied(&self) -> Option<String> {
        self.0.denied.lock().ok().and_then(|denied| denied.clone())
    }
}

impl Shared {
    fn decide(&self, action: &AuthAction<'_>) -> Authorization {
        if self.own.load(Ordering::SeqCst) {
            return Authorization::Allow;
        }
        let refused = match action {
            // COMMIT arrives as an unknown operation: the variant decides, not the name.
            AuthAction::Transaction { operation } => {
                (!self.script_verbs.load(Ordering::SeqCst)).then(|| match operation {
                    rusqlite::hooks::TransactionOperation::Begin => "BEGIN".to_owned(),
                    rusqlite::hooks::TransactionOperation::Rollback => "ROLLBACK".to_owned(),
                    _ => "COMMIT".to_owned(),
                })
            }
            AuthAction::Attach { filename } => {
                match (self.vacuum.load(Ordering::SeqCst), filename.is_empty()) {
                    (true, true) => None,
                    (true, false) => Some("VACUUM INTO".to_owned()),
                    (false, _) => Some("ATTACH".to_owned()),
                }
            }
            AuthAction::Detach { .. } => Some("DETACH".to_owned()),
            AuthAction::Pragma { pragma_name, pragma_value } => {
                let name = pragma_name.to_ascii_lowercase();
                let listed = MAY_SET.contains(&name.as_str())
                    || (pragma_value.is_none() && MAY_ASK.contains(&name.as_str()));
                (!listed).then(|| format!("PRAGMA {name}"))
            }
            AuthAction::Function { function_name } => {
                let name = function_name.to_ascii_lowercase();
                if CHANCE.contains(&name.as_str()) {
                    self.chance.store(true, Ordering::SeqCst);
                }
                FORBIDDEN_FUNCTIONS.contains(&name.as_str()).then(|| format!("{name}()"))
            }
            AuthAction::Unknown { .. } => Some("an action unknown to this program".to_owned()),
            _ => None,
        };
        match refused {
            None => Authorization::Allow,
            Some(what) => {
                if let Ok(mut denied) = self.denied.lock() {
                    denied.get_or_insert(what);
                }
                Authorization::Deny
            }
        }
    }
}
