//! Four live listeners: what a confined child must not reach, and what its control must.
//!
//! Owns: the sockets and the counting. Must not: answer anybody. Whoever connects is counted, known or not:
//! a contact during a rehearsal makes the isolation unproven, whoever it was.

use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use super::IsolationError;
use super::wire::Targets;
use crate::evidence::isolation::Counters;
use crate::verdict::{Code, Reason};

/// How long a connection that was accepted may take to say who it is.
const SAY_WHO: Duration = Duration::from_secs(1);
/// Longest nonce read.
const MAX_NONCE: u64 = 256;

/// The listeners, with what they have counted since they were last set to zero.
pub(super) struct Listeners {
    tcp: TcpListener,
    udp: UdpSocket,
    unix_path: UnixListener,
    unix_abstract: UnixListener,
    targets: Targets,
    counted: Mutex<Counters>,
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> IsolationError {
    move |error| IsolationError::Io { what: what.to_owned(), error }
}

impl Listeners {
    /// Opens all four: on the loopback, beneath `outside`, and in the abstract name space.
    pub(super) fn open(outside: &Path, nonce: &str) -> Result<Listeners, IsolationError> {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed("opening a TCP listener"))?;
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed("opening a UDP listener"))?;
        let path = outside.join("socket");
        let unix_path = UnixListener::bind(&path)
            .map_err(failed("opening a unix listener (its path has 107 bytes at most)"))?;
        let name = format!("fix7-{nonce}");
        let unix_abstract = SocketAddr::from_abstract_name(&name)
            .and_then(|address| UnixListener::bind_addr(&address))
            .map_err(failed("opening an abstract unix listener"))?;
        tcp.set_nonblocking(true)
            .and_then(|()| udp.set_nonblocking(true))
            .and_then(|()| unix_path.set_nonblocking(true))
            .and_then(|()| unix_abstract.set_nonblocking(true))
            .map_err(failed("preparing the listeners"))?;
        let targets = Targets {
            tcp: tcp.local_addr().map_err(failed("asking for the TCP listener's address"))?,
            udp: udp.local_addr().map_err(failed("asking for the UDP listener's address"))?,
            unix_path: path,
            unix_abstract: name,
        };
        Ok(Listeners { tcp, udp, unix_path, unix_abstract, targets, counted: Mutex::default() })
    }

    pub(super) fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Everything counted since [`Listeners::take_control`].
    pub(super) fn counters(&self) -> Counters {
        let (waiting, _) = self.drain(None);
        let mut counted = self.counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        counted.tcp = counted.tcp.saturating_add(waiting.tcp);
        counted.udp = counted.udp.saturating_add(waiting.udp);
        counted.unix_path = counted.unix_path.saturating_add(waiting.unix_path);
        counted.unix_abstract = counted.unix_abstract.saturating_add(waiting.unix_abstract);
        *counted
    }

    /// Takes the control's own contacts off: exactly one at each listener, and each with its nonce.
    pub(super) fn take_control(&self, nonce: &str) -> Vec<Reason> {
        let (waiting, known) = self.drain(Some(nonce.as_bytes()));
        let mut reasons = Vec::new();
        for (name, all, own) in [
            ("tcp", waiting.tcp, known.tcp),
            ("udp", waiting.udp, known.udp),
            ("unix_path", waiting.unix_path, known.unix_path),
            ("unix_abstract", waiting.unix_abstract, known.unix_abstract),
        ] {
            if (all, own) != (1, 1) {
                let found = format!("{all} contacts, {own} of them its own");
                let object = format!("isolation/control/{name}");
                reasons.push(
                    Reason::new(Code::IsolationNotProven, object).values("the control's contact", found),
                );
            }
        }
        reasons
    }

    /// Counts what waits at the listeners: all of it, and what says `nonce`.
    fn drain(&self, nonce: Option<&[u8]>) -> (Counters, Counters) {
        let (mut all, mut known) = (Counters::default(), Counters::default());
        while let Ok((stream, _)) = self.tcp.accept() {
            let _ = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(SAY_WHO)));
            count(&mut all.tcp, &mut known.tcp, nonce, stream);
        }
        while let Ok((stream, _)) = self.unix_path.accept() {
            let _ = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(SAY_WHO)));
            count(&mut all.unix_path, &mut known.unix_path, nonce, stream);
        }
        while let Ok((stream, _)) = self.unix_abstract.accept() {
            let _ = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(SAY_WHO)));
            count(&mut all.unix_abstract, &mut known.unix_abstract, nonce, stream);
        }
        let mut datagram = [0u8; MAX_NONCE as usize];
        while let Ok((length, _)) = self.udp.recv_from(&mut datagram) {
            count(&mut all.udp, &mut known.udp, nonce, &datagram[..length]);
        }
        (all, known)
    }
}

fn count(all: &mut u32, known: &mut u32, nonce: Option<&[u8]>, stream: impl Read) {
    *all = all.saturating_add(1);
    if let Some(nonce) = nonce {
        let mut said = Vec::new();
        let _ = stream.take(MAX_NONCE).read_to_end(&mut said);
        *known += u32::from(said == nonce);
    }
}
