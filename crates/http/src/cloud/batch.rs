//! Many devices at once: import with a report of each line, export of what there is.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use hexmq_device::port::{DeviceQuery, PortErrorKind};
use hexmq_device::{Device, is_id};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

use super::csv;
use super::devices::NewDevice;
use super::shown::DeviceShown;
use crate::desk::Cloud;
use crate::error::ApiError;
use crate::input::{Asked, LIMIT_MAX, Named, bad_request, bytes, json};
use crate::times::At;

/// Devices of one import.
const LINES_MAX: usize = 100_000;
/// Devices the registry is given in one call.
const AT_ONCE: usize = 500;
/// Pieces of an export made ahead of what the reader has taken.
const AHEAD: usize = 2;

/// Columns of an export, in order. What an import does not take is left out of it without a word.
const COLUMNS: [&str; 10] =
    ["id", "name", "tags", "disabled", "extra", "status", "since", "reason", "created_at", "activated_at"];
/// Columns with secrets, at the end.
const SECRETS: [&str; 2] = ["secret", "password"];
/// Members of an exported device that are not imported.
const KNOWN: [&str; 10] = [
    "product",
    "status",
    "since",
    "reason",
    "peer",
    "created_at",
    "activated_at",
    "has_secret",
    "has_password",
    "number",
];

/// What an import does with devices that are there.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// `fail`, the default, or `skip`: what to do with a device that is registered already.
    existing: Option<String>,
}

/// What came of an import.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Report {
    created: usize,
    skipped: usize,
    failed: usize,
    lines: Vec<Line>,
}

/// What came of one line.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportLine)]
struct Line {
    /// Line of the CSV, or the number of the item in the JSON array, from 1.
    line: usize,
    id: String,
    /// `created`, `skipped` or `failed`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<LineError>,
}

/// Why a line failed.
#[derive(Debug, Serialize, ToSchema)]
struct LineError {
    code: &'static str,
    message: String,
}

/// A line that is read, or why it cannot be.
type Read = (usize, String, Result<NewDevice, LineError>);

/// Registers many devices. JSON is an array of devices (or `{"items":[…]}`), CSV has a heading with `id` and any of
/// `name`, `secret`, `password`, `tags` (`a=1;b=2`), `disabled`, `extra`. Each line succeeds or fails by itself.
#[utoipa::path(post, path = "/api/v1/products/{product}/devices:import", tag = "devices", params(How),
    request_body(content((Vec<NewDevice> = "application/json"), (String = "text/csv"))),
    responses((status = 200, body = Report)))]
pub(super) async fn import(
    cloud: Cloud,
    Named(product): Named<String>,
    Asked(how): Asked<How>,
    request: Request,
) -> Result<Response, ApiError> {
    let skip = match how.existing.as_deref() {
        None | Some("fail") => false,
        Some("skip") => true,
        Some(other) => {
            return Err(crate::input::bad_query(format!("existing={other} is neither fail nor skip")));
        }
    };
    let place = cloud.large().await?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_csv = kind.is_some_and(|kind| kind.starts_with("text/csv"));
    let body = bytes(request).await?;
    let name = product.clone();
    cloud.ask(move |platform| platform.product(&name)).await?;
    let lines = crate::api::off_thread(move || if is_csv { of_csv(&body) } else { of_json(&body) }).await??;
    drop(place);
    let mut report = Report::default();
    let mut rest = lines.into_iter();
    loop {
        let some: Vec<Read> = rest.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            return Ok(Json(report).into_response());
        }
        register(&cloud, &product, some, skip, &mut report).await?;
    }
}

/// Registers some lines and reports what came of them.
async fn register(
    cloud: &Cloud,
    product: &str,
    lines: Vec<Read>,
    skip: bool,
    report: &mut Report,
) -> Result<(), ApiError> {
    let product = product.to_owned();
    let done = cloud
        .ask(move |platform| {
            let now_ms = platform.now_ms();
            let good = lines.iter().filter_map(|(_, _, device)| device.as_ref().ok());
            let devices: Vec<Device> = good.map(|device| device.clone().device(&product, now_ms)).collect();
            let results = if devices.is_empty() { Vec::new() } else { platform.create_devices(devices)? };
            Ok((lines, results))
        })
        .await?;
    let (lines, results) = done;
    let mut results = results.into_iter();
    for (line, id, device) in lines {
        let result = match device {
            Err(error) => Err((None, error)),
            Ok(_) => match results.next() {
                Some(Ok(device)) => Ok(device.id),
                Some(Err(error)) => {
                    Err((Some(error.kind), LineError { code: error.code, message: error.message }))
                }
                None => {
                    let message = "nothing was said of this line".to_owned();
                    Err((None, LineError { code: "no_answer", message }))
                }
            },
        };
        report.add(line, id, result, skip);
    }
    Ok(())
}

impl Report {
    fn add(
        &mut self,
        line: usize,
        id: String,
        result: Result<String, (Option<PortErrorKind>, LineError)>,
        skip: bool,
    ) {
        let (count, id, state, error) = match result {
            Ok(id) => (&mut self.created, id, "created", None),
            Err((Some(PortErrorKind::Conflict), _)) if skip => (&mut self.skipped, id, "skipped", None),
            Err((_, error)) => (&mut self.failed, id, "failed", Some(error)),
        };
        *count += 1;
        self.lines.push(Line { line, id, state, error });
    }
}

fn too_many() -> ApiError {
    bad_request(format!("there are more than {LINES_MAX} devices; import them in parts"))
}

fn of_json(body: &[u8]) -> Result<Vec<Read>, ApiError> {
    let items = match json::<Value>(body)? {
        Value::Array(items) => items,
        Value::Object(mut object) => match object.remove("items") {
            Some(Value::Array(items)) => items,
            _ => return Err(bad_request("the body is neither an array of devices nor {\"items\":[…]}")),
        },
        _ => return Err(bad_request("the body is neither an array of devices nor {\"items\":[…]}")),
    };
    if items.len() > LINES_MAX {
        return Err(too_many());
    }
    let read = |(index, mut item): (usize, Value)| {
        if let Some(object) = item.as_object_mut() {
            KNOWN.iter().for_each(|name| {
                object.remove(*name);
            });
        }
        let id = item.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let device = serde_json::from_value::<NewDevice>(item)
            .map_err(|error| LineError { code: "bad_line", message: error.to_string() });
        (index + 1, id, device.and_then(sound))
    };
    Ok(items.into_iter().enumerate().map(read).collect())
}

/// What the registry would not take is told of each line.
fn sound(device: NewDevice) -> Result<NewDevice, LineError> {
    match device.id.as_deref() {
        Some(id) if !id.is_empty() && !is_id(id) => Err(LineError {
            code: "bad_id",
            message: format!("`{id}` is no id: 1 to 64 of A-Z a-z 0-9 _ - . : @"),
        }),
        _ => Ok(device),
    }
}

fn of_csv(body: &[u8]) -> Result<Vec<Read>, ApiError> {
    let mut table = csv::Table::new(body)?;
    let heading = table.heading().to_vec();
    let known = |name: &String| [&COLUMNS[..], &SECRETS, &KNOWN].concat().contains(&name.as_str());
    if let Some(unknown) = heading.iter().find(|name| !known(name)) {
        let right = "id, name, secret, password, tags, disabled, extra";
        return Err(bad_request(format!("the heading has `{unknown}`; columns are {right}")));
    }
    if !heading.iter().any(|name| name == "id") {
        return Err(bad_request("the heading has no `id`"));
    }
    let mut lines = Vec::new();
    while let Some((line, cells)) = table.next()? {
        if lines.len() == LINES_MAX {
            return Err(too_many());
        }
        let row: BTreeMap<&str, &str> =
            heading.iter().zip(&cells).map(|(name, cell)| (name.as_str(), cell.trim())).collect();
        let id = row.get("id").copied().unwrap_or_default().to_owned();
        lines.push((line, id, of_row(&row).and_then(sound)));
    }
    Ok(lines)
}

fn of_row(row: &BTreeMap<&str, &str>) -> Result<NewDevice, LineError> {
    let bad = |message: String| LineError { code: "bad_line", message };
    let cell = |name: &str| row.get(name).copied().filter(|cell| !cell.is_empty());
    let text = |name: &str| cell(name).map(str::to_owned);
    let disabled = match cell("disabled") {
        None | Some("false" | "0" | "FALSE") => false,
        Some("true" | "1" | "TRUE") => true,
        Some(other) => return Err(bad(format!("`disabled` is `{other}`; it is true or false"))),
    };
    let extra = cell("extra").map(serde_json::from_str).transpose();
    let mut tags = BTreeMap::new();
    for tag in cell("tags").into_iter().flat_map(|tags| tags.split(';')).filter(|tag| !tag.trim().is_empty())
    {
        let (name, value) = tag.split_once('=').unwrap_or((tag, ""));
        tags.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok(NewDevice {
        id: text("id"),
        name: text("name"),
        secret: text("secret"),
        password: text("password"),
        tags,
        disabled,
        extra: extra.map_err(|error| bad(format!("`extra` is no JSON: {error}")))?,
    })
}

/// How devices are exported.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Form {
    /// `json`, the default, or `csv`.
    format: Option<String>,
    /// With secrets, so that an import elsewhere makes the same devices; needs the scope `manage`.
    #[serde(default)]
    #[param(required = false)]
    reveal: bool,
}

/// Exports all devices of a product, as a JSON array or as CSV. Both can be imported again.
#[utoipa::path(get, path = "/api/v1/products/{product}/devices:export", tag = "devices", params(Form),
    responses((status = 200, content((Vec<DeviceShown> = "application/json"), (String = "text/csv")))))]
pub(super) async fn export(
    cloud: Cloud,
    Named(product): Named<String>,
    Asked(form): Asked<Form>,
) -> Result<Response, ApiError> {
    let reveal = cloud.caller.reveal(form.reveal)?;
    let is_csv = match form.format.as_deref() {
        None | Some("json") => false,
        Some("csv") => true,
        Some(other) => {
            return Err(crate::input::bad_query(format!("format={other} is neither json nor csv")));
        }
    };
    let name = product.clone();
    cloud.ask(move |platform| platform.product(&name)).await?;
    let (kind, suffix) =
        if is_csv { ("text/csv; charset=utf-8", "csv") } else { ("application/json", "json") };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{product}.{suffix}\"")),
    ];
    let (sender, pieces) = mpsc::channel(AHEAD);
    let writer = Writer { is_csv, reveal, written: 0, begun: false };
    tokio::spawn(write(cloud, product, writer, sender));
    Ok((headers, Body::from_stream(Pieces(pieces))).into_response())
}

/// Writes page after page for as long as somebody reads. If a page cannot be had the body breaks off, so that
/// nobody takes a part for the whole.
async fn write(
    cloud: Cloud,
    product: String,
    mut writer: Writer,
    sender: mpsc::Sender<Result<Bytes, Broken>>,
) {
    let mut cursor = None;
    loop {
        let mut query = DeviceQuery { product: Some(product.clone()), ..DeviceQuery::default() };
        query.page.limit = LIMIT_MAX;
        query.page.cursor = cursor;
        let Ok(page) = cloud.ask(move |platform| platform.devices(&query)).await else {
            let _ = sender.send(Err(Broken)).await;
            return;
        };
        let last = page.next.is_none();
        cursor = page.next;
        let text = writer.page(page.items, last);
        if sender.send(Ok(text.into())).await.is_err() || last {
            return;
        }
    }
}

/// The registry did not answer in the middle of an export.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the registry does not answer")
    }
}

impl std::error::Error for Broken {}

struct Pieces(mpsc::Receiver<Result<Bytes, Broken>>);

impl Stream for Pieces {
    type Item = Result<Bytes, Broken>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

struct Writer {
    is_csv: bool,
    reveal: bool,
    /// Devices written so far.
    written: usize,
    begun: bool,
}

impl Writer {
    fn page(&mut self, devices: Vec<Device>, last: bool) -> String {
        let mut text = String::new();
        if !std::mem::replace(&mut self.begun, true) {
            text.push_str(&self.head());
        }
        for device in devices {
            let shown = DeviceShown::of(device, self.reveal);
            if self.is_csv {
                row(&mut text, shown, self.reveal);
            } else {
                text.push_str(if self.written > 0 { ",\n" } else { "" });
                // What is shown are texts, numbers and JSON: it can be written.
                text.push_str(&serde_json::to_string(&shown).unwrap_or_default());
            }
            self.written += 1;
        }
        if last && !self.is_csv {
            text.push_str("]\n");
        }
        text
    }

    fn head(&self) -> String {
        if !self.is_csv {
            return "[".to_owned();
        }
        let secrets: &[&str] = if self.reveal { &SECRETS } else { &[] };
        format!("{}\n", [&COLUMNS[..], secrets].concat().join(","))
    }
}

fn row(text: &mut String, device: DeviceShown, reveal: bool) {
    let tags: Vec<String> = device.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let time = |at: Option<At>| at.map(|at| at.to_string()).unwrap_or_default();
    let extra = if device.extra.is_null() { String::new() } else { device.extra.to_string() };
    let cells = [
        device.id,
        device.name,
        tags.join(";"),
        device.disabled.to_string(),
        extra,
        device.status.to_owned(),
        time(device.since),
        device.reason.unwrap_or_default(),
        device.created_at.to_string(),
        time(device.activated_at),
    ];
    let secrets = [device.secret, device.password].map(Option::unwrap_or_default);
    for (index, cell) in cells.iter().chain(secrets.iter().filter(|_| reveal)).enumerate() {
        if index > 0 {
            text.push(',');
        }
        csv::cell(text, cell);
    }
    text.push('\n');
}
