//! Binary values: uploaded over HTTP or by `$dp` type 2, fetched by an index that says which point it is.

use hexmq_device::port::{PageAsk, TimeQuery};
use hexmq_device::{Datum, NewPoint, Point};
use serde_json::{Value as Json, json};

use super::answer::{Answer, Fault, Reply};
use super::call::Call;
use super::grant::{Need, grant};

/// Points of one stream at one millisecond that are looked at for bytes.
const NAMESAKES_MAX: usize = 16;

/// A value as the API shows it: bytes are a reference to fetch them by.
pub(super) fn value(point: &Point) -> Json {
    match &point.value {
        Datum::Binary(_) => json!({"index": index(&point.device.device, &point.id, point.at_ms)}),
        other => other.to_json(),
    }
}

/// The device, the time and the stream; a device's id has no `~`.
fn index(device: &str, stream: &str, at_ms: i64) -> String {
    format!("{device}~{at_ms}~{stream}")
}

pub(super) fn post(call: &Call<'_>) -> Reply {
    let id = call.required("device_id")?;
    let stream = call.required("datastream_id")?;
    let grant = grant(call, Need::Write, Some(id))?;
    let device = grant.device(call, id)?;
    let bytes = match boundary(call.request.header("content-type").unwrap_or_default()) {
        Some(boundary) => first_part(&call.request.body, &boundary)
            .ok_or_else(|| Fault::wrong("the body is no multipart body with this boundary"))?,
        None => &call.request.body,
    };
    let at_ms = call.platform.now_ms();
    let point = NewPoint { id: stream.to_owned(), value: Datum::Binary(bytes.to_vec()), at_ms: Some(at_ms) };
    call.platform.post(&device.reference(), vec![point])?;
    Ok(Answer::Data(json!({"index": index(id, stream, at_ms)})))
}

pub(super) fn get(call: &Call<'_>, index: &str) -> Reply {
    let missing = || Fault::missing(format!("no binary value {index}"));
    let mut parts = index.splitn(3, '~');
    let (Some(id), Some(at), Some(stream)) = (parts.next(), parts.next(), parts.next()) else {
        // Whether there is such a thing is nobody's business who may not ask.
        grant(call, Need::Read, None)?;
        return Err(missing());
    };
    let grant = grant(call, Need::Read, Some(id))?;
    let device = grant.device(call, id)?;
    let at_ms: i64 = at.parse().map_err(|_| missing())?;
    let query = TimeQuery {
        product: device.product,
        device: Some(device.id),
        ids: Some(vec![stream.to_owned()]),
        from_ms: Some(at_ms),
        to_ms: Some(at_ms.saturating_add(1)),
        newest_first: true,
        page: PageAsk { limit: NAMESAKES_MAX, cursor: None },
    };
    let found = call.platform.points(&query)?.items.into_iter().find_map(|point| match point.value {
        Datum::Binary(bytes) => Some(bytes),
        _ => None,
    });
    found.map(Answer::Bytes).ok_or_else(missing)
}

/// The boundary of a `multipart/…` body.
fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case("boundary");
        is_it.then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The content of the first part (RFC 2046, section 5.1).
fn first_part<'a>(body: &'a [u8], boundary: &str) -> Option<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let start = find(body, delimiter.as_bytes())? + delimiter.len();
    let part = body.get(start..)?;
    let content = part.get(find(part, b"\r\n\r\n")? + 4..)?;
    content.get(..find(content, format!("\r\n{delimiter}").as_bytes())?)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len().max(1)).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_of_a_multipart_body() {
        let boundary = boundary("multipart/form-data; charset=x; boundary=\"xyz\"").expect("one");
        let body =
            b"--xyz\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n\x01\r\n\x02\r\n--xyz--\r\n";
        assert_eq!(first_part(body, &boundary), Some(&b"\x01\r\n\x02"[..]));
        assert_eq!(first_part(body, "other"), None);
        assert_eq!(first_part(b"--xyz\r\n\r\nno end", "xyz"), None);
        assert_eq!(super::boundary("application/json; boundary=x"), None);
    }
}
