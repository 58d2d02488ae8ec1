//! The `transcribe-operator` binary.

fn main() {}
