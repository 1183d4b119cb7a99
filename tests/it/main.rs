//! Every test that goes through the binary or across modules: one crate, one file a topic.
#![allow(clippy::print_stderr, clippy::unwrap_used)] // tests speak on stderr

mod architecture;
mod attacks;
mod browser;
mod corpus;
mod gate;
mod harness;
mod verbs;
mod readme;
mod report;
mod sample;
mod key;
mod hooks;
mod hooks_live;
mod ledger;
mod ledger_hostile;
mod packet;
mod rehearse;
mod requirements;
mod schemas;
mod rehearse_verb;
mod survey;
mod ledger_packs;
mod ledger_push;
mod ledger_remote;
mod isolation;
mod stage;
mod journey;
mod independent;
mod forge;
mod stock_git;
mod server;
mod damage;
mod race;
mod vectors;
mod stock_signatures;
