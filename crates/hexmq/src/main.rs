//! HexMQ: one binary, one decoder.
fn main() {}
