//! A short walk through the seeds; `cargo xtask sim --seeds 10000` is the long one.

use hexmq_sim::world::{Report, Scale, run, shorten};

#[test]
fn a_hundred_and_twenty_worlds_settle() {
    let mut total = Report::default();
    for seed in 0..120 {
        match run(seed, Scale::default()) {
            Ok(report) => total.add(&report),
            Err(failure) => panic!("{}", shorten(*failure)),
        }
    }
    // A world in which nothing happens proves nothing.
    assert!(total.delivered > 5_000 && total.wills > 150 && total.connections > 1_500, "{total:?}");
    assert!(total.uplinks > 400 && total.downlinks > 100, "{total:?}");
}

#[test]
fn the_same_seed_is_the_same_world() {
    let once = run(7, Scale::default()).map(|report| format!("{report:?}")).map_err(|failure| failure.what);
    let again = run(7, Scale::default()).map(|report| format!("{report:?}")).map_err(|failure| failure.what);
    assert_eq!(once, again);
}
