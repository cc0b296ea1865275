//! `hexmq product`: products and what belongs to them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::api::{Api, ApiArgs, Body, with_query};
use super::table::{sheet, table};
use super::{body, done, print, print_json, product_path, read_file, switch};
use crate::command::client::Trouble;

/// Products: devices of one kind, which speak one cloud's words
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
    /// List products
    List {
        /// Show secrets
        #[arg(long)]
        reveal: bool,
    },
    /// Show a product
    Show {
        product: String,
        /// Show its secret
        #[arg(long)]
        reveal: bool,
    },
    /// Make a product
    Create {
        /// Product id or ProductKey; made if absent
        product: Option<String>,
        /// What its devices speak
        #[arg(long, value_enum)]
        dialect: Dialect,
        #[command(flatten)]
        change: Change,
    },
    /// Change a product
    Set {
        product: String,
        #[command(flatten)]
        change: Change,
    },
    /// Remove a product with all its devices and their data
    Delete {
        product: String,
        /// Really
        #[arg(long)]
        yes: bool,
    },
    /// Show the thing model of a product as TSL, set it or make a draft of it
    Model {
        product: String,
        /// Set it to what stands in this file; - is standard input
        #[arg(long, value_name = "FILE", conflicts_with_all = ["draft", "delete"])]
        set: Option<PathBuf>,
        /// Make one from what its devices have sent
        #[arg(long, conflicts_with = "delete")]
        draft: bool,
        /// Remove it
        #[arg(long)]
        delete: bool,
    },
    /// List the quirks that a product can switch
    Quirks { product: String },
    /// List the firmware of a product, add some or remove it
    Firmware {
        product: String,
        /// Add this file
        #[arg(long, value_name = "FILE", requires = "version", conflicts_with = "delete")]
        add: Option<PathBuf>,
        /// Version of the file
        #[arg(long)]
        version: Option<String>,
        /// Module of the file
        #[arg(long)]
        module: Option<String>,
        /// Remove the firmware of this id
        #[arg(long, value_name = "ID")]
        delete: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Dialect {
    Onenet,
    OnenetToken,
    Aliyun,
    Plain,
}

impl Dialect {
    pub(super) fn name(self) -> &'static str {
        match self {
            Dialect::Onenet => "onenet",
            Dialect::OnenetToken => "onenet-token",
            Dialect::Aliyun => "aliyun",
            Dialect::Plain => "plain",
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Toggle {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Validation {
    Off,
    Report,
    Refuse,
}

#[derive(Debug, clap::Args)]
struct Change {
    /// For people
    #[arg(long)]
    name: Option<String>,
    /// Master API key, base64 access key or ProductSecret
    #[arg(long)]
    secret: Option<String>,
    /// Zone of device times that name none, such as +08:00
    #[arg(long, allow_hyphen_values = true)]
    zone: Option<String>,
    /// What happens to values that the thing model does not allow
    #[arg(long, value_enum)]
    validation: Option<Validation>,
    /// Whether devices may register themselves
    #[arg(long, value_enum)]
    dynamic_registration: Option<Toggle>,
    /// Days that points, events and commands are kept; 0: for ever
    #[arg(long, value_name = "DAYS")]
    history_days: Option<u32>,
    /// Switch a quirk: NAME=on, NAME=off or NAME=default
    #[arg(long = "switch", value_name = "NAME=on", value_parser = switch)]
    switches: Vec<(String, Option<bool>)>,
}

impl Change {
    fn body(&self) -> Map<String, Value> {
        let days = self.history_days.map(|days| if days == 0 { Value::Null } else { json!(days) });
        let validation = self.validation.map(|validation| match validation {
            Validation::Off => "off",
            Validation::Report => "report",
            Validation::Refuse => "refuse",
        });
        let switches: Map<String, Value> =
            self.switches.iter().map(|(name, on)| (name.clone(), json!(on))).collect();
        body([
            ("name", self.name.as_ref().map(|name| json!(name))),
            ("secret", self.secret.as_ref().map(|secret| json!(secret))),
            ("zone", self.zone.as_ref().map(|zone| json!(zone))),
            ("validation", validation.map(|name| json!(name))),
            ("dynamic_registration", self.dynamic_registration.map(|on| json!(matches!(on, Toggle::On)))),
            ("history_days", days),
            ("switches", (!switches.is_empty()).then(|| json!(switches))),
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
        Action::List { reveal } => {
            let list = api.get("/api/v1/products", &[("reveal", reveal.then(|| "true".to_owned()))])?;
            if json {
                print_json(&list);
            } else {
                let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
                let mut columns = vec![
                    ("ID", "/id"),
                    ("NAME", "/name"),
                    ("DIALECT", "/dialect"),
                    ("ZONE", "/zone"),
                    ("VALIDATION", "/validation"),
                    ("CREATED", "/created_at"),
                ];
                if *reveal {
                    columns.push(("SECRET", "/secret"));
                }
                print(&table(&columns, &items));
            }
        }
        Action::Show { product, reveal } => {
            let shown = api.get(&product_path(product), &[("reveal", reveal.then(|| "true".to_owned()))])?;
            show(&shown, json);
        }
        Action::Create { product, dialect, change } => {
            let mut body = change.body();
            // Everything that is kept for ever is kept for ever anyway.
            body.retain(|_, value| !value.is_null());
            body.insert("dialect".to_owned(), json!(dialect.name()));
            if let Some(product) = product {
                body.insert("id".to_owned(), json!(product));
            }
            show(&api.call(Method::POST, "/api/v1/products", Body::Json(&json!(body)))?, json);
        }
        Action::Set { product, change } => {
            show(&api.call(Method::PATCH, &product_path(product), Body::Json(&json!(change.body())))?, json);
        }
        Action::Delete { product, yes: true } => {
            api.call(Method::DELETE, &product_path(product), Body::Nothing)?;
        }
        Action::Delete { product, yes: false } => {
            let what = format!("the product {product} would go with all its devices and their data");
            return Err(Trouble::new(what, "that cannot be undone", "say --yes").with_code(2));
        }
        Action::Quirks { product } => {
            let list = api.get(&format!("{}/quirks", product_path(product)), &[])?;
            if json {
                print_json(&list);
            } else {
                let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
                print(&table(
                    &[("QUIRK", "/name"), ("ON", "/on"), ("DEFAULT", "/default"), ("WHAT", "/what")],
                    &items,
                ));
            }
        }
        Action::Model { product, set, draft, delete } => {
            model(&api, &format!("{}/model", product_path(product)), set.as_ref(), *draft, *delete)?;
        }
        Action::Firmware { .. } => firmware(&api, &args.action, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn model(api: &Api, path: &str, set: Option<&PathBuf>, draft: bool, delete: bool) -> Result<(), Trouble> {
    if let Some(file) = set {
        let bytes = read_file(file)?;
        api.call(Method::PUT, path, Body::Bytes("application/json", &bytes))?;
    } else if delete {
        api.call(Method::DELETE, path, Body::Nothing)?;
    } else {
        let path = if draft { format!("{path}/draft") } else { path.to_owned() };
        print_json(&api.get(&path, &[])?);
    }
    Ok(())
}

fn firmware(api: &Api, action: &Action, json: bool) -> Result<(), Trouble> {
    let Action::Firmware { product, add, version, module, delete } = action else { return Ok(()) };
    let path = format!("{}/firmware", product_path(product));
    if let Some(file) = add {
        let bytes = read_file(file)?;
        let target = with_query(&path, &[("version", version.clone()), ("module", module.clone())]);
        show(&api.call(Method::POST, &target, Body::Bytes("application/octet-stream", &bytes))?, json);
    } else if let Some(id) = delete {
        api.call(Method::DELETE, &format!("{path}/{}", super::part(id)), Body::Nothing)?;
    } else {
        let list = api.get(&path, &[])?;
        if json {
            print_json(&list);
        } else {
            let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            let columns = [
                ("ID", "/id"),
                ("MODULE", "/module"),
                ("VERSION", "/version"),
                ("SIZE", "/size"),
                ("SHA256", "/sha256"),
            ];
            print(&table(&columns, &items));
        }
    }
    Ok(())
}

/// One thing, for people or for programs.
pub(super) fn show(shown: &Value, json: bool) {
    if json { print_json(shown) } else { print(&sheet(shown)) }
}
