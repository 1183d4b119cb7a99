//! rehearse
pub mod isolation;
pub mod rows;
pub mod sample;
