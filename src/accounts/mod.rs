//! What is shared within an AWS account: sessions, rate limits, and AWS's last answers. They decide *when* a call is made,
//! never whether or which, so losing them costs only time.

pub mod account;
pub mod key_cache;
pub mod limits;
pub mod permit;
pub mod rate_limits;
pub mod session;
