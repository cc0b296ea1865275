//! What the fuzzers check. Each target is a function of bytes that panics if a promise is broken;
//! libFuzzer calls it from the workspace in `fuzz/`, the smoke run from `main.rs` and the tests.
//!
//! A new target is a function here, a line in [`TARGETS`], three lines in `fuzz/fuzz_targets/`,
//! a `[[bin]]` there, and a seed or two in `fuzz/corpus/<target>/`.

mod bytes;
mod capture;
mod client;
mod cloud;
mod decode;
mod dialects;
mod framer;
mod mutate;
mod notation;
mod session_ops;
mod shard;
mod topic_filter;
mod valid;
mod workbench;

use std::path::{Path, PathBuf};

pub use capture::capture;
pub use decode::{decode_v3, decode_v4, decode_v5, roundtrip};
pub use dialects::dialects;
pub use framer::framer;
pub use mutate::Mutator;
pub use notation::notation;
pub use session_ops::session_ops;
pub use shard::shard;
pub use topic_filter::topic_filter;
pub use workbench::{dialogue, explained, valid_packets};

/// A target: its name and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("framer", framer),
    ("decode_v3", decode_v3),
    ("decode_v4", decode_v4),
    ("decode_v5", decode_v5),
    ("roundtrip", roundtrip),
    ("topic_filter", topic_filter),
    ("notation", notation),
    ("session_ops", session_ops),
    ("capture", capture),
    ("shard", shard),
    ("dialects", dialects),
    ("explained", explained),
    ("dialogue", dialogue),
    ("valid_packets", valid_packets),
];

/// Where the seeds of a target lie.
pub fn corpus_dir(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

/// The seeds of a target, in the order of their names. Fails if they cannot be read.
pub fn corpus(target: &str) -> std::io::Result<Vec<Vec<u8>>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(corpus_dir(target))? {
        paths.push(entry?.path());
    }
    paths.sort();
    paths.iter().filter(|path| path.is_file()).map(std::fs::read).collect()
}

/// Runs a target over its seeds and over `mutations` inputs made from them. `before` sees every
/// input before it is run, so that the one that fails is known.
pub fn smoke(
    target: Target,
    mutations: u64,
    seed: u64,
    mut before: impl FnMut(&[u8]),
) -> std::io::Result<u64> {
    let (name, check) = target;
    let corpus = corpus(name)?;
    let mut mutator = Mutator::new(seed);
    for input in &corpus {
        before(input);
        check(input);
    }
    for _ in 0..mutations {
        let input = mutator.mutate(&corpus);
        before(&input);
        check(&input);
    }
    Ok(corpus.len() as u64 + mutations)
}
