//! `hexmq capture`: what a network capture holds of MQTT.
//!
//! The reading is done in the workbench; here files are opened and what is found is printed.
//! Exit codes: 0 packets and nothing worse than a warning, 1 a fault or a damaged file, 2 no MQTT packet,
//! 64 wrong usage.

mod choice;
mod json;
mod live;
mod progress;
mod record;
mod report;
mod summary;
mod time;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use hexmq_workbench::Language;
use hexmq_workbench::capture::{Capture, KeyLog, ReadError, Settings};
use hexmq_workbench::recording::Kind;

use super::explain::{Lang, WRONG_USAGE, columns, language};
use super::recorded;
use choice::Choice;
use live::Live;
use progress::Progress;
use record::Record;
use report::{Detail, Report};
use time::Moment;

/// Read network captures: connections, packets, what is wrong with them
///
/// Reads pcap and pcapng files as tcpdump, tshark and Wireshark write them. MQTT is recognised by its bytes, at any
/// port, also inside WebSocket and, with a key log, inside TLS. Several files continue each other, as a capture
/// that was split does. Without further options the connections are told; the options below tell more.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 nothing worse than a warning, 1 a fault or a damaged file, 2 no MQTT packet, \
                        64 wrong usage"
)]
pub(crate) struct Args {
    /// The captures; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "live")]
    files: Vec<PathBuf>,
    /// Listen on this interface until Ctrl-C; lists the packets as they come
    #[arg(long, value_name = "IFACE", conflicts_with = "files")]
    live: Option<String>,
    /// End listening after so many seconds
    #[arg(long, value_name = "N", requires = "live")]
    seconds: Option<u64>,
    /// List the packets, a line each
    #[arg(long, short)]
    packets: bool,
    /// Explain every packet byte by byte
    #[arg(long, short)]
    explain: bool,
    /// Tell what is wrong with packets and with the conversation
    #[arg(long)]
    lint: bool,
    /// Only the connection with this number; lists its packets
    #[arg(long, short, value_name = "N")]
    connection: Vec<u64>,
    /// Only connections of this Client Identifier; lists their packets
    #[arg(long, short = 'i', value_name = "ID")]
    client_id: Vec<String>,
    /// Only from this time on: 2026-11-23T02:10:00Z, or +90s after the start; lists the packets
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,
    /// Only until this time
    #[arg(long, value_name = "TIME")]
    to: Option<Moment>,
    /// A key log (SSLKEYLOGFILE) to read TLS with
    #[arg(long, value_name = "FILE")]
    keylog: Vec<PathBuf>,
    /// This port is MQTT, whatever its connections look like
    #[arg(long, value_name = "PORT")]
    port: Vec<u16>,
    /// Write what is chosen as a recording: JSON lines, or what the name asks for: FILE.pcapng, FILE.html. Alone with
    /// a recording or a page as FILE it turns that into the other form
    #[arg(long, value_name = "RECORDING")]
    write: Option<PathBuf>,
    /// Leave passwords readable in what is written; otherwise their bytes become 2a
    #[arg(long, requires = "write")]
    reveal: bool,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
    /// Do not shorten lines, long fields and long lists
    #[arg(long)]
    full: bool,
    /// Language; by default that of the environment
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

/// Why there is nothing to read.
pub(crate) type Refusal = String;

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    if let [file] = &args.files[..]
        && let Some(outcome) = convert(file, args)
    {
        return outcome.map_or_else(refused, |()| ExitCode::SUCCESS);
    }
    match settings(args).and_then(|settings| read_all(args, settings)) {
        Ok(code) => ExitCode::from(code),
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> ExitCode {
    eprintln!("{refusal}");
    ExitCode::from(WRONG_USAGE)
}

/// Turns a recording, or a page that holds one, into another form; `None`: the file is neither.
fn convert(file: &Path, args: &Args) -> Option<Result<(), Refusal>> {
    let mut reader = BufReader::new(File::open(file).ok().filter(|_| file.as_os_str() != "-")?);
    if !matches!(Kind::of(reader.fill_buf().ok()?), Some(Kind::Lines | Kind::Html)) {
        return None;
    }
    let shown = file.display();
    let Some(write) = &args.write else {
        return Some(Err(format!(
            "{shown} is a recording: `hexmq explain --file` explains it, --write FILE turns it into another form"
        )));
    };
    if write == file {
        return Some(Err(format!("{shown} would be read and written at once")));
    }
    let written = recorded::open(file).and_then(|recording| {
        Record::convert(&recording, &args.connection, write, language(args.lang), args.reveal)
    });
    Some(written)
}

fn settings(args: &Args) -> Result<Settings, Refusal> {
    let mut settings = Settings { keys: KeyLog::default(), ..Settings::default() };
    settings.ports.extend(&args.port);
    for path in &args.keylog {
        let shown = path.display();
        let text = std::fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        settings.keys.read(&text).map_err(|error| format!("{shown}: {error}"))?;
    }
    Ok(settings)
}

/// What is printed of the packets.
fn detail(args: &Args) -> Detail {
    let chosen = !args.connection.is_empty() || !args.client_id.is_empty() || args.from.or(args.to).is_some();
    Detail {
        packets: args.packets || args.explain || args.live.is_some() || chosen && args.write.is_none(),
        explain: args.explain,
        lint: args.lint,
    }
}

fn read_all(args: &Args, settings: Settings) -> Result<u8, Refusal> {
    let language = language(args.lang);
    // Opened before anything is printed: a wrong name is wrong usage.
    let mut inputs = Vec::new();
    for path in &args.files {
        inputs.push(open(path)?);
    }
    let live = args.live.as_deref().map(listen).transpose()?;
    let record = match &args.write {
        Some(path) => Some(Record::create(path, language, args.reveal)?),
        None => None,
    };
    let choice = Choice {
        connections: args.connection.clone(),
        client_ids: args.client_id.clone(),
        from: args.from,
        to: args.to,
    };
    let detail = detail(args);
    let stdout = io::stdout();
    // Not line by line: a large capture has millions.
    let output = BufWriter::with_capacity(64 * 1024, stdout.lock());
    let mut report = Report::new(output, args.json, language, shown_width(args.full), detail, choice, record);
    let mut capture = Capture::new(settings);
    let quiet = detail.packets && io::stdout().is_terminal();
    let mut damaged = false;
    for input in inputs {
        damaged |= read(&mut capture, input, &mut report, quiet, language);
    }
    if let Some(live) = live {
        let limit = args.seconds.map(Duration::from_secs);
        if let Err(error) = live.read(&mut capture, &mut report, limit, Report::flush) {
            eprintln!("listening ended: {error}");
            damaged = true;
        }
    }
    capture.finish(&mut report);
    Ok(report.finish(&capture.totals(), damaged))
}

/// Whether a file begins as a capture does.
pub(crate) fn is_capture(path: &Path) -> bool {
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(64).read_to_end(&mut start)).is_ok()
        && hexmq_workbench::capture::is_capture(&start)
}

/// Explains every packet of a capture.
pub(crate) fn explain_file(path: &Path, json: bool, full: bool, lang: Option<Lang>) -> ExitCode {
    run(&Args {
        files: vec![path.to_owned()],
        live: None,
        seconds: None,
        packets: true,
        explain: true,
        lint: true,
        connection: Vec::new(),
        client_id: Vec::new(),
        from: None,
        to: None,
        keylog: Vec::new(),
        port: Vec::new(),
        write: None,
        reveal: false,
        json,
        full,
        lang,
    })
}

fn listen(interface: &str) -> Result<Live, Refusal> {
    let live = Live::open(interface)?;
    eprintln!("listening on {interface}; Ctrl-C ends it");
    Ok(live)
}

/// Columns of a line; none: as long as it is.
fn shown_width(full: bool) -> Option<usize> {
    (!full).then(|| if io::stdout().is_terminal() { columns() } else { 400 })
}

/// A file that is open, and what to call it.
struct Input {
    name: String,
    reader: Box<dyn Read>,
    /// Bytes, where that is known.
    length: Option<u64>,
}

fn open(path: &Path) -> Result<Input, Refusal> {
    if path.as_os_str() == "-" {
        return Ok(Input { name: "stdin".to_owned(), reader: Box::new(io::stdin()), length: None });
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let about = file.metadata().map_err(|error| format!("cannot read {name}: {error}"))?;
    if about.is_dir() {
        return Err(format!("cannot read {name}: it is a directory"));
    }
    let length = about.is_file().then_some(about.len());
    Ok(Input { name, reader: Box::new(file), length })
}

/// Reads one file. True: it is damaged.
fn read<W: Write>(
    capture: &mut Capture,
    mut input: Input,
    report: &mut Report<W>,
    quiet: bool,
    language: Language,
) -> bool {
    let mut progress = Progress::new(input.length.filter(|_| !quiet && io::stderr().is_terminal()), language);
    let outcome = capture.read(&mut input.reader, report, |bytes| progress.at(bytes));
    progress.clear();
    let error = match outcome {
        Ok(()) => return false,
        Err(error) => error,
    };
    let truncated = matches!(&error, ReadError::Capture(error) if error.is_truncation());
    eprintln!("{}: {error}", input.name);
    // A capture that was broken off with Ctrl-C ends like that; what is there is good.
    !truncated
}
