//! The webhook's certificate: from files that somebody else renews, or from the operator's own certificate authority.

mod authority;
mod files;
mod issue;
mod managed;
mod tls;

pub use authority::Lifetimes;
pub(super) use files::from_folder;
pub use managed::Managed;
