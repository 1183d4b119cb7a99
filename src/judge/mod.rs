//! judge
pub mod gate;
