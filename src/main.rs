//! The call. Everything is in the library; see its tour.

fn main() -> std::process::ExitCode {
    fix7_ledger::cli::main()
}
