//! `hexmq key`: API keys for applications.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use ureq::http::Method;

use super::api::{ApiArgs, Body};
use super::product::show;
use super::table::table;
use super::{body, done, part, print, print_json};
use crate::command::client::Trouble;

/// API keys for applications
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
    /// List the keys, without themselves
    List,
    /// Make a key; it is shown now and never again
    Create {
        /// For people
        #[arg(long, default_value = "")]
        name: String,
        /// What it is for
        #[arg(long = "scope", value_enum, required = true, value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// Only this product
        #[arg(long)]
        product: Option<String>,
        /// Only this device of the product
        #[arg(long, requires = "product")]
        device: Option<String>,
        /// It is not valid after this time
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// Remove a key: it opens nothing from now on
    Delete {
        /// Its id
        key: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scope {
    Read,
    Write,
    Manage,
    Admin,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Manage => "manage",
            Scope::Admin => "admin",
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    done(act(args).map(|()| ExitCode::SUCCESS))
}

fn act(args: &Args) -> Result<(), Trouble> {
    let api = args.api.open()?;
    match &args.action {
        Action::List => {
            let list = api.get("/api/v1/keys", &[])?;
            if args.api.json {
                print_json(&list);
            } else {
                let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
                let columns = [
                    ("ID", "/id"),
                    ("NAME", "/name"),
                    ("SCOPES", "/scopes"),
                    ("PRODUCT", "/product"),
                    ("DEVICE", "/device"),
                    ("EXPIRES", "/expires_at"),
                ];
                print(&table(&columns, &items));
            }
        }
        Action::Create { name, scopes, product, device, expires } => {
            let scopes: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
            let new = body([
                ("name", Some(json!(name))),
                ("scopes", Some(json!(scopes))),
                ("product", product.as_ref().map(|product| json!(product))),
                ("device", device.as_ref().map(|device| json!(device))),
                ("expires_at", expires.as_ref().map(|at| json!(at))),
            ]);
            show(&api.call(Method::POST, "/api/v1/keys", Body::Json(&json!(new)))?, args.api.json);
        }
        Action::Delete { key } => {
            api.call(Method::DELETE, &format!("/api/v1/keys/{}", part(key)), Body::Nothing)?;
        }
    }
    Ok(())
}
