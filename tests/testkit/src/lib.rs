//! Real parts for the tests: a control plane, a node, an AWS simulator, a fault proxy, moto, operator processes and an oracle.

pub mod aws_sim;
pub mod control_plane;
pub mod fault_proxy;
pub mod install;
pub mod kubectl;
pub mod moto;
#[cfg(target_os = "linux")]
pub mod node;
pub mod operator;
pub mod oracle;
pub mod ports;
pub mod process;
pub mod rights;
pub mod stage;
pub mod wait;
pub mod webhook;
