//! `hexmq explain`: every byte of the given packets with its meaning, and what is wrong with it.
//!
//! The deciding is done in the workbench; here the bytes are fetched and the answer is printed.
//! Exit codes: 0 clean or warnings only, 1 a fault or suspicion, 2 nothing decodable, 64 wrong usage.

use std::fmt;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use hexmq_wire::Version;
use hexmq_workbench::{
    HexError, Knowledge, Language, Layout, Options, Outcome, Side, explain_knowing, parse_hex, render,
};

/// The exit code for wrong usage, as in `sysexits.h`.
pub(crate) const WRONG_USAGE: u8 = 64;

/// Explain MQTT packets byte by byte
///
/// Hex may be written in any way: 10 25 00 04, 10250004, 0x10,0x25, \x10\x25, 10h 25h, C arrays, full-width
/// digits, with comments. Several arguments are one stream; without arguments it is read from standard input.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 clean or warnings only, 1 fault or suspicion, 2 nothing decodable, 64 wrong usage"
)]
pub(crate) struct Args {
    /// The bytes in hex
    #[arg(value_name = "HEX", conflicts_with = "file")]
    hex: Vec<String>,
    /// Read hex text, raw bytes, a recording, a page that holds one, or a capture from this file; - is standard
    /// input, for hex and raw bytes
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The file or standard input holds raw bytes, whatever they look like
    #[arg(long, conflicts_with = "hex")]
    binary: bool,
    /// Who sent the bytes
    #[arg(long, value_enum, default_value_t = From::Auto)]
    from: From,
    /// Protocol version; auto takes that of a CONNECT among the packets, else the one that fits best
    #[arg(long, value_enum, default_value_t = ReadAs::Auto)]
    version: ReadAs,
    /// Language; by default that of the environment
    #[arg(long, value_enum)]
    lang: Option<Lang>,
    /// Print JSON, the same as POST /api/v1/explain answers
    #[arg(long)]
    json: bool,
    /// Show every byte of long fields
    #[arg(long)]
    full: bool,
    /// Check signatures of cloud devices with this secret or access key
    #[arg(long, value_name = "SECRET", env = "HEXMQ_DEVICE_SECRET", hide_env_values = true)]
    secret: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum From {
    Client,
    Server,
    Auto,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReadAs {
    #[value(name = "3", alias = "3.1")]
    V3,
    #[value(name = "4", alias = "3.1.1")]
    V4,
    #[value(name = "5", alias = "5.0")]
    V5,
    Auto,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Lang {
    En,
    Zh,
}

/// Why there are no bytes.
enum NoBytes {
    /// The text is not hex.
    Hex {
        /// Where the text comes from: `argument 2`, a file name.
        source: String,
        error: HexError,
    },
    /// The file or standard input cannot be read.
    Read { source: String, error: io::Error },
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    if let Some(file) = args.file.as_deref().filter(|file| !args.binary && super::capture::is_capture(file)) {
        return super::capture::explain_file(file, args.json, args.full, args.lang);
    }
    let language = language(args.lang);
    if let Some(code) = recording(args, language) {
        return code;
    }
    let bytes = match bytes(args, language) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprint!("{}", error.message(language));
            return ExitCode::from(WRONG_USAGE);
        }
    };
    let options = Options { from: side(args.from), version: version(args.version), language };
    let knowledge = Knowledge { secret: args.secret.clone(), now: unix_seconds() };
    let explanation = explain_knowing(&bytes, &options, &knowledge);
    let page = if args.json {
        format!("{:#}\n", explanation.to_json())
    } else {
        let colour = colour_wanted();
        render(&bytes, &explanation, &Layout { width: columns(), colour, language, whole: args.full })
    };
    // A reader that goes away early (`| head`) is no error of ours.
    let _ = io::stdout().write_all(page.as_bytes());
    exit_code(explanation.outcome())
}

/// Explains the file if it is a recording, or a page that holds one.
fn recording(args: &Args, language: Language) -> Option<ExitCode> {
    let path = args.file.as_ref().filter(|file| !args.binary && file.as_os_str() != "-")?;
    // A file that cannot be read is told where bytes are read.
    let recording = match super::recorded::recognise(path).ok()?? {
        Ok(recording) => recording,
        Err(problem) => {
            eprintln!("{}: {problem}", path.display());
            return Some(ExitCode::from(WRONG_USAGE));
        }
    };
    let from = side(args.from);
    let (page, outcome) = if args.json {
        let (json, outcome) = super::recorded::explain_json(&recording, from, language);
        (format!("{json:#}\n"), outcome)
    } else {
        let layout = Layout { width: columns(), colour: colour_wanted(), language, whole: args.full };
        super::recorded::explain(&recording, from, &layout)
    };
    // A reader that goes away early (`| head`) is no error of ours.
    let _ = io::stdout().write_all(page.as_bytes());
    Some(exit_code(outcome))
}

fn exit_code(outcome: Outcome) -> ExitCode {
    ExitCode::from(match outcome {
        Outcome::Clean => 0,
        Outcome::Faulty => 1,
        Outcome::NothingDecodable => 2,
    })
}

/// The time by which a token may have expired; `None` if the clock stands before 1970.
fn unix_seconds() -> Option<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

fn side(from: From) -> Option<Side> {
    match from {
        From::Client => Some(Side::Client),
        From::Server => Some(Side::Server),
        From::Auto => None,
    }
}

fn version(read_as: ReadAs) -> Option<Version> {
    match read_as {
        ReadAs::V3 => Some(Version::V3),
        ReadAs::V4 => Some(Version::V4),
        ReadAs::V5 => Some(Version::V5),
        ReadAs::Auto => None,
    }
}

pub(crate) fn language(asked: Option<Lang>) -> Language {
    match asked {
        Some(Lang::En) => Language::English,
        Some(Lang::Zh) => Language::Chinese,
        None => ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .filter_map(|name| std::env::var(name).ok())
            .find(|locale| !locale.is_empty())
            .map_or(Language::English, |locale| Language::of_locale(&locale)),
    }
}

/// The bytes from arguments, file or standard input.
fn bytes(args: &Args, language: Language) -> Result<Vec<u8>, NoBytes> {
    if args.hex.is_empty() {
        let (source, content) = content(args, language)?;
        return if args.binary || looks_binary(&content) {
            Ok(content)
        } else {
            hex(&source, &String::from_utf8_lossy(&content))
        };
    }
    let mut bytes = Vec::new();
    for (index, text) in args.hex.iter().enumerate() {
        let number = index + 1;
        let source = match language {
            Language::English => format!("argument {number}"),
            Language::Chinese => format!("第 {number} 个参数"),
        };
        bytes.extend(hex(&source, text)?);
    }
    Ok(bytes)
}

fn hex(source: &str, text: &str) -> Result<Vec<u8>, NoBytes> {
    parse_hex(text).map_err(|error| NoBytes::Hex { source: source.to_owned(), error })
}

/// The content of the file or of standard input, and what to call it.
fn content(args: &Args, language: Language) -> Result<(String, Vec<u8>), NoBytes> {
    let file = args.file.as_ref().filter(|file| file.as_os_str() != "-");
    let (source, content) = match file {
        Some(file) => (file.display().to_string(), std::fs::read(file)),
        None => {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                eprintln!("{}", Prompt(language));
            }
            let mut content = Vec::new();
            ("stdin".to_owned(), stdin.lock().read_to_end(&mut content).map(|_| content))
        }
    };
    match content {
        Ok(content) => Ok((source, content)),
        Err(error) => Err(NoBytes::Read { source, error }),
    }
}

/// Told to a person who gave no bytes.
struct Prompt(Language);

impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Language::English => "paste hex, then press Ctrl-D on an empty line",
            Language::Chinese => "请粘贴十六进制内容，然后在空行按 Ctrl-D",
        })
    }
}

/// Raw bytes have control characters or are no text at all; hex text is neither.
pub(crate) fn looks_binary(content: &[u8]) -> bool {
    match std::str::from_utf8(content) {
        Ok(text) => text.chars().any(|c| c.is_control() && !c.is_whitespace()),
        Err(_) => true,
    }
}

impl NoBytes {
    fn message(&self, language: Language) -> String {
        match (self, language) {
            (NoBytes::Hex { source, error }, Language::English) => {
                format!("{source}, {}\n{}\n", error.message(language), error.excerpt())
            }
            (NoBytes::Hex { source, error }, Language::Chinese) => {
                format!("{source}，{}\n{}\n", error.message(language), error.excerpt())
            }
            (NoBytes::Read { source, error }, Language::English) => {
                format!("cannot read {source}: {error}\n")
            }
            (NoBytes::Read { source, error }, Language::Chinese) => format!("无法读取 {source}：{error}\n"),
        }
    }
}

/// Colour only on a terminal that can show it and where nobody objects (no-color.org).
pub(crate) fn colour_wanted() -> bool {
    let objected = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && !objected && !dumb
}

/// Columns of the terminal, or what `COLUMNS` says; else 100.
pub(crate) fn columns() -> usize {
    const USUAL: usize = 100;
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let of_terminal =
        || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
    asked.or_else(of_terminal).filter(|&columns| columns > 0).unwrap_or(USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_text_is_told_from_raw_bytes() {
        assert!(!looks_binary(b"10 25 00\r\n\t04"));
        assert!(!looks_binary("１０，２５".as_bytes()));
        assert!(looks_binary(&[0x10, 0x02, 0x00, 0x04]));
        assert!(looks_binary(&[0xC0, 0x00]));
    }

    #[test]
    fn a_bad_argument_is_named_with_its_column() {
        let Err(error) = hex("argument 2", "c0 0g") else { panic!("g is no digit") };
        let message = error.message(Language::English);
        assert!(message.starts_with("argument 2, line 1, column 5"), "{message}");
        assert!(message.contains("c0 0g\n    ^"), "{message}");
    }
}
