//! The command line of asap.
fn main() {}
