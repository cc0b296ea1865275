//! Live streams as server-sent events.
//!
//! A reader holds a place in a ring. While its connection takes nothing, nothing is made for it, and
//! what is pushed out before it reads is told as a number: a slow reader harms nobody else.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use hexmq_observe::recorder::{Connection, Crossed, Entry, Follower, News, Rejection};
use hexmq_workbench::recording::{self, Packets, Part, Writer};
use hexmq_workbench::{Language, Side, Version, packet_line, plain_hex};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use utoipa::IntoParams;

use super::convert::Converter;
use super::query::{self, Lang};
use super::{rejections, watches};
use crate::api::off_thread;
use crate::cloud::Rounds;
use crate::desk::Room;
use crate::error::ApiError;
use crate::serve::Service;

/// A comment is sent after so long without an event, so that nobody takes the silence for an end.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Events made ahead of what the connection has taken.
const AHEAD: usize = 16;
/// Characters of a packet's line.
const LINE_MAX: usize = 300;
/// Bytes of an unfinished packet that is waited for.
const PACKET_MAX: usize = 1 << 20;
/// Connections whose packets are told apart.
const CONNECTIONS_MAX: usize = 256;

const SHAPE: &str = "?watch= the id of a watch (not for rejections), ?reveal=true shows passwords, ?lang=en|zh; the \
                     header Last-Event-ID goes on behind that event";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Id of a watch; not for rejections.
    watch: Option<String>,
    /// Shows passwords.
    #[serde(default)]
    #[param(required = false)]
    reveal: bool,
    #[serde(default)]
    #[param(required = false)]
    lang: Lang,
}

/// Refused connections as they happen, as server-sent events of the name `rejection`.
#[utoipa::path(get, path = "/api/v1/rejections/stream", tag = "recorder", params(Asked),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(super) async fn rejections(
    State(Room { service, desk }): State<Room>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let asked = query::read(asked, SHAPE)?;
    let follower = service.observer.recorder.follow_rejections(resume(&headers)).ok_or_else(full)?;
    let (reveal, language) = (asked.reveal, asked.lang.language());
    Ok(stream(follower, move |items: Vec<(u64, Arc<Rejection>)>| {
        let mut rounds = Rounds::new(desk.platform.as_deref());
        let event = |(id, rejection): &(u64, Arc<Rejection>)| {
            let item = rejections::item(*id, rejection, reveal, language, &mut rounds);
            event(*id, "rejection", &json!(item))
        };
        items.iter().map(event).collect()
    }))
}

/// What crosses the connections of a watch as it happens, as server-sent events.
#[utoipa::path(get, path = "/api/v1/recorder/stream", tag = "recorder", params(Asked),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(super) async fn watch(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let asked = query::read(asked, SHAPE)?;
    let Some(id) = &asked.watch else {
        let message = "the query does not say which watch";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_query", message, SHAPE));
    };
    let watch = watches::find(&service, id)?;
    let follower = service.observer.recorder.follow_watch(&watch, resume(&headers)).ok_or_else(full)?;
    let mut teller = Teller::new(service, asked.reveal, asked.lang.language());
    Ok(stream(follower, move |items| teller.events(&items)))
}

/// The event behind the last one the reader had.
fn resume(headers: &HeaderMap) -> Option<u64> {
    let last: u64 = headers.get("last-event-id")?.to_str().ok()?.parse().ok()?;
    Some(last.saturating_add(1))
}

fn full() -> ApiError {
    let hint = "close another stream, or read /api/v1/rejections or a recording instead";
    let message = "as many live streams are open as there may be";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", message, hint)
}

fn event(id: u64, name: &str, data: &Value) -> Event {
    Event::default().id(id.to_string()).event(name).data(data.to_string())
}

/// Sends what a follower finds, made into events off this thread.
fn stream<T: Clone + Send + Sync + 'static>(
    mut follower: Follower<T>,
    mut events: impl FnMut(Vec<(u64, T)>) -> Vec<Event> + Send + 'static,
) -> Response {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        loop {
            let news = tokio::select! {
                news = poll_fn(|cx| follower.poll(cx)) => news,
                () = sender.closed() => return,
            };
            let made = match news {
                None => return,
                Some(News::Missed(count)) => {
                    vec![Event::default().event("dropped").data(json!({ "count": count }).to_string())]
                }
                Some(News::Items(items)) => {
                    let worked = off_thread(move || {
                        let made = events(items);
                        (events, made)
                    });
                    let Ok((again, made)) = worked.await else { return };
                    events = again;
                    made
                }
            };
            for event in made {
                if sender.send(event).await.is_err() {
                    return;
                }
            }
        }
    });
    // The first bytes show the reader that it listens.
    let opened = Event::default().comment("live");
    let events = Events { first: Some(opened), receiver };
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// The receiving end as a stream.
struct Events {
    first: Option<Event>,
    receiver: mpsc::Receiver<Event>,
}

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        self.receiver.poll_recv(cx).map(|event| event.map(Ok))
    }
}

/// Makes events of entries: the lines of a recording, and what the packets in them say.
struct Teller {
    service: Arc<Service>,
    language: Language,
    converter: Converter,
    packets: BTreeMap<u64, Packets>,
}

impl Teller {
    fn new(service: Arc<Service>, reveal: bool, language: Language) -> Teller {
        Teller { service, language, converter: Converter::new(reveal), packets: BTreeMap::new() }
    }

    fn events(&mut self, items: &[(u64, Entry)]) -> Vec<Event> {
        let mut events = Vec::new();
        for (id, entry) in items {
            for line in self.converter.lines(&self.service.observer.recorder, entry, self.language) {
                let mut data = as_json(&line);
                let name = data["type"].as_str().unwrap_or("note").to_owned();
                if let Some(client) = entry.connection.client_id.get() {
                    data["client_id"] = Value::from(&**client);
                }
                if let recording::Entry::Bytes(chunk) = &line {
                    data["packets"] = self.packets(&entry.connection, chunk.from, &chunk.bytes).into();
                }
                events.push(event(*id, &name, &data));
            }
            if matches!(entry.what, Crossed::Closed(_)) {
                self.packets.remove(&entry.connection.number);
            }
        }
        events
    }

    /// The packets that end in these bytes, a line each.
    fn packets(&mut self, connection: &Connection, from: Side, bytes: &[u8]) -> Vec<String> {
        if self.packets.len() >= CONNECTIONS_MAX && !self.packets.contains_key(&connection.number) {
            self.packets.pop_first();
        }
        let version = connection.version.get().copied().unwrap_or(Version::V4);
        let packets = self.packets.entry(connection.number).or_insert_with(|| Packets::new(version));
        let parts = packets.feed(from, bytes);
        if packets.begun(from).len() > PACKET_MAX {
            packets.restart();
        }
        let line = |part: &Part| match part {
            Part::Packet { bytes, version } => shortened(packet_line(bytes, *version)),
            Part::Unframed { bytes } => shortened(plain_hex(bytes)),
        };
        parts.iter().map(line).collect()
    }
}

/// The line of a recording as JSON.
fn as_json(line: &recording::Entry) -> Value {
    let written = Writer::new(Vec::new(), &recording::Head::default()).and_then(|mut writer| {
        writer.write(line)?;
        Ok(writer.into_inner())
    });
    // The first line is the head. Writing to memory does not fail.
    let text = written.unwrap_or_default();
    let line = text.split(|&byte| byte == b'\n').nth(1).unwrap_or_default();
    serde_json::from_slice(line).unwrap_or_else(|_| json!({ "type": "note" }))
}

fn shortened(mut line: String) -> String {
    if let Some((end, _)) = line.char_indices().nth(LINE_MAX) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexmq_workbench::recording::{Chunk, Timestamp};

    #[test]
    fn a_line_is_the_recordings_own() {
        let chunk = Chunk { at: Timestamp(1), connection: 7, from: Side::Client, bytes: vec![0xC0, 0] };
        let data = as_json(&recording::Entry::Bytes(chunk));
        assert_eq!(data["type"], "bytes");
        assert_eq!(data["hex"], "c000");
        assert_eq!(data["from"], "client");
        assert_eq!(data["connection"], 7);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(shortened("ab".to_owned()), "ab");
        let long = shortened("长".repeat(LINE_MAX + 1));
        assert_eq!(long.chars().count(), LINE_MAX + 1);
        assert!(long.ends_with('…'));
    }
}
