//! `hexmq build`: fields to bytes, and to whatever form another tool takes.
//!
//! The building is done in the workbench; here options become descriptions and results are printed.
//! Exit codes: 0 built, 64 wrong usage.

mod args;
pub(crate) mod argv;
mod cloud;
mod describe;
mod output;

use std::fmt;
use std::process::ExitCode;

use hexmq_wire::Version;
use hexmq_workbench::build::{BuildError, Defect};
use hexmq_workbench::export::AtModule;
use hexmq_workbench::{Language, Options, Severity, explain, width};

pub(crate) use args::Args;

use super::client::Trouble;

/// The exit code for wrong usage, as in `sysexits.h`.
pub(crate) const WRONG_USAGE: u8 = 64;

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    match build(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => trouble.report(false),
    }
}

fn build(args: &Args) -> Result<(), Trouble> {
    let language = super::explain::language(args.lang);
    if args.list_defects || args.list_modules {
        output::print(&if args.list_defects { defects(language) } else { modules(language) });
        return Ok(());
    }
    let mut packets = describe::packets(args)?;
    for (bytes, version) in &mut packets {
        for name in &args.defect {
            *bytes = spoiled(name, bytes, *version)?;
        }
    }
    if args.defect.is_empty() && !args.quiet {
        for (bytes, version) in &packets {
            warn(bytes, *version);
        }
    }
    output::write(args, &packets, language)
}

fn spoiled(name: &str, bytes: &[u8], version: Version) -> Result<Vec<u8>, Trouble> {
    let defect = Defect::from_name(name).ok_or_else(|| {
        let nearest = Defect::all().min_by_key(|known| strsim::damerau_levenshtein(known.name, name));
        let nearest = nearest.map_or("truncated", |defect| defect.name);
        wrong(
            format!("`{name}` is no defect"),
            "`hexmq build --list-defects` lists them",
            format!("--defect {nearest}"),
        )
    })?;
    defect.apply(bytes, version).map_err(|error| {
        let needs = defect.needs.in_language(Language::English);
        wrong("the defect cannot be made", error, format!("{needs}, or another defect"))
    })
}

/// Tells what is wrong with a packet nobody asked to be wrong.
fn warn(bytes: &[u8], version: Version) {
    let explanation = explain(bytes, &Options { version: Some(version), ..Options::default() });
    for finding in explanation.findings().filter(|finding| finding.severity >= Severity::Suspicion) {
        let statement = finding.statement.map_or(String::new(), |statement| format!(" [{statement}]"));
        eprintln!("warning: {}: {}{statement}", finding.code, finding.message);
    }
    if explanation.rest.is_some() || !explanation.skipped.is_empty() {
        eprintln!("warning: these bytes are not whole packets; `hexmq explain` shows where they break");
    }
}

/// The table of defects.
fn defects(language: Language) -> String {
    let rows = Defect::all().map(|defect| {
        let finds =
            if defect.finds.is_empty() { String::new() } else { format!(" [{}]", defect.finds.join(" ")) };
        let about = defect.about.in_language(language);
        let needs = defect.needs.in_language(language);
        let text = match language {
            Language::English => format!("{about}; needs {needs}{finds}"),
            Language::Chinese => format!("{about}；需要{needs}{finds}"),
        };
        (defect.name.to_owned(), text)
    });
    table(rows.collect())
}

fn modules(language: Language) -> String {
    let rows = AtModule::all().iter().map(|module| {
        let aliases = module.aliases.join(" ");
        let about = module.about.in_language(language);
        let text = if aliases.is_empty() { about.to_owned() } else { format!("{about} ({aliases})") };
        (module.name.to_owned(), text)
    });
    table(rows.collect())
}

fn table(rows: Vec<(String, String)>) -> String {
    let columns = rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let lines = rows.into_iter().map(|(name, text)| format!("{name:columns$}  {text}\n"));
    lines.collect()
}

/// An error in how the command was used.
fn wrong(what: impl Into<String>, why: impl fmt::Display, remedy: impl Into<String>) -> Trouble {
    Trouble::new(what, why, remedy).with_code(WRONG_USAGE)
}

fn wrong_field(error: BuildError) -> Trouble {
    let what = match error.field.as_str() {
        "" => "the description is no packet".to_owned(),
        field => format!("`{field}` cannot be built"),
    };
    wrong(what, error.message, "the names and values that `hexmq explain --json` shows; docs/build.md")
}
