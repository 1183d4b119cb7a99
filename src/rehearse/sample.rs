//! The sample database of `demo`: a small shop, the same bytes of content each time.
//!
//! Owns: the sample's SQL and plan. Must not: be used for anything but the demo and tests.

use std::path::Path;

/// The sample's schema and rows.
pub const DATABASE: &str = include_str!("sample/database.sql");
/// A change that a shop would make.
pub const CHANGE: &str = include_str!("sample/up.sql");
/// Its exact way back.
pub const ROLLBACK: &str = include_str!("sample/down.sql");

/// Makes the sample database at `path`, which must not exist.
///
/// # Errors
/// Whatever SQLite says, mostly that the place cannot be written.
pub fn create(path: &Path) -> rusqlite::Result<()> {
    use rusqlite::OpenFlags;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = rusqlite::Connection::open_with_flags(path, flags)?;
    connection.execute_batch(DATABASE)?;
    connection.close().map_err(|(_, error)| error)
}
