//! `GET /api/v1/rejections`: the last refused connections, newest first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hexmq_observe::recorder::Rejection;
use hexmq_workbench::recording::Timestamp;
use hexmq_workbench::{Language, Rejected, Verdict, judge_rejection, plain_hex};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::query::{self, Lang};
use crate::cloud::{DoctorShown, Rounds};
use crate::desk::Room;
use crate::error::ApiError;

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1000;
/// A page ends after so long, however many it was asked for: judging bytes that were made to be hard
/// takes its time.
const PATIENCE: Duration = Duration::from_secs(2);

const SHAPE: &str = "?limit=1…1000, ?cursor= the `next` of the page before, ?reason= a reason or rule, ?reveal=true \
                     shows passwords, ?lang=en|zh";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// 1 to 1000 items; 100 if absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Only with this reason, or this rule broken.
    reason: Option<String>,
    /// Shows passwords.
    #[serde(default)]
    #[param(required = false)]
    reveal: bool,
    #[serde(default)]
    #[param(required = false)]
    lang: Lang,
}

/// One refused connection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rejection)]
pub(super) struct Item {
    id: u64,
    at: String,
    peer: String,
    listener: String,
    client_id: Option<String>,
    decision: &'static str,
    reason: &'static str,
    rule: String,
    statement: Option<&'static str>,
    offset: Option<usize>,
    length: Option<usize>,
    message: String,
    hint: String,
    hex: String,
    received: usize,
    masked: bool,
    repair_hex: Option<String>,
    /// What is wrong with the credentials, if it is a device's CONNECT, given what is registered now.
    doctor: Option<DoctorShown>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rejections)]
struct Page {
    items: Vec<Item>,
    next: Option<String>,
}

/// Lists the last refused connections, the newest first.
#[utoipa::path(get, path = "/api/v1/rejections", tag = "recorder", params(Asked),
    responses((status = 200, body = Page)))]
pub(super) async fn list(
    State(room): State<Room>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let asked = query::read(asked, SHAPE)?;
    let limit = asked.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let message = format!("limit={limit} is not from 1 to {LIMIT_MAX}");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_query", message, SHAPE));
    }
    let desk = Arc::clone(&room.desk);
    let before = match &asked.cursor {
        None => u64::MAX,
        Some(cursor) => cursor.parse().map_err(|_| {
            let message = format!("cursor={cursor} is none of this list");
            ApiError::new(StatusCode::BAD_REQUEST, "bad_cursor", message, SHAPE)
        })?,
    };
    let answer = move || {
        let wanted = |rejection: &Rejection| match &asked.reason {
            None => true,
            Some(reason) => is_reason(rejection, reason),
        };
        let found = room.service.observer.recorder.rejections(before, limit + 1, wanted);
        let mut rounds = Rounds::new(room.desk.platform.as_deref());
        page(&found, limit, asked.reveal, asked.lang.language(), &mut rounds)
    };
    Ok(Json(desk.call(answer).await?).into_response())
}

/// Whether the reason, or the rule the server found broken, has this name.
fn is_reason(rejection: &Rejection, name: &str) -> bool {
    let of_layer = rejection.layer.as_ref().is_some_and(|(rule, _)| *rule == name);
    of_layer || rejection.reason == name || rejection.fault.is_some_and(|fault| fault.code.name() == name)
}

fn page(
    found: &[(u64, Arc<Rejection>)],
    limit: usize,
    reveal: bool,
    language: Language,
    rounds: &mut Rounds<'_>,
) -> Page {
    let begun = Instant::now();
    let mut items = Vec::new();
    for (id, rejection) in found.iter().take(limit) {
        if !items.is_empty() && begun.elapsed() > PATIENCE {
            break;
        }
        items.push(item(*id, rejection, reveal, language, rounds));
    }
    let more = items.len() < found.len();
    let next = items.last().filter(|_| more).map(|item| item.id.to_string());
    Page { items, next }
}

/// Judges a refused connection, for somebody reads it.
pub(super) fn judge(rejection: &Rejection, reveal: bool, language: Language) -> Verdict {
    let rejected = Rejected {
        bytes: &rejection.bytes,
        sent: rejection.sent,
        reason: rejection.reason,
        connected: !rejection.refused,
        fault: rejection.fault.as_ref(),
        version: rejection.version,
        layer: rejection.layer.as_ref().map(|(rule, detail)| (*rule, &**detail)),
    };
    judge_rejection(&rejected, reveal, language)
}

/// A refused connection as it is shown.
pub(super) fn item(
    id: u64,
    rejection: &Rejection,
    reveal: bool,
    language: Language,
    rounds: &mut Rounds<'_>,
) -> Item {
    let verdict = judge(rejection, reveal, language);
    let doctor = rejection.refused.then(|| rounds.look(&rejection.bytes, rejection.secure)).flatten();
    let item = Item {
        id,
        at: format!("{:.3}", Timestamp::from_millis(rejection.at_ms)),
        peer: rejection.peer.to_string(),
        listener: rejection.listener.to_string(),
        client_id: rejection.client_id.as_deref().map(str::to_owned),
        decision: decision(rejection),
        reason: rejection.reason,
        rule: verdict.rule,
        statement: verdict.statement,
        offset: verdict.place.map(|(offset, _)| offset),
        length: verdict.place.map(|(_, length)| length),
        message: verdict.message,
        hint: verdict.hint,
        hex: plain_hex(&verdict.bytes),
        received: rejection.sent,
        masked: verdict.masked,
        repair_hex: verdict.repair.as_deref().map(plain_hex),
        doctor: None,
    };
    // The packet itself was in order: what is registered decides, and the doctor has seen that.
    let decided = rejection.fault.is_none() && rejection.layer.is_none();
    match doctor.filter(|_| decided) {
        Some(doctor) => of_device(item, doctor),
        None => item,
    }
}

/// A device that was refused for what it signs in with: what is wrong is what the doctor found.
fn of_device(item: Item, doctor: DoctorShown) -> Item {
    let Some((code, message, hint)) = doctor.decisive() else { return Item { doctor: Some(doctor), ..item } };
    Item {
        rule: code.to_owned(),
        statement: None,
        message: message.to_owned(),
        hint: hint.to_owned(),
        // No change of these bytes that could be told would let it in.
        repair_hex: None,
        doctor: Some(doctor),
        ..item
    }
}

/// Whether a client was kept out or sent away.
pub(super) fn decision(rejection: &Rejection) -> &'static str {
    if rejection.refused { "refused" } else { "closed" }
}

#[cfg(test)]
mod tests {
    use hexmq_broker::Refusal;

    use super::*;

    fn rejection(reason: &'static str, bytes: &[u8]) -> Rejection {
        Rejection {
            at_ms: 1_795_399_800_500,
            peer: "192.0.2.1:7".into(),
            listener: "mqtt://h:1".into(),
            secure: false,
            client_id: None,
            refused: true,
            reason,
            fault: None,
            version: None,
            bytes: bytes.into(),
            sent: bytes.len(),
            layer: None,
        }
    }

    /// A CONNECT of 3.1.1 with the Client Identifier `aa`.
    const CONNECT: &[u8] = b"\x10\x0e\0\x04MQTT\x04\x02\0\x78\0\x02aa";

    #[test]
    fn every_refusal_has_words_of_its_own() {
        let mut said = std::collections::BTreeSet::new();
        for refusal in Refusal::ALL {
            if matches!(
                refusal,
                // These come with the rule that was broken.
                Refusal::UnsupportedProtocolVersion | Refusal::MalformedPacket | Refusal::ProtocolError
            ) {
                continue;
            }
            for language in [Language::English, Language::Chinese] {
                let item =
                    item(1, &rejection(refusal.name(), CONNECT), false, language, &mut Rounds::new(None));
                assert!(!item.message.is_empty() && !item.hint.is_empty(), "{refusal}");
                assert!(said.insert(item.message.clone()), "{refusal}: {}", item.message);
                assert_eq!(item.rule, refusal.name());
            }
        }
    }

    #[test]
    fn times_are_in_milliseconds_and_pages_lead_on() {
        let rejection = Arc::new(rejection("server_unavailable", CONNECT));
        let found: Vec<_> = (0..3).rev().map(|n| (n, Arc::clone(&rejection))).collect();
        let page = page(&found, 2, false, Language::English, &mut Rounds::new(None));
        assert_eq!(page.items[0].at, "2026-11-23T02:10:00.500Z");
        assert_eq!((page.items.len(), page.next.as_deref()), (2, Some("1")));
        assert_eq!(super::page(&found, 3, false, Language::English, &mut Rounds::new(None)).next, None);
    }
}
