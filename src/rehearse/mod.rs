//! rehearse
pub mod isolation;
pub mod rows;
