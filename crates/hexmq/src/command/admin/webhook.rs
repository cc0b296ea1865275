//! `hexmq webhook`: places that are told of what happens.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};
use ureq::http::Method;

use super::api::{ApiArgs, Body};
use super::product::show;
use super::table::table;
use super::{body, done, part, print, print_json};
use crate::command::client::Trouble;

/// Webhooks: places that are told of what happens
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
    /// List webhooks and how their deliveries go
    List,
    /// Make a webhook
    Create {
        #[command(flatten)]
        webhook: Webhook,
    },
    /// Change a webhook; what is not given is at its default, but for the secret
    Set {
        /// Its id
        id: String,
        #[command(flatten)]
        webhook: Webhook,
        /// Tell it nothing for now
        #[arg(long)]
        disabled: bool,
    },
    /// Remove a webhook
    Delete {
        /// Its id
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct Webhook {
    /// Who is told: http://… or https://…
    to: String,
    /// Of what: uplink, presence, command, event; of everything if absent
    #[arg(long = "kind", value_delimiter = ',')]
    kinds: Vec<String>,
    /// Only of this product
    #[arg(long)]
    product: Option<String>,
    /// Signs what is sent; made if absent
    #[arg(long)]
    secret: Option<String>,
}

impl Webhook {
    fn body(&self, disabled: bool) -> Value {
        json!(body([
            ("url", Some(json!(self.to))),
            ("kinds", Some(json!(self.kinds))),
            ("product", self.product.as_ref().map(|product| json!(product))),
            ("secret", self.secret.as_ref().map(|secret| json!(secret))),
            ("disabled", Some(json!(disabled))),
        ]))
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    done(act(args).map(|()| ExitCode::SUCCESS))
}

fn act(args: &Args) -> Result<(), Trouble> {
    let api = args.api.open()?;
    let json = args.api.json;
    let path = |id: &str| format!("/api/v1/webhooks/{}", part(id));
    match &args.action {
        Action::List => {
            let list = api.get("/api/v1/webhooks", &[])?;
            if json {
                print_json(&list);
            } else {
                let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
                let columns = [
                    ("ID", "/id"),
                    ("URL", "/url"),
                    ("KINDS", "/kinds"),
                    ("PRODUCT", "/product"),
                    ("DISABLED", "/disabled"),
                    ("DELIVERED", "/delivered"),
                    ("WAITING", "/waiting"),
                    ("GIVEN UP", "/given_up"),
                    ("LAST ERROR", "/last_error"),
                ];
                print(&table(&columns, &items));
            }
        }
        Action::Create { webhook } => {
            show(&api.call(Method::POST, "/api/v1/webhooks", Body::Json(&webhook.body(false)))?, json);
        }
        Action::Set { id, webhook, disabled } => {
            show(&api.call(Method::PUT, &path(id), Body::Json(&webhook.body(*disabled)))?, json);
        }
        Action::Delete { id } => {
            api.call(Method::DELETE, &path(id), Body::Nothing)?;
        }
    }
    Ok(())
}
