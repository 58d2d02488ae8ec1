//! The admission webhook: checks what the schema of the CRDs cannot check.
//!
//! [`request`] and [`response`] are pure functions; [`server`] serves HTTP and calls AWS.

pub mod certificate;
pub mod request;
pub mod response;
pub mod server;
