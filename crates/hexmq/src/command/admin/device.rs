//! `hexmq device`: devices, one by one and many at once.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::api::{Api, ApiArgs, Body, with_query};
use super::product::show;
use super::table::table;
use super::{body, device_path, done, pair, print, print_json, product_path, read_file};
use crate::command::client::Trouble;

/// Devices of products
#[derive(Debug, clap::Args)]
#[command(after_help = super::AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List devices
    List {
        /// Only of this product
        product: Option<String>,
        /// Whose id or name contains this
        #[arg(long)]
        text: Option<String>,
        /// That have this tag: NAME or NAME:VALUE
        #[arg(long)]
        tag: Option<String>,
        /// With this status
        #[arg(long, value_enum)]
        status: Option<Status>,
        /// At most so many
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Show secrets
        #[arg(long)]
        reveal: bool,
    },
    /// Show a device
    Show {
        product: String,
        device: String,
        /// Show its secrets
        #[arg(long)]
        reveal: bool,
    },
    /// Register a device
    Create {
        product: String,
        /// Device id or DeviceName; made if absent
        device: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Change a device
    Set {
        product: String,
        device: String,
        #[command(flatten)]
        change: Change,
        /// Remove this tag
        #[arg(long, value_name = "NAME")]
        untag: Vec<String>,
    },
    /// Let a device connect again
    Enable { product: String, device: String },
    /// Keep a device from connecting; its connection is closed
    Disable { product: String, device: String },
    /// Remove a device and what is kept of it
    Delete { product: String, device: String },
    /// Register many devices from a CSV or JSON file
    Import {
        product: String,
        /// The file; - is standard input
        file: PathBuf,
        /// Its form; by default what its name says
        #[arg(long, value_enum)]
        format: Option<Form>,
        /// Leave devices alone that are there already
        #[arg(long)]
        skip_existing: bool,
    },
    /// Export all devices of a product
    Export {
        product: String,
        #[arg(long, value_enum, default_value_t = Form::Csv)]
        format: Form,
        /// With secrets, so that an import elsewhere makes the same devices
        #[arg(long)]
        reveal: bool,
        /// Write to this file
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show the log of a device: each stage of each message
    Log {
        product: String,
        device: String,
        /// At most so many lines, the newest
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    Never,
    Online,
    Offline,
    Disabled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Csv,
    Json,
}

impl Form {
    fn name(self) -> &'static str {
        if self == Form::Csv { "csv" } else { "json" }
    }
}

#[derive(Debug, clap::Args)]
struct Change {
    /// For people
    #[arg(long)]
    name: Option<String>,
    /// Auth info, access key or DeviceSecret
    #[arg(long)]
    secret: Option<String>,
    /// Accepted as it is in place of whatever the dialect asks for
    #[arg(long)]
    password: Option<String>,
    /// A tag
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
}

impl Change {
    fn body(&self) -> Map<String, Value> {
        let tags: Map<String, Value> =
            self.tags.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        body([
            ("name", self.name.as_ref().map(|name| json!(name))),
            ("secret", self.secret.as_ref().map(|secret| json!(secret))),
            ("password", self.password.as_ref().map(|password| json!(password))),
            ("tags", (!tags.is_empty()).then(|| json!(tags))),
        ])
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    done(act(args))
}

fn act(args: &Args) -> Result<ExitCode, Trouble> {
    let api = args.api.open()?;
    let json = args.api.json;
    match &args.action {
        Action::List { .. } => list(&api, &args.action, json)?,
        Action::Show { product, device, reveal } => {
            let query = [("reveal", reveal.then(|| "true".to_owned()))];
            show(&api.get(&device_path(product, device), &query)?, json);
        }
        Action::Create { product, device, change } => {
            let mut body = change.body();
            if let Some(device) = device {
                body.insert("id".to_owned(), json!(device));
            }
            let path = format!("{}/devices", product_path(product));
            show(&api.call(Method::POST, &path, Body::Json(&json!(body)))?, json);
        }
        Action::Set { product, device, change, untag } => {
            let mut body = json!(change.body());
            for name in untag {
                body["tags"][name] = Value::Null;
            }
            show(&api.call(Method::PATCH, &device_path(product, device), Body::Json(&body))?, json);
        }
        Action::Enable { product, device } | Action::Disable { product, device } => {
            let body = json!({"disabled": matches!(args.action, Action::Disable { .. })});
            show(&api.call(Method::PATCH, &device_path(product, device), Body::Json(&body))?, json);
        }
        Action::Delete { product, device } => {
            api.call(Method::DELETE, &device_path(product, device), Body::Nothing)?;
        }
        Action::Import { product, file, format, skip_existing } => {
            return import(&api, product, file, *format, *skip_existing, json);
        }
        Action::Export { product, format, reveal, output } => {
            export(&api, product, *format, *reveal, output.as_ref())?;
        }
        Action::Log { product, device, limit } => {
            let path = format!("{}/log", device_path(product, device));
            let (items, _) = api.list(&path, &[], *limit as usize)?;
            if json {
                print_json(&json!({"items": items}));
            } else {
                log(items);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(api: &Api, action: &Action, json: bool) -> Result<(), Trouble> {
    let Action::List { product, text, tag, status, limit, reveal } = action else { return Ok(()) };
    let path = match product {
        Some(product) => format!("{}/devices", product_path(product)),
        None => "/api/v1/devices".to_owned(),
    };
    let status = status.map(|status| match status {
        Status::Never => "never",
        Status::Online => "online",
        Status::Offline => "offline",
        Status::Disabled => "disabled",
    });
    let query = [
        ("text", text.clone()),
        ("tag", tag.clone()),
        ("status", status.map(str::to_owned)),
        ("reveal", reveal.then(|| "true".to_owned())),
    ];
    let (items, more) = api.list(&path, &query, *limit as usize)?;
    if json {
        print_json(&json!({"items": items}));
    } else {
        let mut columns = vec![
            ("PRODUCT", "/product"),
            ("ID", "/id"),
            ("NAME", "/name"),
            ("STATUS", "/status"),
            ("SINCE", "/since"),
            ("REASON", "/reason"),
            ("PEER", "/peer"),
        ];
        if *reveal {
            columns.push(("SECRET", "/secret"));
        }
        print(&table(&columns, &items));
    }
    if more {
        eprintln!("there are more than {limit}; --limit shows them");
    }
    Ok(())
}

/// The oldest line first, as a log is read.
fn log(mut items: Vec<Value>) {
    items.reverse();
    for item in &mut items {
        let said = item.get("error").filter(|error| !error.is_null()).or(item.get("meaning")).cloned();
        item["said"] = said.unwrap_or_default();
    }
    let columns =
        [("AT", "/at"), ("WAY", "/direction"), ("STAGE", "/stage"), ("TOPIC", "/topic"), ("WHAT", "/said")];
    print(&table(&columns, &items));
}

fn import(
    api: &Api,
    product: &str,
    file: &Path,
    format: Option<Form>,
    skip: bool,
    json: bool,
) -> Result<ExitCode, Trouble> {
    let by_name = || {
        let is_json = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if is_json { Form::Json } else { Form::Csv }
    };
    let kind = match format.unwrap_or_else(by_name) {
        Form::Csv => "text/csv",
        Form::Json => "application/json",
    };
    let bytes = read_file(file)?;
    let path = format!("{}/devices:import", product_path(product));
    let target = with_query(&path, &[("existing", skip.then(|| "skip".to_owned()))]);
    let report = api.call(Method::POST, &target, Body::Bytes(kind, &bytes))?;
    let count = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (created, skipped, failed) = (count("created"), count("skipped"), count("failed"));
    if json {
        print_json(&report);
    } else {
        println!("{created} created, {skipped} left alone, {failed} failed");
        let lines = report.get("lines").and_then(Value::as_array).cloned().unwrap_or_default();
        let failed: Vec<Value> = lines.into_iter().filter(|line| line.get("error").is_some()).collect();
        if !failed.is_empty() {
            print(&table(&[("LINE", "/line"), ("ID", "/id"), ("WHY", "/error/message")], &failed));
        }
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn export(
    api: &Api,
    product: &str,
    format: Form,
    reveal: bool,
    output: Option<&PathBuf>,
) -> Result<(), Trouble> {
    let path = format!("{}/devices:export", product_path(product));
    let query = [("format", Some(format.name().to_owned())), ("reveal", reveal.then(|| "true".to_owned()))];
    let (_, bytes) = api.bytes(Method::GET, &with_query(&path, &query), Body::Nothing)?;
    match output {
        None => print(&String::from_utf8_lossy(&bytes)),
        Some(file) => std::fs::write(file, bytes).map_err(|error| {
            Trouble::new(
                format!("cannot write {}", file.display()),
                error,
                "choose another place with --output",
            )
        })?,
    }
    Ok(())
}
