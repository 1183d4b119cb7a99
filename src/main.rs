//! The call. Everything is in the library; see its tour.

use fix7_ledger::rehearse::isolation::child;

/// The system's allocator takes the longer for each entry the more entries were verified before: in a profile of
/// `verify` over 10^6 entries it took a sixth of the time. It is the program's choice; the library leaves it to its user.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // Before anything else: a confined child puts its layers on while it has a single thread.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == child::VERB) {
        return child::serve(fix7_ledger::rehearse::child::handle);
    }
    fix7_ledger::cli::main()
}
