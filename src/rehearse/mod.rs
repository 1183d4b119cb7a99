//! rehearse
pub mod difference;
pub mod isolation;
pub mod rows;
pub mod sample;
