//! `hexmq store`: looking at the durable store of a stopped server, and mending it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use hexmq_session::Wall;
use hexmq_store::{FileDisk, Finding, ImportError, Report, StoreError, check, export, import, repair};
use serde_json::json;

/// In the directory of `--data`.
const DIRECTORY: &str = "store";
/// Something is not what was written.
const DAMAGED: u8 = 1;
/// It cannot be read at all, or not be written.
const UNREADABLE: u8 = 2;
/// Nothing was done, since what was asked for makes no sense.
pub(crate) const WRONG_USAGE: u8 = 64;

/// Check, repair, export or import the durable store of a server that is stopped
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Ends with 0 when all is well, 1 when something is damaged, 2 when the store cannot be read or \
                        written (a server that uses it counts), 64 for a wrong command line."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// Directory of the server's data
    #[arg(long, value_name = "DIR", default_value = "hexmq-data", global = true)]
    data: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Read the whole store and list what is damaged; changes nothing
    Check {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Keep what is whole, give up what is not; a copy of each changed file is kept
    Repair,
    /// Write everything as JSON lines, as far as it is whole
    Export {
        /// Where to; stdout if it is left out
        file: Option<PathBuf>,
    },
    /// Make a store of what `export` has written
    Import {
        /// Where from; stdin if it is left out
        file: Option<PathBuf>,
    },
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    let outcome = match &args.action {
        Action::Check { json } => run_check(&args.data, *json),
        Action::Repair => run_repair(&args.data),
        Action::Export { file } => run_export(&args.data, file.as_deref()),
        Action::Import { file } => run_import(&args.data, file.as_deref()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DAMAGED),
        Err(Failed(text, code)) => {
            eprintln!("hexmq store: {text}");
            ExitCode::from(code)
        }
    }
}

struct Failed(String, u8);

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        let code = if matches!(error, StoreError::Damaged(_)) { DAMAGED } else { UNREADABLE };
        Failed(error.to_string(), code)
    }
}

fn disk(data: &Path) -> Result<FileDisk, Failed> {
    let directory = data.join(DIRECTORY);
    if !directory.is_dir() {
        let text = format!(
            "there is no store in {}; name the directory that `hexmq serve --data` was given",
            data.display()
        );
        return Err(Failed(text, UNREADABLE));
    }
    Ok(FileDisk::open_existing(&directory)?)
}

fn run_check(data: &Path, as_json: bool) -> Result<bool, Failed> {
    let report = check(disk(data)?)?;
    if as_json {
        println!("{}", to_json(&report));
    } else {
        tell(&report);
    }
    Ok(report.is_clean())
}

fn tell(report: &Report) {
    let figures = &report.figures;
    println!(
        "{} segments, {} bytes, {} commits: {} sessions, {} waiting and {} retained messages, {} between shards",
        report.segments,
        report.log_bytes,
        report.commits,
        figures.sessions,
        figures.queued,
        figures.retained,
        figures.transits
    );
    if let Some(cut) = &report.cut {
        println!(
            "{} ends with {} bytes, from offset {} on, that were being written when the server stopped; nothing of it was \
             acknowledged",
            cut.file, cut.bytes, cut.offset
        );
    }
    if report.holes > 0 {
        println!("{} places were repaired earlier", report.holes);
    }
    tell_findings(&report.findings);
    if report.lost > 0 {
        println!("{} records refer to something that is not there any more", report.lost);
    }
    if report.is_clean() {
        println!("no damage");
    }
}

fn tell_findings(findings: &[Finding]) {
    for finding in findings {
        println!("{} ({} bytes)", finding.damage, finding.bytes);
    }
}

fn to_json(report: &Report) -> serde_json::Value {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            let damage = &finding.damage;
            json!({"file": damage.file, "offset": damage.offset, "bytes": finding.bytes, "what": damage.what})
        })
        .collect();
    let cut =
        report.cut.as_ref().map(|cut| json!({"file": cut.file, "offset": cut.offset, "bytes": cut.bytes}));
    json!({
        "clean": report.is_clean(), "findings": findings, "cut": cut, "segments": report.segments,
        "log_bytes": report.log_bytes, "live_bytes": report.figures.live_bytes, "commits": report.commits,
        "holes": report.holes, "lost": report.lost, "sessions": report.figures.sessions,
        "queued": report.figures.queued, "retained": report.figures.retained,
    })
}

fn run_repair(data: &Path) -> Result<bool, Failed> {
    let repaired = repair(disk(data)?)?;
    if repaired.findings.is_empty() {
        println!("no damage; nothing was changed");
        return Ok(true);
    }
    tell_findings(&repaired.findings);
    for kept in &repaired.kept {
        println!("kept a copy as it was: {}", data.join(DIRECTORY).join(kept).display());
    }
    let report = check(disk(data)?)?;
    println!(
        "the store can be opened: {} sessions, {} waiting and {} retained messages; {} records refer to what is lost \
         and will be dropped",
        report.figures.sessions, report.figures.queued, report.figures.retained, report.lost
    );
    Ok(report.is_clean())
}

fn run_export(data: &Path, file: Option<&Path>) -> Result<bool, Failed> {
    let disk = disk(data)?;
    let cannot = |path: &Path, error: io::Error| {
        Failed(format!("cannot write {}: {error}", path.display()), UNREADABLE)
    };
    let findings = match file {
        Some(path) => {
            let made = File::create_new(path).map_err(|error| cannot(path, error))?;
            let mut out = BufWriter::new(made);
            let findings = export(disk, &mut out)?;
            out.into_inner()
                .map_err(|error| cannot(path, error.into_error()))?
                .sync_all()
                .map_err(|error| cannot(path, error))?;
            findings
        }
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            let findings = export(disk, &mut out)?;
            out.flush().map_err(|error| cannot(Path::new("stdout"), error))?;
            findings
        }
    };
    for finding in &findings {
        eprintln!("hexmq store: left out: {} ({} bytes)", finding.damage, finding.bytes);
    }
    Ok(findings.is_empty())
}

fn run_import(data: &Path, file: Option<&Path>) -> Result<bool, Failed> {
    let directory = data.join(DIRECTORY);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let outcome = match file {
        Some(path) => {
            let opened = File::open(path)
                .map_err(|error| Failed(format!("cannot read {}: {error}", path.display()), UNREADABLE))?;
            import(FileDisk::open(&directory)?, &mut BufReader::new(opened), Wall(now))
        }
        None => import(FileDisk::open(&directory)?, &mut io::stdin().lock(), Wall(now)),
    };
    match outcome {
        Ok(imported) => {
            println!("{} records are in {}", imported.records, directory.display());
            Ok(true)
        }
        Err(ImportError::Store(error)) => Err(error.into()),
        Err(error @ ImportError::NotEmpty) => Err(Failed(
            format!("{}: {error}; choose another directory with --data", directory.display()),
            UNREADABLE,
        )),
        Err(error) => Err(Failed(
            format!("{error}; what was written to {} so far is of no use: remove it", directory.display()),
            UNREADABLE,
        )),
    }
}
