//! `hexmq doctor`: which ingredient of a device's sign-in is wrong, asked of a server or, with a secret given,
//! found here.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use hexmq_device::{
    Device, DeviceRef, Diagnosis, Dialect, DialectName, Plain, Presence, Product, Secret, SignIn, Validation,
};
use hexmq_dialect_aliyun::Aliyun;
use hexmq_dialect_onenet::{Onenet, OnenetToken};
use hexmq_workbench::{Language, parse_hex, sign_in};
use serde_json::{Value, json};
use ureq::http::Method;

use super::api::{ApiArgs, Body};
use super::product::Dialect as Named;
use super::table::{cell, table};
use super::{body, done, print, print_json};
use crate::command::client::Trouble;

/// Say which ingredient of a device's sign-in is wrong
///
/// From the bytes of its CONNECT or the three strings. With --product-secret or --device-secret no server is asked.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 it would be let in, 1 it would not, 2 wrong usage, 3 the server cannot be reached"
)]
#[command(group = clap::ArgGroup::new("patient").required(true).multiple(false).args(["hex", "client_id"]))]
pub(crate) struct Args {
    #[command(flatten)]
    api: ApiArgs,
    /// The CONNECT in hex
    #[arg(value_name = "HEX")]
    hex: Vec<String>,
    /// Client Identifier
    #[arg(long)]
    client_id: Option<String>,
    /// User Name
    #[arg(long, conflicts_with = "hex")]
    user_name: Option<String>,
    /// Password
    #[arg(long, conflicts_with = "hex")]
    password: Option<String>,
    /// It comes over TLS
    #[arg(long)]
    secure: bool,
    /// Master API key, base64 access key or ProductSecret; no server is asked then
    #[arg(long, value_name = "SECRET")]
    product_secret: Option<String>,
    /// Auth info, access key or DeviceSecret; no server is asked then
    #[arg(long, value_name = "SECRET")]
    device_secret: Option<String>,
    /// Which cloud's words, where no server is asked; by default the first that knows the three strings
    #[arg(long, value_enum)]
    dialect: Option<Named>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> ExitCode {
    done(act(args))
}

fn act(args: &Args) -> Result<ExitCode, Trouble> {
    let hex = args.hex.join(" ");
    let bytes = match args.hex.is_empty() {
        true => None,
        false => Some(parse_hex(&hex).map_err(|error| {
            let why = error.message(Language::English);
            Trouble::new("the bytes are no hex", why, "write bytes as two hex digits each").with_code(2)
        })?),
    };
    let found = if args.product_secret.is_some() || args.device_secret.is_some() {
        offline(args, bytes.as_deref())?
    } else {
        ask(args, bytes.is_some().then_some(&hex))?
    };
    if args.api.json {
        print_json(&found);
    } else {
        report(&found);
    }
    let admitted = found.get("admitted").and_then(Value::as_bool).unwrap_or_default();
    Ok(if admitted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn ask(args: &Args, hex: Option<&String>) -> Result<Value, Trouble> {
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    let patient = body([
        ("hex", hex.map(|hex| json!(hex))),
        ("client_id", text(&args.client_id)),
        ("user_name", text(&args.user_name)),
        ("password", text(&args.password)),
        ("secure", args.secure.then(|| json!(true))),
    ]);
    args.api.open()?.call(Method::POST, "/api/v1/doctor", Body::Json(&json!(patient)))
}

fn offline(args: &Args, bytes: Option<&[u8]>) -> Result<Value, Trouble> {
    let said = match bytes {
        Some(bytes) => sign_in(bytes).ok_or_else(|| {
            let why = "the packet is cut off, malformed, or another one";
            Trouble::new("the bytes are no whole CONNECT", why, "`hexmq explain HEX` shows every byte of it")
        })?,
        None => SignIn {
            client_identifier: args.client_id.as_deref().unwrap_or_default(),
            user_name: args.user_name.as_deref(),
            password: args.password.as_deref().map(str::as_bytes),
            level: 4,
            ..SignIn::default()
        },
    };
    let said = SignIn { secure: args.secure, ..said };
    let dialects: [&dyn Dialect; 4] = [&Aliyun, &OnenetToken, &Onenet, &Plain];
    let wanted =
        |dialect: &&dyn Dialect| args.dialect.is_none_or(|wanted| wanted.name() == dialect.name().name());
    let known: Vec<&dyn Dialect> = dialects.into_iter().filter(wanted).collect();
    // What has the form of a cloud's strings is that cloud's, even if something in it is wrong.
    let dialect = known.iter().find(|dialect| dialect.recognises(&said));
    let Some(dialect) = dialect.or_else(|| known.iter().find(|dialect| dialect.claim(&said).is_some()))
    else {
        let why = "client identifier and user name are not built as that cloud's devices build them";
        return Err(Trouble::new(
            "the three strings name no product and device",
            why,
            "check which string is which",
        ));
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now_ms = i64::try_from(now).unwrap_or(i64::MAX);
    let named = dialect.claim(&said).map(|claim| registered(args, dialect.name(), &claim));
    let (product, device) = named.unzip();
    Ok(shown(dialect.diagnose(&said, product.as_ref(), device.as_ref(), now_ms)))
}

/// Product and device as they would have to be registered.
fn registered(args: &Args, dialect: DialectName, claim: &DeviceRef) -> (Product, Device) {
    let secret = |secret: &Option<String>| secret.clone().map(Secret);
    let product = Product {
        id: claim.product.clone(),
        name: String::new(),
        dialect,
        secret: secret(&args.product_secret),
        number: 1,
        created_at_ms: 0,
        zone_minutes: 480,
        validation: Validation::default(),
        dynamic_registration: true,
        history_days: None,
        switches: Default::default(),
    };
    let device = Device {
        product: claim.product.clone(),
        id: claim.device.clone(),
        name: String::new(),
        secret: secret(&args.device_secret),
        password: None,
        tags: Default::default(),
        disabled: false,
        created_at_ms: 0,
        activated_at_ms: None,
        presence: Presence::default(),
        extra: Value::Null,
    };
    (product, device)
}

/// The same as the server answers.
fn shown(diagnosis: Diagnosis) -> Value {
    let ingredients: Vec<Value> = diagnosis
        .ingredients
        .into_iter()
        .map(|part| {
            json!({
                "name": part.name, "sent": part.sent, "expected": part.expected,
                "right": part.right, "note": part.note,
            })
        })
        .collect();
    json!({
        "admitted": diagnosis.admitted, "code": diagnosis.code, "message": diagnosis.message,
        "hint": diagnosis.hint, "ingredients": ingredients,
    })
}

fn report(found: &Value) {
    let mut ingredients = found.get("ingredients").and_then(Value::as_array).cloned().unwrap_or_default();
    for part in &mut ingredients {
        part["right"] = json!(match part.get("right") {
            Some(Value::Bool(true)) => "ok",
            Some(Value::Bool(false)) => "WRONG",
            _ => "?",
        });
    }
    let columns = [
        ("", "/right"),
        ("INGREDIENT", "/name"),
        ("SENT", "/sent"),
        ("EXPECTED", "/expected"),
        ("NOTE", "/note"),
    ];
    print(&table(&columns, &ingredients));
    println!("\n{}: {}", cell(found.get("code")), cell(found.get("message")));
    if let Some(hint) = found.get("hint").filter(|hint| !hint.as_str().unwrap_or_default().is_empty()) {
        println!("try: {}", cell(Some(hint)));
    }
}
