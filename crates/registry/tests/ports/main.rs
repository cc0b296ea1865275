//! Both ports on every data base: the same checks on SQLite in memory, in a file, and on PostgreSQL.

// What a helper of a test cannot do is the failure of the test.
#![allow(clippy::unwrap_used)]

mod devices;
mod faults;
mod history;
mod kept_back;
mod make;
mod model;
mod place;
mod removal;
mod rest;
mod server;
mod summary;

use hexmq_registry::Database;

type Check = fn(&Database);

/// Every check by name.
const CHECKS: &[(&str, Check)] = &[
    ("products", devices::products),
    ("numbers_are_not_given_again", devices::numbers_are_not_given_again),
    ("devices", devices::devices),
    ("devices_each_by_themselves", devices::each_by_itself),
    ("device_queries", devices::queries),
    ("devices_over_products", devices::over_products),
    ("presence", devices::presence),
    ("documents", rest::documents),
    ("keys", rest::keys),
    ("blobs", rest::blobs),
    ("commands", rest::commands),
    ("open_commands", rest::open_commands),
    ("values", history::values),
    ("late_and_equal_times", history::late_and_equal_times),
    ("pages", history::pages),
    ("cursors_stay", history::cursors_stay),
    ("lines", history::lines),
    ("done", kept_back::done),
    ("all_or_nothing", kept_back::all_or_nothing),
    ("names_that_are_too_long", kept_back::names_that_are_too_long),
    ("devices_that_are_gone", kept_back::devices_that_are_gone),
    ("sums", summary::sums),
    ("sums_at_the_ends", summary::at_the_ends),
    ("odd_numbers", summary::odd_numbers),
    ("removed_devices", removal::removed_devices),
    ("removed_points", removal::removed_points),
    ("removed_products", removal::removed_products),
    ("old_points", removal::old_points),
    ("old_log", removal::old_log),
    ("long_log", removal::long_log),
];

#[test]
fn in_memory() {
    for (name, check) in CHECKS {
        println!("{name}");
        check(&place::memory());
    }
}

#[test]
fn in_a_file() {
    for (name, check) in CHECKS {
        println!("{name}");
        let file = place::File::new();
        check(&file.open());
    }
}

#[test]
fn on_postgresql() {
    let Some(mut server) = server::Server::start() else { return };
    for (name, check) in CHECKS {
        println!("{name}");
        check(&server.open());
    }
    run_model(2, 60, || server.open());
}

#[test]
fn as_the_model_says() {
    run_model(15, 120, place::memory);
    let files: Vec<place::File> = (0..2).map(|_| place::File::new()).collect();
    let mut files = files.iter();
    run_model(2, 60, || files.next().unwrap().open());
}

/// Runs of so many calls, each from a seed of its own on an empty data base.
fn run_model(runs: u64, calls: usize, mut open: impl FnMut() -> Database) {
    for seed in 0..runs {
        println!("seed {seed}");
        model::run(&open(), seed, calls);
    }
}
