//! Data points that an application, or a device over HTTP, posts: the types of `$dp` without its header.

use super::answer::{Answer, Fault, Reply};
use super::call::Call;
use super::grant::{Need, grant};
use crate::dp::{self, DataType};

pub(super) fn post(call: &Call<'_>, id: &str) -> Reply {
    let grant = grant(call, Need::Write, Some(id))?;
    let device = grant.device(call, id)?;
    let data_type = match call.text("type") {
        None | Some("0" | "1") => DataType::DataStreams,
        Some("3") => DataType::StreamValues,
        Some("4") => DataType::StreamTimes,
        Some("5") => DataType::Text,
        Some(other) => {
            return Err(Fault::wrong(format!(
                "type is \"{other}\": 1, 3, 4 or 5 (binary values go to /bindata)"
            )));
        }
    };
    let upload = dp::decode_body(data_type, &call.request.body)
        .map_err(|error| Fault::wrong(format!("the body: {error} ({})", error.rule.name())))?;
    let points = crate::legacy::new_points(&upload, grant.product.zone_minutes);
    call.platform.post(&device.reference(), points)?;
    Ok(Answer::Done)
}
