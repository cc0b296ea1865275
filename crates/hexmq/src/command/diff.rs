//! `hexmq diff`: two packets or two recordings, field by field.
//!
//! The comparing is done in the workbench; here the inputs are fetched and the answer is printed.
//! Exit codes: 0 equal, 1 different, 2 an input cannot be read, 64 wrong usage.

use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use hexmq_wire::Version;
use hexmq_workbench::diff::{Diff, DiffOptions};
use hexmq_workbench::recording::{Kind, Recording, import};
use hexmq_workbench::{Language, Side, parse_hex};

use super::client::Trouble;
use super::explain::{Lang, language};

/// The exit code where an input cannot be read.
const UNREADABLE: u8 = 2;

/// Bytes of traffic that are held of one recording.
const TRAFFIC_MAX: usize = 256 << 20;

/// Compare two packets or two recordings, field by field
///
/// A and B are each a file (a recording, a page with one, a pcap or pcapng capture, raw bytes or hex
/// text), hex in any spelling, or - for standard input. A name of a file that exists is that file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 equal, 1 different, 2 an input cannot be read, 64 wrong usage")]
pub(crate) struct Args {
    /// File or hex
    #[arg(value_name = "A")]
    a: String,
    /// File or hex
    #[arg(value_name = "B")]
    b: String,
    /// Who sent the bytes: client, server or auto
    #[arg(long, value_parser = side, default_value = "auto")]
    from: Asked<Side>,
    /// Protocol version: 3, 4, 5 or auto
    #[arg(long, value_parser = version, default_value = "auto")]
    version: Asked<Version>,
    /// Language; by default that of the environment
    #[arg(long, value_enum)]
    lang: Option<Lang>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show the packets that are the same, too
    #[arg(long)]
    all: bool,
}

/// A choice, or `auto`.
#[derive(Clone, Copy, Debug)]
struct Asked<T>(Option<T>);

fn side(text: &str) -> Result<Asked<Side>, String> {
    match text {
        "client" => Ok(Asked(Some(Side::Client))),
        "server" => Ok(Asked(Some(Side::Server))),
        "auto" => Ok(Asked(None)),
        _ => Err("it is client, server or auto".into()),
    }
}

fn version(text: &str) -> Result<Asked<Version>, String> {
    match text {
        "3" | "3.1" => Ok(Asked(Some(Version::V3))),
        "4" | "3.1.1" => Ok(Asked(Some(Version::V4))),
        "5" | "5.0" => Ok(Asked(Some(Version::V5))),
        "auto" => Ok(Asked(None)),
        _ => Err("it is 3, 4, 5 or auto".into()),
    }
}

/// What an argument stands for.
enum Input {
    Recording(Recording),
    Bytes(Vec<u8>),
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    match compare(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(trouble) => trouble.report(false),
    }
}

/// Prints the difference; tells whether there is none.
fn compare(args: &Args) -> Result<bool, Trouble> {
    if args.a == "-" && args.b == "-" {
        return Err(Trouble::new(
            "both inputs are standard input",
            "it can be read once",
            "a file for one of them",
        )
        .with_code(super::explain::WRONG_USAGE));
    }
    let language = language(args.lang);
    let diff = match (input(&args.a)?, input(&args.b)?) {
        (Input::Recording(a), Input::Recording(b)) => Diff::of_recordings(&a, &b, language),
        (Input::Bytes(a), Input::Bytes(b)) => {
            let options = DiffOptions { from: args.from.0, version: args.version.0, language };
            Diff::of_bytes(&a, &b, &options)
        }
        (Input::Recording(_), Input::Bytes(_)) => return Err(mixed(&args.a, &args.b)),
        (Input::Bytes(_), Input::Recording(_)) => return Err(mixed(&args.b, &args.a)),
    };
    if diff.is_empty() {
        return Err(unreadable("there is nothing to compare", "neither input has a byte", "two packets"));
    }
    let page = if args.json { format!("{:#}\n", diff.to_json()) } else { diff.to_text(language, args.all) };
    // A reader that goes away early (`| head`) is no error of ours.
    let _ = io::stdout().write_all(page.as_bytes());
    Ok(diff.is_equal())
}

fn unreadable(what: impl Into<String>, why: impl std::fmt::Display, remedy: impl Into<String>) -> Trouble {
    Trouble::new(what, why, remedy).with_code(UNREADABLE)
}

fn mixed(recording: &str, bytes: &str) -> Trouble {
    unreadable(
        "a recording and bytes cannot be compared",
        format!("{recording} is a recording, {bytes} is not"),
        "two recordings, or two packets",
    )
}

/// A file, standard input or hex.
fn input(argument: &str) -> Result<Input, Trouble> {
    let content = if argument == "-" {
        let mut content = Vec::new();
        io::stdin().lock().read_to_end(&mut content).map(|_| content)
    } else if Path::new(argument).exists() {
        std::fs::read(argument)
    } else {
        let bytes = parse_hex(argument).map_err(|error| {
            let why = error.message(Language::English);
            unreadable(format!("`{argument}` is no file, and no hex"), why, "a file that exists, or hex")
        })?;
        return Ok(Input::Bytes(bytes));
    };
    let content = content
        .map_err(|error| unreadable(format!("cannot read {argument}"), error, "a file that may be read"))?;
    if Kind::of(&content).is_some() {
        let recording = import(Cursor::new(&content), TRAFFIC_MAX);
        return recording.map(Input::Recording).map_err(|error| {
            unreadable(format!("cannot read {argument}"), error, "`hexmq capture` or `hexmq explain` on it")
        });
    }
    if super::explain::looks_binary(&content) {
        return Ok(Input::Bytes(content));
    }
    parse_hex(&String::from_utf8_lossy(&content)).map(Input::Bytes).map_err(|error| {
        unreadable(
            format!("{argument} is no hex"),
            error.message(Language::English),
            "hex text, or raw bytes",
        )
    })
}
