//! One request: its parameters and its body, read as the vendor means them.

use hexmq_device::port::{Platform, RestRequest};
use hexmq_device::{CivilTime, DeviceRef, Product};
use serde_json::{Map, Value as Json};

use super::answer::Fault;

/// A request and the platform that answers it.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) request: &'a RestRequest,
    pub(super) platform: &'a dyn Platform,
}

/// The segments of a path without their escapes; `None` if they cannot be read or are too many.
pub(super) fn segments(path: &str) -> Option<Vec<String>> {
    const SEGMENTS_MAX: usize = 8;
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let parts: Vec<&str> = path.split('/').take(SEGMENTS_MAX + 1).collect();
    if parts.len() > SEGMENTS_MAX {
        return None;
    }
    parts
        .into_iter()
        .map(|part| hexmq_device::percent::decoded(part).map(std::borrow::Cow::into_owned))
        .collect()
}

impl<'a> Call<'a> {
    /// A parameter that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.request.parameter(name).map(str::trim).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a str, Fault> {
        self.text(name).ok_or_else(|| Fault::wrong(format!("{name} required")))
    }

    /// A whole number within `range`.
    pub(super) fn number(
        &self,
        name: &str,
        default: u32,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<u32, Fault> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let wrong = || {
            Fault::wrong(format!("{name} is \"{text}\": a number from {} to {}", range.start(), range.end()))
        };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(wrong)
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        match self.text(name) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(text) => Err(Fault::wrong(format!("{name} is \"{text}\": true or false"))),
        }
    }

    /// The parts of a list with commas.
    pub(super) fn list(&self, name: &str) -> Option<Vec<String>> {
        let parts = self.text(name)?.split(',').map(str::trim).filter(|part| !part.is_empty());
        Some(parts.map(str::to_owned).collect())
    }

    /// A time or a date as milliseconds since 1970 UTC, in the product's zone where it names none.
    pub(super) fn time(&self, name: &str, product: &Product) -> Result<Option<i64>, Fault> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let whole = if text.len() == 10 { format!("{text} 00:00:00") } else { text.to_owned() };
        let wrong = || Fault::wrong(format!("{name} is \"{text}\": a time such as 2015-01-10T08:00:35"));
        let time = CivilTime::parse(&whole).ok_or_else(wrong)?;
        Ok(Some(time.unix_ms(product.zone_minutes)))
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Result<Map<String, Json>, Fault> {
        let wrong = |what: String| Fault::wrong(format!("the body is no JSON object: {what}"));
        // Reading first with the reader that bounds depth and number of values.
        hexmq_device::json::parse(&self.request.body).map_err(|error| wrong(error.to_string()))?;
        match serde_json::from_slice(&self.request.body) {
            Ok(Json::Object(members)) => Ok(members),
            Ok(_) => Err(wrong("something else".into())),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// A document of a product (`device` empty) or a device, and its version; 0 if there is none.
    pub(super) fn document(&self, owner: &DeviceRef, kind: &str) -> Result<(Json, u64), Fault> {
        let Some(document) = self.platform.document(owner, kind)? else { return Ok((Json::Null, 0)) };
        let json = serde_json::from_str(&document.text).map_err(|error| {
            Fault::internal(format!("the document {kind} of {owner} is no JSON: {error}"))
        })?;
        Ok((json, document.version))
    }

    /// Changes a document; again if somebody else has changed it meanwhile.
    pub(super) fn change_document<T>(
        &self,
        owner: &DeviceRef,
        kind: &str,
        mut change: impl FnMut(&mut Json) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        const ATTEMPTS: usize = 5;
        for _ in 0..ATTEMPTS {
            let (mut json, version) = self.document(owner, kind)?;
            let result = change(&mut json)?;
            match self.platform.put_document(owner, kind, Some(&json.to_string()), Some(version)) {
                Ok(_) => return Ok(result),
                Err(error) if error.kind == hexmq_device::port::PortErrorKind::Conflict => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::internal(format!("the document {kind} of {owner} is changed by others all the time")))
    }
}

/// The text of a member; a number as it is written.
pub(super) fn text_of(members: &Map<String, Json>, name: &str) -> Option<String> {
    match members.get(name)? {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
