//! The account and Region of an AWS call.

/// An account and Region, verified by GetCallerIdentity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AccountRegion {
    /// The account id.
    pub account: String,
    /// The Region.
    pub region: String,
}
