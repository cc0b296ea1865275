//! `hexmq raw`: the network debug assistant. Hex or packets in, exactly those bytes out, and both
//! directions decoded as they come.
//!
//! Exit codes: 0 done, 1 an expectation was not met, 2 no connection, 64 wrong usage.

mod answers;
mod editor;
mod engine;
mod input;
mod line;
mod record;
mod screen;
mod session;

pub(crate) use record::Record;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use hexmq_notation::parse_duration;
use hexmq_transport::Dial;
use hexmq_wire::Version;
use hexmq_workbench::Layout;

use super::connection::{Target, TlsArgs};
use super::explain::{Lang, WRONG_USAGE, colour_wanted, columns, language};
use engine::{Engine, Style};
use screen::Screen;
use session::{Manner, Session};

/// No connection came about.
pub(crate) const NO_CONNECTION: u8 = 2;

/// Speak MQTT by hand: hex or packets in, exactly those bytes out, both directions decoded
///
/// At a terminal a line editor asks for lines, with history and completion; otherwise every line of standard
/// input is one. A line is hex (10 25 00 04 …), a packet in the notation (CONNECT v4 id=dev1 clean_start),
/// raw bytes with lengths worked out (hex 30 len( str("t") "hello" )), or a command; `help` lists them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 done, 1 an expectation was not met, 2 no connection, 64 wrong usage\n\
                  Example: printf 'CONNECT v4 id=t clean_start\\nexpect CONNACK 0x00\\n' | hexmq raw 127.0.0.1:1883")]
pub(crate) struct Args {
    /// The server: HOST[:PORT], mqtt://…, mqtts://…, unix:///path
    #[arg(value_name = "HOST:PORT")]
    target: String,
    /// TLS; on by itself for mqtts:// and the options below
    #[arg(long)]
    tls: bool,
    #[command(flatten)]
    tls_args: TlsArgs,
    /// How packets are read and written until a CONNECT says its own version
    #[arg(long, value_name = "3|4|5", default_value = "4", value_parser = version)]
    version: Version,
    /// Take the lines from this file, then end
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Record the session: JSON lines for replay, explain and diff; a transcript if FILE ends in .mqtt
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Send PINGREQ in time, by the Keep Alive
    #[arg(long)]
    auto_ping: bool,
    /// Acknowledge messages of QoS 1 and 2
    #[arg(long)]
    auto_ack: bool,
    /// How long to wait for answers that are due when the lines have ended
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    wait: Duration,
    /// How long `wait` and `expect` wait when the line does not say
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    patience: Duration,
    /// Show the bytes of each packet
    #[arg(long)]
    hex: bool,
    /// Remember lines in this file from one session to the next
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Language of explanations; by default that of the environment
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

fn version(text: &str) -> Result<Version, String> {
    line::parse_version(text).ok_or_else(|| "expected 3, 4 or 5".to_owned())
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a time such as 500ms or 2s".to_owned())
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    match start(args) {
        Ok(code) => ExitCode::from(code),
        Err((code, message)) => {
            eprintln!("hexmq raw: {message}");
            ExitCode::from(code)
        }
    }
}

/// An exit code and what to say with it.
type Trouble = (u8, String);

fn start(args: &Args) -> Result<u8, Trouble> {
    let wrong = |message: String| (WRONG_USAGE, message);
    let dial = dial(args).map_err(wrong)?;
    let record = match &args.write {
        Some(path) => {
            let created = Record::create(path, "raw");
            Some(created.map_err(|error| wrong(format!("cannot write {}: {error}", path.display())))?)
        }
        None => None,
    };
    let script = match &args.script {
        Some(path) => {
            let opened = File::open(path);
            Some(opened.map_err(|error| wrong(format!("cannot read {}: {error}", path.display())))?)
        }
        None => None,
    };
    let mut session = Session::new(dial.clone(), args.version, manner(args), record);
    let failed = |error: io::Error| (NO_CONNECTION, format!("cannot connect to {}: {error}", dial.endpoint));
    session.connect().map_err(failed)?;
    let unusable = |error: io::Error| (NO_CONNECTION, error.to_string());
    let (feeder, inputs) = input::channel().map_err(unusable)?;
    let at_terminal = script.is_none() && io::stdin().is_terminal() && io::stdout().is_terminal();
    let style = Style { interactive: at_terminal, wait: args.wait, patience: args.patience };
    if !at_terminal {
        let spawned = std::thread::Builder::new().spawn(move || match script {
            Some(script) => feeder.give_all(script),
            None => feeder.give_all(io::stdin()),
        });
        // It may be in the middle of a read that never ends; the process ends it.
        spawned.map_err(unusable)?;
        return Ok(Engine::new(session, inputs, style).run());
    }
    let mut prompt = editor::Prompt::new(args.history.as_deref()).map_err(unusable)?;
    session.screen = Screen::AbovePrompt(prompt.printer().map_err(unusable)?);
    session.say("`help` says what can be typed, Ctrl-D ends");
    let editing = std::thread::Builder::new().spawn(move || prompt.run(feeder)).map_err(unusable)?;
    let code = Engine::new(session, inputs, style).run();
    // It gives the terminal back.
    let _ = editing.join();
    Ok(code)
}

fn dial(args: &Args) -> Result<Dial, String> {
    let wants_tls = args.tls || args.tls_args.wanted();
    let target = if wants_tls { Target::over_tls(&args.target) } else { args.target.parse() };
    let target = target.map_err(|error| format!("{}: {error}", args.target))?;
    let tls = match target.tls {
        true => Some(args.tls_args.connector().map_err(|error| error.to_string())?),
        false => None,
    };
    Ok(Dial { endpoint: target.endpoint, bind: None, nodelay: true, tls })
}

fn manner(args: &Args) -> Manner {
    let language = language(args.lang);
    Manner {
        language,
        layout: Layout { width: columns(), colour: colour_wanted(), language, whole: false },
        hex: args.hex,
        auto_ack: args.auto_ack,
        auto_ping: args.auto_ping,
    }
}
