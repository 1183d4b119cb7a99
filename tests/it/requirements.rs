//! The rows of the requirements, each with the tests that show it, both sides.
//!
//! ```text
//! table      row ─► names of the tests that show it, anywhere in the sources; a test here looks them up
//! ground     the specimen with one thing changed       evidence   R14 to R28, R36 to R40
//! papers     R01 to R13, R41 to R57                    program    what only the binary shows
//! ```
//!
//! R47 stays open by nature: a dump of the operator's is needed, and no packet can bring one.

mod evidence;
mod ground;
mod papers;
mod program;
mod table;
