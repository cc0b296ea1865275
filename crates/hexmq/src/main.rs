//! HexMQ: one binary, one decoder.

mod command;
mod config;
mod serve;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use command::client::argv;

/// An MQTT server, clients and a packet workbench
#[derive(Debug, Parser)]
#[command(name = "hexmq", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(command::bench::Args),
    Build(Box<command::build::Args>),
    Capture(Box<command::capture::Args>),
    #[command(name = "command")]
    Order(command::admin::order::Args),
    Data(command::admin::data::Args),
    Device(command::admin::device::Args),
    Diff(command::diff::Args),
    Doctor(command::admin::doctor::Args),
    Explain(command::explain::Args),
    Key(command::admin::key::Args),
    Product(command::admin::product::Args),
    Pub(Box<command::publish::Args>),
    Raw(Box<command::raw::Args>),
    Replay(Box<command::replay::Args>),
    Rr(Box<command::request::Args>),
    Serve(Box<command::serve::Args>),
    Simulate(Box<command::simulate::Args>),
    Store(command::store::Args),
    #[command(after_help = command::subscribe::FORMAT_HELP)]
    Sub(Box<command::subscribe::Args>),
    User(command::user::Args),
    Webhook(command::admin::webhook::Args),
}

fn main() -> ExitCode {
    let arguments = match argv::prepare(std::env::args_os().collect(), &Cli::command())
        .and_then(command::build::argv::prepare)
    {
        Ok(arguments) => arguments,
        Err(trouble) => return trouble.report(false),
    };
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return wrong_usage(&error),
    };
    match cli.command {
        Some(Command::Bench(args)) => command::bench::run(&args),
        Some(Command::Build(args)) => command::build::run(&args),
        Some(Command::Capture(args)) => command::capture::run(&args),
        Some(Command::Order(args)) => command::admin::order::run(&args),
        Some(Command::Data(args)) => command::admin::data::run(&args),
        Some(Command::Device(args)) => command::admin::device::run(&args),
        Some(Command::Diff(args)) => command::diff::run(&args),
        Some(Command::Doctor(args)) => command::admin::doctor::run(&args),
        Some(Command::Explain(args)) => command::explain::run(&args),
        Some(Command::Key(args)) => command::admin::key::run(&args),
        Some(Command::Product(args)) => command::admin::product::run(&args),
        Some(Command::Pub(args)) => command::publish::run(&args),
        Some(Command::Raw(args)) => command::raw::run(&args),
        Some(Command::Replay(args)) => command::replay::run(&args),
        Some(Command::Rr(args)) => command::request::run(&args),
        Some(Command::Serve(args)) => command::serve::run(&args),
        Some(Command::Simulate(args)) => command::simulate::run(&args),
        Some(Command::Store(args)) => command::store::run(&args),
        Some(Command::Sub(args)) => command::subscribe::run(&args),
        Some(Command::User(args)) => command::user::run(&args),
        Some(Command::Webhook(args)) => command::admin::webhook::run(&args),
        None => {
            // Asking for nothing is no mistake: it is how one gets to know a program.
            println!("{}", Cli::command().render_long_help());
            ExitCode::SUCCESS
        }
    }
}

/// Prints help, version or what is wrong with the arguments. Each command keeps its own exit codes,
/// and clap's 2 means something else for some.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    if error.use_stderr() && argv::is_client(&command) {
        return argv::wrong_usage(error, &command);
    }
    // Help or an error that nobody reads any more is no further error.
    let _ = error.print();
    match (error.use_stderr(), std::env::args().nth(1).as_deref()) {
        (false, _) => ExitCode::SUCCESS,
        (true, Some("build" | "capture" | "diff" | "explain" | "raw" | "replay")) => {
            ExitCode::from(command::explain::WRONG_USAGE)
        }
        (true, Some("store")) => ExitCode::from(command::store::WRONG_USAGE),
        (true, _) => ExitCode::from(2),
    }
}
