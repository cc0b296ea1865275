//! A short smoke run with every build; `cargo xtask fuzz --smoke` is the longer one.

use hexmq_fuzz::{Mutator, TARGETS, corpus, corpus_dir, smoke};

#[test]
fn every_target_keeps_its_promises() {
    for &target in TARGETS {
        let mut last = Vec::new();
        let inputs = smoke(target, 2_000, 7, |input| {
            last.clear();
            last.extend_from_slice(input);
        });
        assert!(inputs.expect("seeds can be read") > 2_000, "{}", target.0);
    }
}

/// Three packets from each seed.
#[test]
fn a_hundred_thousand_valid_packets_are_accused_of_nothing() {
    for seed in 0..34_000u32 {
        hexmq_fuzz::valid_packets(&seed.to_le_bytes());
    }
}

#[test]
fn every_seed_belongs_to_a_target() {
    let root = corpus_dir(".");
    for entry in std::fs::read_dir(root).expect("there are seeds") {
        let name = entry.expect("readable").file_name();
        assert!(TARGETS.iter().any(|target| *target.0 == *name), "no target {name:?}");
    }
}

#[test]
fn the_same_seed_makes_the_same_inputs() {
    let seeds = corpus("framer").expect("seeds can be read");
    let inputs = |seed| {
        let mut mutator = Mutator::new(seed);
        (0..100).map(|_| mutator.mutate(&seeds)).collect::<Vec<_>>()
    };
    assert_eq!(inputs(3), inputs(3));
    assert_ne!(inputs(3), inputs(4));
}
