//! The messages between parent and child: one JSON value a line, over two pipes.
//!
//! Owns: the messages and the line's limit. Must not: know what a question means.
//! Standard output of the child carries nothing else; whatever prints in the child goes to standard error.

use std::io::{self, BufRead, Read};
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Walls;
use crate::evidence::isolation::{Layer, Level};

/// Longest line in bytes, either way: a child that went wrong cannot fill the parent's memory.
pub(super) const MAX_LINE: usize = 16 << 20;

/// What a child is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    /// Makes the same attempts without any layer.
    Control,
    /// Confined at a level.
    Confined(Level),
}

/// Everything that a child is told at its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setup {
    pub(super) role: Role,
    /// What the walls leave room for.
    pub(super) walls: Walls,
    /// The process that must be this one's parent, and that probes aim signals at.
    pub(super) parent: u32,
    /// The run's own directory.
    pub(super) scratch: PathBuf,
    pub(super) executable: PathBuf,
    pub(super) targets: Targets,
    /// Names the files that this child's probes make and remove.
    pub(super) nonce: String,
}

/// The live listeners.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Targets {
    pub(super) tcp: SocketAddr,
    pub(super) udp: SocketAddr,
    pub(super) unix_path: PathBuf,
    pub(super) unix_abstract: String,
}

/// Parent to child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToChild {
    /// First of all.
    Setup(Setup),
    /// The parent knows the process id: put the layers on.
    Go,
    /// To the control child: make every attempt that has a control.
    Attempt,
    /// A question for the handler.
    Ask(Value),
    /// To the control child: the parent removed the scratch directory itself.
    Finish,
}

/// Child to parent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToParent {
    /// The process that will answer from now on.
    Started { pid: u32 },
    /// A layer could not be put on.
    Unavailable { layer: Layer, step: String, errno: String },
    /// Every layer is on.
    Confined(Report),
    /// The control's attempts.
    Attempted(Vec<Answer>),
    /// Something to show while a question is being answered.
    Notice(Value),
    /// The handler's answer.
    Answer(Value),
    /// The pipe was closed by the parent, and everything is done.
    Ended,
}

/// What the confined child says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    pub(super) answers: Vec<Answer>,
    pub(super) landlock_abi: u32,
    pub(super) landlock_status: String,
}

/// One attempt's outcome.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// `layer/attempt`.
    pub(super) probe: String,
    /// An errno's name, or `REACHED`.
    pub(super) outcome: String,
    /// Whether this child reached it before the layer was put on.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(super) before: bool,
}

/// Writes a message as a line.
pub(super) fn line(message: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(message)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads one line without its end. `None` at the end of the stream.
pub(super) fn read_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(MAX_LINE as u64 + 1).read_until(b'\n', &mut bytes)?;
    match bytes.pop() {
        None => Ok(None),
        Some(b'\n') if bytes.len() <= MAX_LINE => Ok(Some(bytes)),
        Some(_) if bytes.len() >= MAX_LINE => {
            Err(io::Error::new(io::ErrorKind::InvalidData, format!("a line of over {MAX_LINE} bytes")))
        }
        Some(_) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a line without its end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whole_or_refused() {
        let mut two = &b"{}\n[1]\n"[..];
        assert_eq!(read_line(&mut two).expect("a line"), Some(b"{}".to_vec()));
        assert_eq!(read_line(&mut two).expect("a line"), Some(b"[1]".to_vec()));
        assert_eq!(read_line(&mut two).expect("the end"), None);
        assert!(read_line(&mut &b"{\"cut off"[..]).is_err());
        let mut endless = io::BufReader::new(io::repeat(b'x'));
        assert!(read_line(&mut endless).is_err());
    }
}
