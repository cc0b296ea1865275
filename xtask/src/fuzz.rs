//! Fuzzing: libFuzzer targets where a nightly toolchain and cargo-fuzz exist, and a smoke run of the
//! same oracles over corpus and seeds on stable.

use crate::arguments::Arguments;
use crate::command::{cargo, command, output, run as run_command, succeeds};

/// Seconds per target when none are asked for.
const SECONDS_DEFAULT: u64 = 60;

/// `--smoke`, or every libFuzzer target for `--seconds N`.
pub(crate) fn run(mut arguments: Arguments) -> Result<(), String> {
    let smoke_only = arguments.switch("--smoke");
    let seconds = arguments.number("--seconds", SECONDS_DEFAULT)?;
    let wanted = arguments.into_rest();
    if smoke_only {
        return smoke();
    }
    if !succeeds(&["cargo", "+nightly", "fuzz", "--version"]) {
        return Err("libFuzzer needs a nightly toolchain and cargo-fuzz (`cargo install cargo-fuzz`); \
                    `cargo xtask fuzz --smoke` runs the same oracles on stable"
            .to_owned());
    }
    let listed = output(fuzz_command().arg("list"))?;
    let targets: Vec<&str> = listed
        .lines()
        .filter(|target| wanted.is_empty() || wanted.iter().any(|name| name == target))
        .collect();
    if targets.is_empty() {
        return Err(format!("no such target; there are: {}", listed.lines().collect::<Vec<_>>().join(", ")));
    }
    for target in targets {
        println!("==> {target} for {seconds} s");
        run_command(fuzz_command().args(["run", target, "--", &format!("-max_total_time={seconds}")]))?;
    }
    Ok(())
}

/// All oracles over the corpus and a fixed set of seeds.
pub(crate) fn smoke() -> Result<(), String> {
    let mut smoke = cargo();
    run_command(smoke.args(["run", "--quiet", "--release", "--package", "hexmq-fuzz", "--", "smoke"]))
}

fn fuzz_command() -> std::process::Command {
    let mut fuzz = command("cargo");
    fuzz.args(["+nightly", "fuzz"]);
    fuzz
}
