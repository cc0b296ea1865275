//! `hexmq replay`: plays the client side of a recording against a server, and tells how its answers
//! differ from those in the recording.
//!
//! Exit codes: 0 the same answers, 1 other ones, 2 no connection, 64 wrong usage.

mod compare;
mod play;

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use hexmq_notation::parse_duration;
use hexmq_transport::Dial;

use super::connection::{Target, TlsArgs};
use super::explain::WRONG_USAGE;
use super::raw::Record;
use super::recorded;
use play::{Answers, Pace, Player, Trouble};

/// The server answered otherwise.
const DIFFERENT: u8 = 1;

/// No connection came about.
const NO_CONNECTION: u8 = 2;

/// Play the client side of a recording against a server, and compare its answers
///
/// Reads recordings (hexmq raw, proxy, capture, serve), HTML pages made of them, and pcap or pcapng files. Every byte
/// of the clients is sent as it was, at its time, but not before the server has said what it had said by then.
/// Packet identifiers of the server and identifiers it assigns may differ.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 the same answers, 1 other answers, 2 no connection, 64 wrong usage")]
pub(crate) struct Args {
    /// The recording
    #[arg(value_name = "RECORDING")]
    file: PathBuf,
    /// The server: HOST[:PORT], mqtt://…, mqtts://…, unix:///path; by default the recorded one
    #[arg(long, value_name = "HOST:PORT")]
    to: Option<String>,
    #[command(flatten)]
    tls: TlsArgs,
    /// How much faster than recorded, such as 1, 0.5, 10; max waits only for the server
    #[arg(long, value_name = "N|max", default_value = "1")]
    speed: Pace,
    /// Only the connection with this number; repeatable
    #[arg(long, short, value_name = "N")]
    connection: Vec<u64>,
    /// How long to wait for what the server had said
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    wait: Duration,
    /// Record what happens now
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Say nothing about answers that are the same
    #[arg(long, short)]
    quiet: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a time such as 500ms or 2s".to_owned())
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Pace, String> {
        if text == "max" {
            return Ok(Pace::Max);
        }
        let times = text.parse::<f64>().ok().filter(|times| times.is_finite() && *times > 0.0);
        times.map(Pace::Times).ok_or_else(|| "expected a number above 0, or max".to_owned())
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    match replay(args) {
        Ok(code) => ExitCode::from(code),
        Err((code, message)) => {
            eprintln!("hexmq replay: {message}");
            ExitCode::from(code)
        }
    }
}

fn replay(args: &Args) -> Result<u8, (u8, String)> {
    let wrong = |message: String| (WRONG_USAGE, message);
    let recording = recorded::open(&args.file).map_err(wrong)?;
    if recording.cut_off {
        eprintln!("hexmq replay: the recording is cut off; what is there is played");
    }
    if recording.head.masked {
        eprintln!(
            "hexmq replay: passwords are masked in this recording; a server that checks them will refuse"
        );
    }
    let mut numbers = recording.connections();
    if let Some(missing) = args.connection.iter().find(|number| !numbers.contains(number)) {
        return Err(wrong(format!("there is no connection {missing} in {}", args.file.display())));
    }
    numbers.retain(|number| args.connection.is_empty() || args.connection.contains(number));
    let dial = match &args.to {
        Some(to) => Some(dial(to, args).map_err(wrong)?),
        None => None,
    };
    let by_address = |address: &str| dial.clone().map_or_else(|| self::dial(address, args), Ok);
    let record = match &args.write {
        Some(path) => {
            let created = Record::create(path, "replay");
            Some(created.map_err(|error| wrong(format!("cannot write {}: {error}", path.display())))?)
        }
        None => None,
    };
    let mut player = Player::new(&recording, &numbers, args.speed, args.wait, record);
    let answers = match player.play(&by_address) {
        Ok(answers) => answers,
        Err(Trouble::Connect(message)) => return Err((NO_CONNECTION, message)),
        Err(Trouble::Usage(message)) => return Err(wrong(message)),
    };
    Ok(if report(&answers, args.quiet) { 0 } else { DIFFERENT })
}

fn dial(to: &str, args: &Args) -> Result<Dial, String> {
    let target = if args.tls.wanted() { Target::over_tls(to) } else { to.parse() };
    let target: Target = target.map_err(|error| format!("{to}: {error}"))?;
    let tls = match target.tls {
        true => Some(args.tls.connector().map_err(|error| error.to_string())?),
        false => None,
    };
    Ok(Dial { endpoint: target.endpoint, bind: None, nodelay: true, tls })
}

/// Prints what differs, connection by connection; whether nothing does.
fn report(answers: &[Answers], quiet: bool) -> bool {
    let mut same = true;
    for answers in answers {
        let number = answers.connection;
        let lines = compare::differences(&answers.recorded, &answers.now);
        if lines.is_empty() {
            if !quiet {
                println!("connection {number}: {} answers as recorded", answers.now.len());
            }
            continue;
        }
        same = false;
        println!("connection {number}: - recorded, + now");
        for line in lines {
            println!("  {line}");
        }
    }
    same
}
