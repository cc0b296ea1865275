//! What a message of a device means.

use hexmq_device::{Answered, Ask, Datum, DeviceRef, NewPoint, Request, Understood, Uplink, UplinkError};

use super::quirk;
use crate::dp::{self, DpError, Upload};
use crate::topic::Topic;

pub(super) fn understand(uplink: &Uplink<'_>) -> Result<Understood, UplinkError> {
    match Topic::parse(uplink.topic) {
        Some(Topic::DataPoints) => data_points(uplink),
        Some(Topic::Answer { id }) => Ok(Understood {
            meaning: format!("answer to command {id}, {} bytes", uplink.payload.len()),
            requests: vec![request(uplink.device, Ask::Answered(answer(id, uplink.payload)))],
            ..Understood::default()
        }),
        _ => Ok(crate::connect::between_devices(uplink)),
    }
}

fn request(device: &DeviceRef, ask: Ask) -> Request {
    Request { device: device.clone(), ask, receipt: None }
}

fn answer(id: &str, payload: &[u8]) -> Answered {
    Answered { correlation: id.to_owned(), payload: payload.to_owned(), code: None, data: None }
}

fn data_points(uplink: &Uplink<'_>) -> Result<Understood, UplinkError> {
    let lenient = uplink.product.switch(&quirk::LENIENT_DATA_POINTS);
    let read = if lenient { dp::decode_leniently } else { dp::decode };
    let upload = read(uplink.payload).map_err(refused)?;
    let notices = upload.notices.iter().map(|notice| {
        let what = format!("byte {}: {}", notice.span.offset, notice.kind.sentence());
        (notice.kind.name(), what)
    });
    Ok(Understood {
        meaning: meaning(&upload),
        notices: notices.collect(),
        requests: vec![request(
            uplink.device,
            Ask::Post { points: new_points(&upload, uplink.product.zone_minutes), events: Vec::new() },
        )],
        replies: Vec::new(),
    })
}

fn refused(error: DpError) -> UplinkError {
    UplinkError {
        rule: error.rule.name(),
        offset: error.span.offset,
        length: error.span.length,
        message: error.to_string(),
        replies: Vec::new(),
    }
}

fn meaning(upload: &Upload<'_>) -> String {
    let mut meaning =
        format!("data points of type {}: {} values", upload.data_type.number(), upload.points.len());
    for description in upload.points.iter().filter_map(|point| point.description.as_deref()) {
        meaning += &format!(", \"{description}\"");
    }
    meaning
}

/// The points with their times in `zone` (minutes east of Greenwich); the time in the header holds for those
/// that have none.
pub(crate) fn new_points(upload: &Upload<'_>, zone: i16) -> Vec<NewPoint> {
    let header = upload.time.map(|time| time.unix_ms(zone));
    let new = |point: &dp::Point<'_>| NewPoint {
        id: point.stream.clone().into_owned(),
        value: Datum::from(&point.value),
        at_ms: point.at.map(|at| at.unix_ms(zone)).or(header),
    };
    upload.points.iter().map(new).collect()
}
