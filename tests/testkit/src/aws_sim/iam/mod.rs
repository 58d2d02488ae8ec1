//! IAM: who is who, and who may do what.
//!
//! | part | what it does |
//! |---|---|
//! | [`policy`], [`condition`], [`pattern`], [`facts`] | the language of policies, as far as those for Transcribe need it |
//! | [`principal`], [`wish`] | who asks, and what for |
//! | [`judge`] | AWS's evaluation: which policies count, and what they say together |
//! | [`directory`] | the users, roles and sessions that there are |
//! | [`controls`] | what a test does with them |
//!
//! **What is not known is refused when it is put**: an operator, a condition key, a variable, a member. Nothing in a
//! test's policy is ignored in silence.
//!
//! **An access key that no test has put there** is that of a user who may do everything, of the account that
//! [`super::Config::accounts`] says. So a test that is not about identity needs none.
//!
//! Not simulated: groups, managed policies, permission boundaries, policies of an organization, NotPrincipal, federated
//! principals but for OIDC providers, and that a policy which names a role goes on to mean a deleted one after the role is
//! made anew.
//!
//! There is a crate that evaluates such policies, iam-rs. At version 0.8 it lets unknown condition keys pass in silence,
//! replaces a variable without a value by nothing, compares ARNs as plain texts, and does not know that an account in a
//! policy stands for all its principals; nor does it weigh the policies of two accounts. All of that is what a simulator
//! must not get wrong, so the language is read here.

mod condition;
pub(super) mod controls;
pub(super) mod directory;
mod facts;
mod judge;
mod pattern;
mod policy;
mod principal;
#[cfg(test)]
mod tests;
mod wish;

pub(super) use directory::{Directory, NewSession, SessionCredentials};
pub(super) use judge::{Holder, Layer};
pub(super) use policy::{Policy, Sort};
pub(super) use principal::{Principal, account_of};
pub(super) use wish::Wish;
