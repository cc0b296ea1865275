//! The workshop's one door: `cargo xtask`.
//!
//! What CI runs is `cargo xtask test`, and that is what a person runs too.

mod arguments;
mod bench;
mod clients;
mod command;
mod conformance;
mod crash;
mod docs;
mod fuzz;
mod instructions;
mod lint;
mod pins;
mod place;
mod provision;
mod server;
mod simulation;
mod steps;
mod supply;
mod test;
mod tidy;

use std::process::ExitCode;

use arguments::Arguments;

const HELP: &str = "\
cargo xtask <subcommand>

  test                         everything CI checks; installs what it needs
  lint                         rustfmt, clippy
  tidy [--shrink]              arrows between crates, ratchets, leftovers, generated references
  conformance                  every statement of the standards: where obeyed, where tested
  docs [--check]               write (or compare) the generated pages under docs/reference
  deny                         licences, bans and sources of what we depend on
  clients                      real clients and tshark against the real server
  crowd [--clients N]          10,000 clients at once, subscribed and publishing
  crash [--kills N] [--seed X] [--power] [--mosquitto] [--server 'CMD {data} {port}']
                               kills the server under load, 200 times, and counts broken promises;
                               --power cuts the power of its disk each time (needs FUSE)
  crash --faults               a disk that is full, read-only, failing or slow (needs FUSE)
  fuzz [--smoke] [--seconds N] libFuzzer targets (nightly), or a smoke run on stable
  sim [--seeds N] [--seed X]   the simulation
  bench [--json] [--only NAME] [--rounds N]
                               CPU and memory per message, connection, subscription; relay, and mosquitto and
                               rumqttd where they are installed, beside ours, the marks to reach, and the kernel's
                               share
  bench --growth [--only NAME] [--shards N] [--share N] [--json]
                               what a publish, a connect, a delivery costs among more and more of them; what others
                               notice of a # over a million retained messages and of an overload; and how much
                               more two shards handle than one (--only cores)
  bench --durable [--rabbitmq] [--rounds N] [--json]
                               messages/s and CPU with every acknowledgement on disk, against memory, the disk
                               alone, mosquitto with persistence, RabbitMQ
  bench --restart [--json]     a million queued messages, a million retained, 100,000 sessions: ready in, memory
  bench --cloud [--devices N] [--seconds N] [--questions N] [--dialect D] [--json]
                               10,000 devices that post every 10 s while the API is asked 20 times a second
  bench --stalled [--json]     latency of others before and after two subscribers take nothing any more
  instructions [--only WORD] [--write] [--profile NAME]
                               instructions per operation of the hot paths under callgrind, against the recorded
                               ones; --write records them, --profile shows the functions they are spent in
  run [ARGUMENTS]              cargo run --release --package hexmq -- ARGUMENTS
";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let subcommand = words.next().unwrap_or_default();
    match dispatch(&subcommand, words.collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {subcommand}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(subcommand: &str, words: Vec<String>) -> Result<(), String> {
    let arguments = Arguments::new(words);
    match subcommand {
        "test" => arguments.finish().and_then(|()| test::run()),
        "lint" => arguments.finish().and_then(|()| lint::run()),
        "tidy" => tidy::run(arguments),
        "conformance" => conformance::run(&arguments.into_rest()),
        "docs" => docs::run(arguments),
        "deny" => arguments.finish().and_then(|()| supply::run_alone()),
        "clients" => arguments.finish().and_then(|()| clients::run_alone()),
        "crowd" => bench::crowd(arguments),
        "crash" => crash::run(arguments),
        "fuzz" => fuzz::run(arguments),
        "sim" => simulation::run(arguments),
        "bench" => bench::run(arguments),
        "instructions" => instructions::run(arguments),
        "run" => {
            let mut cargo = command::cargo();
            command::run(
                cargo.args(["run", "--release", "--package", "hexmq", "--"]).args(arguments.into_rest()),
            )
        }
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("no such subcommand\n\n{HELP}\n(asked for {other:?})")),
    }
}
