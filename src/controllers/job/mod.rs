//! The job controller. `reconcile` runs the steps of the diagram in ARCHITECTURE.md in a straight line.

mod act;
pub mod backoff;
pub mod context;
pub mod controller;
mod decided;
mod error;
mod gather;
mod reconcile;
mod report;
mod resolve;
mod unreadable;
mod write;
