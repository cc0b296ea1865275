//! The workshop's one door: `cargo xtask`.
fn main() {}
