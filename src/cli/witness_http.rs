//! `witness serve` and `witness submit`: the same protocol over HTTP (c2sp.org/tlog-witness).
//!
//! ```text
//! POST /add-checkpoint                  200 + cosignature · 400 · 403 · 404 · 409 + size · 422
//! GET  /<sha256 of origin>/checkpoint   200 + the last cosigned checkpoint · 404
//! ```

use std::io::Read as _;
use std::net::SocketAddr;

use tiny_http::{Header, Method, Request, Response, Server};

use super::answer::{Answer, Failure, Ui};
use super::place::Place;
use super::witness::{Witness, add, request};
use super::{site, surroundings};
use crate::digest::Digest;
use crate::tlog::MAX_TEXT_BYTES;
use crate::tlog::witness::Refusal;
use crate::verdict::{Code, Reason};

/// The media type of a size, and of everything else.
const SIZE: &str = "text/x.tlog.size";
const TEXT: &str = "text/plain; charset=utf-8";

/// What is answered: status, media type, body.
type Reply = (u16, &'static str, String);

/// Serves until it is ended. One request at a time: each is a few signatures, and the memory has one lock.
pub(super) fn serve(witness: &Witness, listen: SocketAddr, ui: &Ui) -> Result<Answer, Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::because(Code::Unreadable, listen, e);
    let server = Server::http(listen).map_err(|e| failed(&e))?;
    let at = server.server_addr().to_ip().unwrap_or(listen);
    ui.tell(format_args!("listening on http://{at}"));
    for mut request in server.incoming_requests() {
        let (status, kind, body) = reply(witness, &mut request);
        let header = Header::from_bytes("Content-Type", kind).map_err(|()| failed(&"no header"))?;
        // A client that went away gets no answer; what was stored for it holds.
        let _ = request.respond(Response::from_string(body).with_status_code(status).with_header(header));
    }
    Ok(Answer::done("ended"))
}

fn reply(witness: &Witness, request: &mut Request) -> Reply {
    let plain = |status: u16, text: &str| (status, TEXT, format!("{text}\n"));
    let path = request.url().to_owned();
    match (request.method(), path.as_str()) {
        (Method::Post, "/add-checkpoint") => {
            let mut body = Vec::new();
            let read = request.as_reader().take(MAX_TEXT_BYTES as u64 + 1).read_to_end(&mut body);
            match (read, String::from_utf8(body)) {
                (Ok(_), Ok(text)) => add_checkpoint(witness, &text),
                _ => plain(400, "the body could not be read as UTF-8"),
            }
        }
        (Method::Get, path) => {
            let hash = path.strip_prefix('/').and_then(|path| path.strip_suffix("/checkpoint"));
            match hash.and_then(|hash| hash.parse::<Digest>().ok()).map(|hash| witness.last(&hash)) {
                Some(Ok(Some(text))) => (200, TEXT, text),
                Some(Err(_)) => plain(500, "the witness cannot read its memory"),
                _ => plain(404, "no such checkpoint"),
            }
        }
        _ => plain(405, "POST /add-checkpoint, or GET /<sha256 of origin>/checkpoint"),
    }
}

fn add_checkpoint(witness: &Witness, text: &str) -> Reply {
    let answered = surroundings::now().map_err(Into::into).and_then(|now| witness.answer(text, now));
    match answered {
        Ok(given) => (200, TEXT, given.line),
        Err(refused) => match refused.refusal.as_deref() {
            Some(Refusal::Conflict { last, .. }) => (409, SIZE, format!("{last}\n")),
            Some(refusal) => (refusal.status(), TEXT, format!("{refusal}\n")),
            None => (500, TEXT, "the witness failed\n".to_owned()),
        },
    }
}

/// Asks a witness for its cosignature, and adds it to the kept checkpoint.
pub(super) fn submit(place: &Place, url: &str, witnesses: &[String]) -> Result<Answer, Failure> {
    let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
    let ask = |old: u64| site::post(&url, &request(place, old, None)?.0);
    let (mut status, mut body) = ask(0)?;
    if status == 409 {
        let size = body.trim_end().parse().map_err(|_| {
            Reason::new(Code::Malformed, &url).values("a size", body.chars().take(80).collect::<String>())
        })?;
        (status, body) = ask(size)?;
    }
    let said = || format!("HTTP status {status}: {}", body.trim_end().chars().take(200).collect::<String>());
    match status {
        200 => add(place, &body, witnesses),
        // Its word alone is no proof; the checkpoint that it serves is.
        422 => Err(Failure::because(Code::Forked, &url, said())),
        409 => Err(Failure::because(Code::HeadMoved, &url, said())),
        _ => Err(Failure::because(Code::Unreadable, &url, said())),
    }
}
