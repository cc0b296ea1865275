//! Files that devices fetch: firmware and configurations. Who has the token of a link may read it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use hexmq_device::port::{Platform, PortError, PortErrorKind, PortResult};
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::desk::{Desk, no_platform};
use crate::error::ApiError;
use crate::input::{Asked, Named};

/// Bytes read at a time.
const PIECE: usize = 64 << 10;
/// Pieces read ahead of what the device has taken.
const AHEAD: usize = 2;
/// What may be fetched.
const KINDS: [&str; 3] = ["firmware", "config", "bindata"];

/// The path of files.
pub(crate) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Arc<Desk>: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(fetch))
}

/// What opens the file.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Opened {
    /// Token of the link.
    #[serde(default)]
    token: String,
}

/// Which bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// From the first up to and without the second.
    Range(u64, u64),
    /// None that there are.
    Nothing,
}

/// Fetches a file, whole or a range of it. The token of the link is all that is needed.
#[utoipa::path(get, path = "/files/{kind}/{file}", tag = "files", params(Opened),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 416, description = "The file has no such bytes")))]
pub(super) async fn fetch(
    State(desk): State<Arc<Desk>>,
    Named((kind, id)): Named<(String, String)>,
    Asked(opened): Asked<Opened>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let platform = desk.platform.clone().ok_or_else(no_platform)?;
    if !KINDS.contains(&kind.as_str()) {
        return Err(PortError::new(PortErrorKind::NotFound, "unknown_file", "there is no such file").into());
    }
    let file = File { platform, kind, id };
    let asked = file.clone();
    let size = desk.call(move || asked.size(&opened.token)).await??;
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let (status, from, to) = match part(range, size) {
        Part::Whole => (StatusCode::OK, 0, size),
        Part::Range(from, to) => (StatusCode::PARTIAL_CONTENT, from, to),
        Part::Nothing => {
            let headers = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
    };
    let (sender, pieces) = mpsc::channel(AHEAD);
    tokio::spawn(read(desk, file, from, to, sender));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, (to - from).to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    let mut response = (status, headers, Body::from_stream(Pieces(pieces))).into_response();
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(value) = format!("bytes {from}-{}/{size}", to - 1).parse()
    {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

#[derive(Clone)]
struct File {
    platform: Arc<dyn Platform>,
    kind: String,
    id: String,
}

impl File {
    /// Its size, for who has its token.
    fn size(&self, token: &str) -> PortResult<u64> {
        if !self.platform.may_fetch(&self.kind, &self.id, token) {
            let message = "the link is wrong or too old; ask for a new one";
            return Err(PortError::new(PortErrorKind::Forbidden, "bad_token", message));
        }
        Ok(self.piece(0, 1)?.1)
    }

    fn piece(&self, from: u64, most: usize) -> PortResult<(Vec<u8>, u64)> {
        let gone = || PortError::new(PortErrorKind::NotFound, "unknown_file", "the file is gone");
        self.platform.blob(&self.kind, &self.id, from, most)?.ok_or_else(gone)
    }
}

/// Reads piece after piece for as long as somebody takes them. A file that cannot be read on breaks off.
async fn read(
    desk: Arc<Desk>,
    file: File,
    mut from: u64,
    to: u64,
    sender: mpsc::Sender<Result<Bytes, PortError>>,
) {
    while from < to {
        let asked = file.clone();
        let most = usize::try_from(to - from).unwrap_or(PIECE).min(PIECE);
        let piece = match desk.call(move || asked.piece(from, most)).await {
            Ok(Ok((piece, _))) if !piece.is_empty() => Ok(piece),
            Ok(Err(error)) => Err(error),
            _ => Err(PortError::new(PortErrorKind::Unavailable, "unreadable", "the file cannot be read")),
        };
        let over = piece.is_err();
        from = from.saturating_add(piece.as_ref().map_or(0, |piece| piece.len() as u64));
        if sender.send(piece.map(Bytes::from)).await.is_err() || over {
            return;
        }
    }
}

struct Pieces(mpsc::Receiver<Result<Bytes, PortError>>);

impl Stream for Pieces {
    type Item = Result<Bytes, PortError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

/// The part that a `Range` asks for (RFC 9110, section 14). What is no single range of bytes is as good as none.
fn part(range: Option<&str>, size: u64) -> Part {
    let spec = range.and_then(|range| range.trim().strip_prefix("bytes=")).map(str::trim);
    let Some((first, last)) = spec.and_then(|spec| spec.split_once('-')) else { return Part::Whole };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match (first.trim(), last.trim()) {
        ("", last) => match number(last) {
            None => Part::Whole,
            Some(0) => Part::Nothing,
            Some(_) if size == 0 => Part::Nothing,
            Some(length) => Part::Range(size.saturating_sub(length), size),
        },
        (first, last) => {
            let end = if last.is_empty() { Some(u64::MAX) } else { number(last) };
            match (number(first), end) {
                (Some(first), Some(last)) if first > last => Part::Whole,
                (Some(first), Some(_)) if first >= size => Part::Nothing,
                (Some(first), Some(last)) => Part::Range(first, last.saturating_add(1).min(size)),
                _ => Part::Whole,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_devices_ask_for_them() {
        for (range, expected) in [
            (None, Part::Whole),
            (Some("bytes=0-99"), Part::Range(0, 100)),
            (Some("bytes=0-0"), Part::Range(0, 1)),
            (Some("bytes=500-"), Part::Range(500, 1000)),
            (Some("bytes=900-2000"), Part::Range(900, 1000)),
            (Some("bytes=-10"), Part::Range(990, 1000)),
            (Some("bytes=-2000"), Part::Range(0, 1000)),
            (Some("bytes= 0 - 9"), Part::Range(0, 10)),
            (Some("bytes=1000-"), Part::Nothing),
            (Some("bytes=-0"), Part::Nothing),
            (Some("bytes=9-0"), Part::Whole),
            (Some("bytes=0-1,5-6"), Part::Whole),
            (Some("items=0-1"), Part::Whole),
            (Some("bytes=x-1"), Part::Whole),
        ] {
            assert_eq!(part(range, 1000), expected, "{range:?}");
        }
        assert_eq!(part(Some("bytes=0-"), 0), Part::Nothing);
        assert_eq!(part(Some("bytes=-5"), 0), Part::Nothing);
    }
}
