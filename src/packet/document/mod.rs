//! The derived documents' types: what each file of a packet may say.
//!
//! Owns: the shapes, with closed lists for every status. Must not: decide any value (`judge::derive` does).
//! No type here can hold a state of production other than HOLD.

mod ci;
mod decision;
mod probes;
mod proof;
mod surfaces;

pub use ci::{CI_RESOLUTION_SCHEMA, CiResolution};
pub use decision::{
    Boundary, DecisionPacket, DerivedFrom, FinalStatus, Flag, Flags, Hold, HoldState, MacroRef, Nothing,
    PacketScope, ProductionDecision, ProductionState, Publication, Subject,
};
pub use probes::{Allowance, Control, Leak, LeakHit, PROBES_SCHEMA, Probe, ProbeReport};
pub use proof::{
    Claims, EntryProof, EntryResult, Fabricated, Input, PatternProof, Pin, Proven, RECOVERY_SCHEMA,
    RecoveryProof, Ruling, Selftest, StepProof, VALIDATOR_SCHEMA, ValidatorIdentity, ValidatorResult,
};
pub use surfaces::{SURFACES_SCHEMA, Surface, SurfaceProof, SurfaceStatus};
