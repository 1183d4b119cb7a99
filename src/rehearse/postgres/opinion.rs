//! The schema as `pg_dump --schema-only` tells it: a second opinion beside the catalogue's digest.
//!
//! Owns: asking pg_dump, and taking out of its text what is no schema. Must not: be asked while a transaction is open,
//! into which pg_dump cannot look.
//!
//! ```text
//! text       a preamble, then a block for each object, headed by `-- Name: t; Type: TABLE; Schema: public; …`
//! moved      `SET default_tablespace`, `SET default_table_access_method`: into the tables that they are about, since they
//!            stand before whichever comes next
//! left out   \restrict and \unrestrict, whose token is random unless a client knows --restrict-key; `-- Dumped …`
//!
//! digest     H(lp("fix7/postgresql/pg_dump/v1") u64(blocks) {lp(block)}…)      ascending
//! ```

use std::fs;

use super::cluster::{Place, SUPERUSER, run};
use super::failure::outside;
use crate::digest::{Digest, Hasher};
use crate::rehearse::engine::Failure;

const LABEL: &str = "fix7/postgresql/pg_dump/v1";
/// What every block but the preamble begins with.
const HEAD: &str = "--\n-- Name: ";
/// What the first block is headed by here.
const PREAMBLE: &str = "the preamble;\n";
/// What the last block ends with.
const END: &str = "--\n-- PostgreSQL database dump complete";

/// What pg_dump says of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Ascending.
    blocks: Vec<String>,
}

impl Told {
    /// Asks pg_dump about one database of the running cluster.
    pub(super) fn of(place: &Place, database: &str) -> Result<Told, Failure> {
        let file = place.directory.join(format!("{database}.schema"));
        let mut command = place.client("pg_dump", SUPERUSER, database);
        command.arg("--schema-only").arg("--file").arg(&file);
        let told = run(command, "pg_dump").and_then(|()| {
            let text = fs::read_to_string(&file);
            text.map_err(|e| outside(format!("what pg_dump wrote cannot be read: {e}")))
        });
        let _ = fs::remove_file(&file); // a failed pg_dump may have left none
        Ok(Told::read(&told?))
    }

    fn read(text: &str) -> Told {
        let (text, _) = text.rsplit_once(END).unwrap_or((text, ""));
        let (mut restricted, mut tablespace, mut method) = (None, "", "");
        let mut kept = String::from(PREAMBLE);
        for line in text.split_inclusive('\n') {
            match line.strip_prefix("\\restrict ") {
                Some(token) if restricted.is_none() => restricted = Some(format!("\\unrestrict {token}")),
                _ if restricted.as_deref() == Some(line) || line.starts_with("-- Dumped ") => {}
                _ if line.starts_with("SET default_tablespace = ") => tablespace = line,
                _ if line.starts_with("SET default_table_access_method = ") => method = line,
                _ => kept.push_str(line),
            }
            if line.starts_with("-- Name: ") && line.contains("; Type: TABLE;") {
                kept.push_str(tablespace);
                kept.push_str(method);
            }
        }
        let mut blocks: Vec<String> = kept.split(HEAD).map(|block| block.trim_end().to_owned()).collect();
        blocks.sort_unstable();
        Told { blocks }
    }

    pub(super) fn digest(&self) -> Digest {
        let mut hasher = Hasher::labelled(LABEL);
        hasher.update(&(self.blocks.len() as u64).to_be_bytes());
        self.blocks.iter().for_each(|block| hasher.framed(block.as_bytes()));
        hasher.finish()
    }

    /// The first object that the two tell otherwise, or that one of them does not tell.
    pub(super) fn differs_in(&self, other: &Told) -> String {
        let here = self.blocks.iter().find(|block| !other.blocks.contains(block));
        let there = || other.blocks.iter().find(|block| !self.blocks.contains(block));
        let name = here.or_else(there).and_then(|block| block.split(';').next());
        name.unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_versions_are_no_schema_and_what_differs_has_a_name() {
        let text = |token: &str, version: &str, body: &str| {
            format!(
                "\\restrict {token}\n\n-- Dumped from database version {version}\nSET x = 1;\n\n--\n-- Name: t; Type: TABLE\n--\n\n\
                 CREATE TABLE t();\n\n--\n-- Name: f(); Type: FUNCTION\n--\n\n{body}\n\n\\unrestrict {token}\n\n"
            )
        };
        let one = Told::read(&text("abc", "15.18", "body\n\\restrict x\n\\unrestrict x"));
        assert_eq!(one, Told::read(&text("xyz", "15.19", "body\n\\restrict x\n\\unrestrict x")));
        let other = Told::read(&text("abc", "15.18", "body\n\\restrict x\n\\unrestrict y"));
        assert_ne!(one.digest(), other.digest());
        assert_eq!(one.differs_in(&other), "f()");
        let one = "SET default_tablespace = '';\n--\n-- Name: t; Type: TABLE; Schema: s\n--\nt\n";
        let two = "--\n-- Name: a; Type: TYPE; Schema: s\n--\na\nSET default_tablespace = '';\n--\n-- Name: t; Type: TABLE; Schema: s\n--\nt\n";
        assert_eq!(Told::read(one).differs_in(&Told::read(two)), "a");
        assert_ne!(Told::read(one), Told::read(&one.replace("''", "'fast'")));
        assert_eq!(Told::read("SET x = 1;\n").differs_in(&Told::read("SET x = 2;\n")), "the preamble");
    }
}
