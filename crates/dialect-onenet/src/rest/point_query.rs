//! Data points asked for.

use std::collections::BTreeMap;

use hexmq_device::port::{PageAsk, TimeQuery};
use hexmq_device::{Device, Point, Product};
use serde_json::{Value as Json, json};

use super::answer::{Answer, Fault, Reply};
use super::call::Call;
use super::clock;
use super::grant::{Need, grant};
use super::upload;
use crate::legacy::quirk::NEWEST_WITHOUT_START;

/// Points in one answer, at most.
const LIMIT_MAX: u32 = 6000;

/// A stretch of time: from the first up to and with the second, in milliseconds since 1970 UTC.
pub(super) struct Stretch {
    pub(super) from_ms: Option<i64>,
    /// Without this millisecond.
    pub(super) to_ms: Option<i64>,
}

impl Stretch {
    /// `start`, `end` and `duration` (seconds): any two say the third.
    pub(super) fn read(call: &Call<'_>, product: &Product) -> Result<Stretch, Fault> {
        let start = call.time("start", product)?;
        let end = call.time("end", product)?;
        let duration = match call.text("duration") {
            None => None,
            Some(_) => Some(i64::from(call.number("duration", 0, 0..=u32::MAX)?) * 1000),
        };
        let (from_ms, end) = match (start, end, duration) {
            (Some(start), None, Some(duration)) => (Some(start), Some(start.saturating_add(duration))),
            (None, Some(end), Some(duration)) => (Some(end.saturating_sub(duration)), Some(end)),
            (None, None, Some(duration)) => {
                let now = call.platform.now_ms();
                (Some(now.saturating_sub(duration)), Some(now))
            }
            (start, end, _) => (start, end),
        };
        // Times are said to the second, and the second that is named is still meant.
        Ok(Stretch { from_ms, to_ms: end.map(|end| end.saturating_add(1000)) })
    }
}

/// Whether the newest come first.
pub(super) fn newest_first(call: &Call<'_>) -> Result<bool, Fault> {
    match call.text("sort") {
        None => Ok(false),
        Some(sort) if sort.eq_ignore_ascii_case("asc") => Ok(false),
        Some(sort) if sort.eq_ignore_ascii_case("desc") => Ok(true),
        Some(sort) => Err(Fault::wrong(format!("sort is \"{sort}\": ASC or DESC"))),
    }
}

pub(super) fn list(call: &Call<'_>, id: &str) -> Reply {
    let grant = grant(call, Need::Read, Some(id))?;
    let device = grant.device(call, id)?;
    let product = &grant.product;
    let ids = call.list("datastream_id");
    let stretch = Stretch::read(call, product)?;
    let says_when = stretch.from_ms.is_some() || stretch.to_ms.is_some();
    let goes_on = call.text("cursor").is_some() || call.text("sort").is_some();
    if product.switch(&NEWEST_WITHOUT_START) && !says_when && !goes_on {
        return newest(call, product, &device, ids);
    }
    let limit = call.number("limit", 100, 1..=LIMIT_MAX)? as usize;
    let mut query = TimeQuery {
        product: device.product.clone(),
        device: Some(device.id.clone()),
        ids: ids.clone(),
        from_ms: stretch.from_ms,
        to_ms: stretch.to_ms,
        newest_first: newest_first(call)?,
        page: PageAsk { limit, cursor: call.text("cursor").map(str::to_owned) },
    };
    let mut points: Vec<Point> = Vec::new();
    let mut next;
    loop {
        query.page.limit = limit - points.len();
        let page = call.platform.points(&query)?;
        let came = !page.items.is_empty();
        points.extend(page.items);
        next = page.next;
        match &next {
            Some(cursor) if came && points.len() < limit => query.page.cursor = Some(cursor.clone()),
            _ => break,
        }
    }
    Ok(Answer::Data(shown(&points, ids.as_deref(), next, product)))
}

/// The newest points of each stream, the newest first.
fn newest(call: &Call<'_>, product: &Product, device: &Device, ids: Option<Vec<String>>) -> Reply {
    const STREAMS_MAX: usize = 100;
    let limit = call.number("limit", 1, 1..=LIMIT_MAX)?;
    let names = match &ids {
        Some(ids) => ids.clone(),
        None => call.platform.latest(&device.reference())?.into_iter().map(|point| point.id).collect(),
    };
    let mut points = Vec::new();
    for name in names.into_iter().take(STREAMS_MAX) {
        let left = (LIMIT_MAX as usize).saturating_sub(points.len()).min(limit as usize);
        let query = TimeQuery {
            product: device.product.clone(),
            device: Some(device.id.clone()),
            ids: Some(vec![name]),
            newest_first: true,
            page: PageAsk { limit: left, cursor: None },
            ..TimeQuery::default()
        };
        if left > 0 {
            points.extend(call.platform.points(&query)?.items);
        }
    }
    Ok(Answer::Data(shown(&points, ids.as_deref(), None, product)))
}

/// Points by stream: in the order asked for, else in that of their first points.
fn shown(points: &[Point], ids: Option<&[String]>, next: Option<String>, product: &Product) -> Json {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut streams: Vec<(&str, Vec<Json>)> = Vec::new();
    let names = ids.unwrap_or_default().iter().map(String::as_str);
    for name in names.chain(points.iter().map(|point| point.id.as_str())) {
        places.entry(name).or_insert_with(|| {
            streams.push((name, Vec::new()));
            streams.len() - 1
        });
    }
    for point in points {
        let Some(&place) = places.get(point.id.as_str()) else { continue };
        if let Some((_, datapoints)) = streams.get_mut(place) {
            let at = clock::with_ms(point.at_ms, product.zone_minutes);
            datapoints.push(json!({"at": at, "value": upload::value(point)}));
        }
    }
    streams.retain(|(_, datapoints)| !datapoints.is_empty());
    let streams: Vec<Json> =
        streams.into_iter().map(|(id, datapoints)| json!({"id": id, "datapoints": datapoints})).collect();
    match next {
        Some(cursor) => json!({"count": points.len(), "cursor": cursor, "datastreams": streams}),
        None => json!({"count": points.len(), "datastreams": streams}),
    }
}
