//! `hexmq command`: what devices are told, and what they answer.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Subcommand;
use serde_json::{Value, json};
use ureq::http::Method;

use super::api::{Api, ApiArgs, Body};
use super::product::show;
use super::table::table;
use super::{body, device_path, done, part, print, print_json};
use crate::command::client::Trouble;

/// Nothing came in time, as `-W` of the clients says it.
const EXIT_TIMEOUT: u8 = 27;
/// The server waits at most so long in one call.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Commands to devices
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
    /// Send a command
    Send(Box<Send>),
    /// Show a command
    Show {
        product: String,
        device: String,
        /// Its id
        command: String,
        /// Wait so many seconds until nothing further will happen to it
        #[arg(long, value_name = "SECONDS")]
        wait: Option<u64>,
    },
    /// List the commands of a device, the newest first
    List {
        product: String,
        device: String,
        /// Only in these states, separated by commas
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["payload", "hex", "service"]))]
struct Send {
    product: String,
    device: String,
    /// Text to send
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    payload: Option<String>,
    /// Bytes to send
    #[arg(long, value_name = "HEX")]
    hex: Option<String>,
    /// Service to call; set sets properties, get reads them
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Inputs of the service as JSON
    #[arg(long, value_name = "JSON", requires = "service", allow_hyphen_values = true)]
    params: Option<String>,
    /// The dialect's synchronous form of the call
    #[arg(long, requires = "service")]
    sync: bool,
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: Option<u8>,
    /// Keep it so many seconds for a device that is away
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    timeout: u32,
    /// Send it again at the next sign-in while it is not answered
    #[arg(long)]
    again: bool,
    /// Wait so many seconds for the answer
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "20")]
    wait: Option<u64>,
}

impl Send {
    fn body(&self) -> Result<Value, Trouble> {
        let params = self.params.as_deref().map(serde_json::from_str::<Value>).transpose();
        let params = params.map_err(|error| {
            Trouble::new("--params is no JSON", error, "--params '{\"brightness\":80}'").with_code(2)
        })?;
        Ok(json!(body([
            ("payload", self.payload.as_ref().map(|payload| json!(payload))),
            ("payload_hex", self.hex.as_ref().map(|hex| json!(hex))),
            ("service", self.service.as_ref().map(|service| json!(service))),
            ("params", params),
            ("sync", self.sync.then(|| json!(true))),
            ("qos", self.qos.map(|qos| json!(qos))),
            ("timeout_s", Some(json!(self.timeout))),
            ("again", self.again.then(|| json!(true))),
        ])))
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
        Action::Send(send) => {
            let path = format!("{}/commands", device_path(&send.product, &send.device));
            let taken = api.call(Method::POST, &path, Body::Json(&send.body()?))?;
            let id = taken.get("id").map(|id| super::table::cell(Some(id))).unwrap_or_default();
            let path = format!("{path}/{}", part(&id));
            let wait = send.wait.unwrap_or_default();
            let shown = if wait > 0 { waited(&api, &path, wait)? } else { api.get(&path, &[])? };
            show(&shown, json);
            Ok(verdict(&shown, send.wait.is_some()))
        }
        Action::Show { product, device, command, wait } => {
            let path = format!("{}/commands/{}", device_path(product, device), part(command));
            let shown = waited(&api, &path, wait.unwrap_or_default())?;
            show(&shown, json);
            Ok(verdict(&shown, wait.is_some()))
        }
        Action::List { product, device, state, limit } => {
            let path = format!("{}/commands", device_path(product, device));
            let (items, _) = api.list(&path, &[("state", state.clone())], *limit as usize)?;
            if json {
                print_json(&json!({"items": items}));
            } else {
                let columns = [
                    ("ID", "/id"),
                    ("STATE", "/state"),
                    ("REASON", "/reason"),
                    ("CREATED", "/created_at"),
                    ("ORDER", "/order"),
                    ("REPLY", "/reply"),
                ];
                print(&table(&columns, &items));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The command once nothing further will happen to it, or when so many seconds are over.
fn waited(api: &Api, path: &str, seconds: u64) -> Result<Value, Trouble> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).min(WAIT_MAX);
        // Part of a second is a second: the server counts whole ones.
        let wait = left.as_millis().div_ceil(1000);
        let shown = api.get(path, &[("wait", (wait > 0).then(|| wait.to_string()))])?;
        if wait == 0 || is_final(&shown) {
            return Ok(shown);
        }
    }
}

fn state(shown: &Value) -> &str {
    shown.get("state").and_then(Value::as_str).unwrap_or_default()
}

fn is_final(shown: &Value) -> bool {
    ["answered", "timed_out", "refused"].contains(&state(shown))
}

/// Whoever waits wants the answer; whoever does not wants it sent or kept.
fn verdict(shown: &Value, waiting: bool) -> ExitCode {
    match state(shown) {
        "refused" => ExitCode::FAILURE,
        "answered" => ExitCode::SUCCESS,
        _ if waiting => ExitCode::from(EXIT_TIMEOUT),
        _ => ExitCode::SUCCESS,
    }
}
