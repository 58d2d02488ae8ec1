//! The periodic tasks of each account and Region. They write the state that [`accounts`](crate::accounts) holds and the
//! controllers read. Losing it costs time only.

pub mod garbage_collector;
mod listing;
pub mod status_poller;
pub mod supervisor;
