//! Reads a generated log and prints the rate.
fn main() {}
