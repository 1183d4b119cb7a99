//! rehearse
pub mod bytes;
pub mod child;
pub mod clone;
pub mod difference;
pub mod engine;
pub mod error;
pub mod isolation;
pub mod legs;
pub mod plan;
pub mod room;
pub mod rows;
pub mod run;
pub mod sample;
pub mod source;
pub use error::RehearseError;
#[cfg(test)]
mod tests;
