//! The controllers.

pub mod class;
pub mod job;
