//! ssh-agent: a key that signs without being here.
//!
//! Owns: the two requests of the agent protocol that are needed, list and sign, over its unix socket.
//! Must not: see a secret. What the agent answers is checked by [`crate::keys::Signer::sign`].
//!
//! ```text
//! request    u32 length · 11                                              list
//! answer     u32 length · 12 · u32 n · n × (string key · string comment)
//! request    u32 length · 13 · string key · string data · u32 flags       sign
//! answer     u32 length · 14 · string (string "ssh-ed25519" · string 64 bytes)
//! ```
//! (draft-ietf-sshm-ssh-agent, sections 3.5 and 3.6)

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::keys::{ALGORITHM, Fingerprint, PublicKey, Signature, Signer};

/// Largest answer in bytes: OpenSSH's own limit, so that an agent cannot exhaust memory.
pub const MAX_ANSWER_BYTES: u32 = 256 << 10;
/// Most identities looked at; an agent refuses logins long before.
pub const MAX_IDENTITIES: u32 = 1024;
/// How long an answer may take: a person may have to touch a token.
const PATIENCE: Duration = Duration::from_secs(60);

const LIST: u8 = 11;
const LISTED: u8 = 12;
const SIGN: u8 = 13;
const SIGNED: u8 = 14;

/// Why the agent could not be used.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The socket.
    #[error("ssh-agent at {socket}: {source}")]
    Socket {
        /// Its path.
        socket: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// An answer that is not one.
    #[error("ssh-agent gave an answer that is not understood: {0}")]
    Malformed(&'static str),
    /// The agent said no.
    #[error("ssh-agent refused to sign")]
    Refused,
    /// It does not hold the key.
    #[error("ssh-agent does not hold this key (`ssh-add` adds one)")]
    NotHeld,
}

/// An ed25519 key that the agent holds.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The key.
    pub public: PublicKey,
    /// What the agent calls it. Comes from outside: escape it before printing.
    pub comment: String,
}

/// The ed25519 keys that the agent holds; others are left out.
///
/// # Errors
/// No agent, or one that does not speak the protocol.
pub fn identities(socket: &Path) -> Result<Vec<Identity>, AgentError> {
    let answer = ask(socket, &[LIST])?;
    let mut rest = Fields(&answer);
    if rest.byte()? != LISTED {
        return Err(AgentError::Malformed("not a list of identities"));
    }
    let count = rest.number()?;
    if count > MAX_IDENTITIES {
        return Err(AgentError::Malformed("more identities than the limit of 1024"));
    }
    let mut found = Vec::new();
    for _ in 0..count {
        let (key, comment) = (rest.string()?, rest.string()?);
        if let Ok(public) = PublicKey::from_wire(key) {
            found.push(Identity { public, comment: String::from_utf8_lossy(comment).into_owned() });
        }
    }
    Ok(found)
}

/// A signer whose key the agent holds.
///
/// # Errors
/// As [`identities`], or the agent does not hold the key.
pub fn signer(socket: &Path, fingerprint: &Fingerprint) -> Result<Signer<'static>, AgentError> {
    let held = identities(socket)?.into_iter().find(|key| key.public.fingerprint() == *fingerprint);
    let public = held.ok_or(AgentError::NotHeld)?.public;
    let (socket, wire) = (socket.to_owned(), public.to_wire());
    let sign = Box::new(move |bytes: &[u8]| sign(&socket, &wire, bytes).map_err(|e| e.to_string()));
    Ok(Signer::Agent { public, sign })
}

fn sign(socket: &Path, key: &[u8], bytes: &[u8]) -> Result<Signature, AgentError> {
    let mut request = vec![SIGN];
    for field in [key, bytes] {
        request.extend(
            u32::try_from(field.len()).map_err(|_| AgentError::Malformed("too much to sign"))?.to_be_bytes(),
        );
        request.extend(field);
    }
    request.extend([0; 4]);
    let answer = ask(socket, &request)?;
    let mut rest = Fields(&answer);
    if rest.byte()? != SIGNED {
        return Err(AgentError::Refused);
    }
    let mut blob = Fields(rest.string()?);
    if blob.string()? != ALGORITHM.as_bytes() {
        return Err(AgentError::Malformed("a signature of another algorithm"));
    }
    let signature =
        blob.string()?.try_into().map_err(|_| AgentError::Malformed("a signature that is not 64 bytes"))?;
    Ok(Signature(signature))
}

fn ask(socket: &Path, request: &[u8]) -> Result<Vec<u8>, AgentError> {
    let failed = |source| AgentError::Socket { socket: socket.to_owned(), source };
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    let length = u32::try_from(request.len()).map_err(|_| AgentError::Malformed("too large a request"))?;
    stream.write_all(&length.to_be_bytes()).and_then(|()| stream.write_all(request)).map_err(failed)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).map_err(failed)?;
    let length = u32::from_be_bytes(length);
    if length > MAX_ANSWER_BYTES {
        return Err(AgentError::Malformed("an answer over the limit of 256 KiB"));
    }
    let mut answer = vec![0; length as usize];
    stream.read_exact(&mut answer).map_err(failed)?;
    Ok(answer)
}

/// Reads the fields of an answer off its front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], AgentError> {
        let (front, rest) = self.0.split_at_checked(n).ok_or(AgentError::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(front)
    }
    fn byte(&mut self) -> Result<u8, AgentError> {
        Ok(self.take(1)?[0])
    }
    fn number(&mut self) -> Result<u32, AgentError> {
        let bytes = self.take(4)?.try_into().map_err(|_| AgentError::Malformed("a number"))?;
        Ok(u32::from_be_bytes(bytes))
    }
    fn string(&mut self) -> Result<&'a [u8], AgentError> {
        let length = self.number()? as usize;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::keys::SecretKey;

    /// An agent that answers each request with the next of `answers`.
    fn agent(answers: Vec<Vec<u8>>) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let socket = dir.path().join("agent");
        let listener = UnixListener::bind(&socket).expect("a socket");
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let mut length = [0; 4];
                let _ = stream.read_exact(&mut length);
                let mut request = vec![0; u32::from_be_bytes(length) as usize];
                let _ = stream.read_exact(&mut request);
                let _ = stream.write_all(&answer);
            }
        });
        (dir, socket)
    }

    fn framed(parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        [&(body.len() as u32).to_be_bytes()[..], &body].concat()
    }

    fn string(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
    }

    #[test]
    fn an_honest_agent_signs_and_a_lying_one_is_found_out() {
        let secret = SecretKey::from_seed(&[3; 32]);
        let key = secret.public().to_wire();
        let list = framed(&[&[LISTED], &1u32.to_be_bytes(), &string(&key), &string(b"anna")]);
        let answer = |signature: &[u8]| {
            let blob = [string(b"ssh-ed25519"), string(signature)].concat();
            framed(&[&[SIGNED], &string(&blob)])
        };
        let good = answer(&secret.sign(b"x").0);
        let bad = answer(&secret.sign(b"y").0);
        let (_dir, socket) = agent(vec![list.clone(), good, bad, list, framed(&[&[5]])]);
        let fingerprint = secret.public().fingerprint();
        let held = signer(&socket, &fingerprint).expect("held");
        assert_eq!(held.sign(b"x"), Ok(secret.sign(b"x")));
        assert!(held.sign(b"x").is_err(), "a signature over something else");
        let held = signer(&socket, &fingerprint).expect("held");
        assert!(held.sign(b"x").is_err(), "a refusal");
    }

    #[test]
    fn answers_that_are_none_are_errors() {
        let cut = framed(&[&[LISTED], &7u32.to_be_bytes()]);
        let many = framed(&[&[LISTED], &u32::MAX.to_be_bytes()]);
        let huge = u32::MAX.to_be_bytes().to_vec();
        for answer in [cut, many, huge, vec![], framed(&[]), framed(&[&[9]])] {
            let (_dir, socket) = agent(vec![answer]);
            assert!(identities(&socket).is_err());
        }
        let (_dir, socket) = agent(vec![framed(&[&[LISTED], &0u32.to_be_bytes()])]);
        assert_eq!(identities(&socket).expect("an empty list").len(), 0);
    }
}
