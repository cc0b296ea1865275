//! `hexmq data`: what devices have reported, and values posted for them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::api::{Api, ApiArgs, Body, with_query};
use super::table::table;
use super::{device_path, done, pair, print, print_json, read_file, value};
use crate::command::client::Trouble;

/// What devices report
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
    /// Show the latest value of each property
    Latest { product: String, device: String },
    /// Show values over time
    History {
        product: String,
        device: String,
        /// Only these properties, separated by commas
        #[arg(long)]
        id: Option<String>,
        /// From this time on: RFC 3339, or Unix seconds or milliseconds
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Up to and without this time
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
        #[arg(long, value_enum, default_value_t = Order::Asc)]
        order: Order,
        /// Summarise stretches of this length: 60s, 5m, 1h, 1d
        #[arg(long)]
        step: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show events, the newest first
    Events {
        product: String,
        device: String,
        /// Only these events, separated by commas
        #[arg(long)]
        id: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Post values for a device
    #[command(group = clap::ArgGroup::new("what").required(true).args(["values", "csv", "from_json"]))]
    Post {
        product: String,
        device: String,
        /// A value
        #[arg(value_name = "ID=VALUE", value_parser = pair)]
        values: Vec<(String, String)>,
        /// When they were measured
        #[arg(long, value_name = "TIME", requires = "values")]
        at: Option<String>,
        /// A CSV file with the columns id, value and, if need be, at; - is standard input
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
        /// A JSON file as POST …/properties takes it; - is standard input
        #[arg(long, value_name = "FILE")]
        from_json: Option<PathBuf>,
    },
    /// Remove the values of a device
    Delete {
        product: String,
        device: String,
        /// Of this property
        #[arg(long, required_unless_present = "all")]
        id: Option<String>,
        /// Of all properties
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    Asc,
    Desc,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    done(act(args).map(|()| ExitCode::SUCCESS))
}

fn act(args: &Args) -> Result<(), Trouble> {
    let api = args.api.open()?;
    let json = args.api.json;
    match &args.action {
        Action::Latest { product, device } => {
            let list = api.get(&format!("{}/properties", device_path(product, device)), &[])?;
            let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            points(items, json, false);
        }
        Action::History { .. } => history(&api, &args.action, json)?,
        Action::Events { product, device, id, limit } => {
            let path = format!("{}/events", device_path(product, device));
            let (items, more) = api.list(&path, &[("id", id.clone())], *limit as usize)?;
            if json {
                print_json(&json!({"items": items}));
            } else {
                print(&table(&[("AT", "/at"), ("EVENT", "/id"), ("PARAMS", "/params")], &items));
            }
            tell_of_more(more, *limit);
        }
        Action::Post { product, device, values, at, csv, from_json } => {
            let path = format!("{}/properties", device_path(product, device));
            let posted = if let Some(file) = csv {
                api.call(Method::POST, &path, Body::Bytes("text/csv", &read_file(file)?))?
            } else if let Some(file) = from_json {
                api.call(Method::POST, &path, Body::Bytes("application/json", &read_file(file)?))?
            } else {
                let values: Map<String, Value> =
                    values.iter().map(|(id, text)| (id.clone(), value(text))).collect();
                let mut body = json!({"values": values});
                if let Some(at) = at {
                    body["at"] = time(at);
                }
                api.call(Method::POST, &path, Body::Json(&body))?
            };
            if json {
                print_json(&posted);
            } else {
                println!("{} values posted", super::table::cell(posted.get("posted")));
            }
        }
        Action::Delete { product, device, id, .. } => {
            let path = format!("{}/history", device_path(product, device));
            api.call(Method::DELETE, &with_query(&path, &[("id", id.clone())]), Body::Nothing)?;
        }
    }
    Ok(())
}

/// A number is one in the body, too.
fn time(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number))
}

fn history(api: &Api, action: &Action, json: bool) -> Result<(), Trouble> {
    let Action::History { product, device, id, from, to, order, step, limit } = action else { return Ok(()) };
    let order = match order {
        Order::Asc => "asc",
        Order::Desc => "desc",
    };
    let query = [
        ("id", id.clone()),
        ("from", from.clone()),
        ("to", to.clone()),
        ("order", Some(order.to_owned())),
        ("step", step.clone()),
    ];
    let path = format!("{}/history", device_path(product, device));
    let (items, more) = api.list(&path, &query, *limit as usize)?;
    points(items, json, step.is_some());
    tell_of_more(more, *limit);
    Ok(())
}

fn tell_of_more(more: bool, limit: u32) {
    if more {
        eprintln!("there are more than {limit}; --limit shows them");
    }
}

fn points(mut items: Vec<Value>, json: bool, summaries: bool) {
    if json {
        return print_json(&json!({"items": items}));
    }
    if summaries {
        let columns = [
            ("AT", "/at"),
            ("ID", "/id"),
            ("COUNT", "/count"),
            ("MIN", "/min"),
            ("AVG", "/avg"),
            ("MAX", "/max"),
            ("LAST", "/last"),
        ];
        return print(&table(&columns, &items));
    }
    for item in &mut items {
        if let Some(hex) = item.get("value_hex").and_then(Value::as_str) {
            item["value"] = json!(format!("hex {hex}"));
        }
    }
    print(&table(&[("AT", "/at"), ("ID", "/id"), ("VALUE", "/value"), ("RECEIVED", "/received_at")], &items));
}
