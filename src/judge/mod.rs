//! Judgement: one pure function from a packet to a verdict (DESIGN section 6).
//!
//! Owns: every rule about evidence, packets, requests and claims. `rehearse`, `validate`, `probe`, `record`,
//! both hooks and `verify` call it; no rule stands anywhere else. Must not: touch files, clock, environment.
//!
//! ```text
//! facts + plan + policy ─ derive::packet ─► every file of the packet       nothing can be typed by hand
//! files + policy + state + statement ─ judge ─► Verdict                    all reasons, each with its code
//! ```

mod beside;
mod blockers;
mod continuity;
pub mod derive;
mod failure;
pub mod dump;
pub mod gate;
mod known;
mod packet;
pub mod probes;
pub mod request;
pub mod secret;
pub mod specimen;
pub mod validator;

/// The one state of production: no verdict of this module changes it.
pub use crate::policy::HOLD;
pub use beside::names_another;
pub use blockers::overclaimed;
pub use continuity::continuity;
pub use packet::{FACT_FILES, Judge, Maps, facts, judge, packet_facts, packet_facts_among};

#[cfg(test)]
mod tests;
