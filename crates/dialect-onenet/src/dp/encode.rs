//! Data points to payloads: what a device would send.

use std::fmt;

use hexmq_device::json::{is_number, write_string};
use hexmq_device::{CivilTime, Time, Value};

use super::{DataType, FLOATS_MAX, Point};

/// The two characters that types 5 and 6 begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Separators {
    /// Between the parts of a field.
    pub inner: char,
    /// Between fields.
    pub outer: char,
}

impl Default for Separators {
    /// `,` and `;`, as the document has them.
    fn default() -> Self {
        Separators { inner: ',', outer: ';' }
    }
}

/// Why points do not fit a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// A length field cannot say so many bytes.
    TooLong {
        /// Bytes that would follow.
        bytes: usize,
    },
    /// The type has no place for this of a point.
    NoPlace {
        /// The data stream of the point.
        stream: String,
        /// What does not fit.
        what: &'static str,
    },
    /// So many points, where the type takes fewer.
    TooMany {
        /// How many it takes.
        most: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::TooLong { bytes } => write!(f, "{bytes} bytes are more than the length can say"),
            EncodeError::NoPlace { stream, what } => write!(f, "{stream}: this type takes no {what}"),
            EncodeError::TooMany { most } => write!(f, "this type takes {most} data points at most"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// The payload of `points` as `data_type`. `time` goes into the header of types 6 and 7; then the
/// points need none of their own. `separators` count for types 5 and 6.
pub fn encode(
    data_type: DataType,
    points: &[Point<'_>],
    time: Option<CivilTime>,
    separators: Separators,
) -> Result<Vec<u8>, EncodeError> {
    let mut payload = vec![data_type.number() | if time.is_some() { 0x80 } else { 0 }];
    if let Some(time) = time {
        if !data_type.may_be_timed() {
            return Err(EncodeError::NoPlace { stream: "$dp".to_owned(), what: "time in the header" });
        }
        payload.extend(time.six_bytes().ok_or(EncodeError::NoPlace {
            stream: "$dp".to_owned(),
            what: "time outside of the years 2000 to 2255",
        })?);
    }
    match data_type {
        DataType::DataStreams => measured(&mut payload, data_streams(points)?.as_bytes())?,
        DataType::Binary => binary(&mut payload, points)?,
        DataType::StreamValues => measured(&mut payload, stream_values(points)?.as_bytes())?,
        DataType::StreamTimes => measured(&mut payload, stream_times(points)?.as_bytes())?,
        DataType::Text | DataType::TimedText => {
            measured(&mut payload, text(points, time, separators)?.as_bytes())?;
        }
        DataType::Floats => floats(&mut payload, points, time)?,
        DataType::Block => measured(&mut payload, &block(points)?)?,
    }
    Ok(payload)
}

fn no_place(point: &Point<'_>, what: &'static str) -> EncodeError {
    EncodeError::NoPlace { stream: point.stream.clone().into_owned(), what }
}

/// The content behind its length of two bytes.
fn measured(payload: &mut Vec<u8>, content: &[u8]) -> Result<(), EncodeError> {
    let bytes = content.len();
    let length = u16::try_from(bytes).map_err(|_| EncodeError::TooLong { bytes })?;
    payload.extend(length.to_be_bytes());
    payload.extend_from_slice(content);
    Ok(())
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    write_string(&mut quoted, text);
    quoted
}

fn value(point: &Point<'_>) -> Result<String, EncodeError> {
    Ok(match &point.value {
        Value::Integer(number) => number.to_string(),
        Value::Real(number) if number.is_finite() => format!("{number:?}"),
        Value::Real(_) => return Err(no_place(point, "number that is not finite")),
        Value::Boolean(flag) => flag.to_string(),
        Value::Text(text) => quoted(text),
        Value::Json(text) => (*text).to_owned(),
        Value::Binary(_) => return Err(no_place(point, "bytes")),
    })
}

fn time(point: &Point<'_>) -> Result<Option<String>, EncodeError> {
    match point.at {
        None => Ok(None),
        Some(Time::Civil(civil)) => Ok(Some(civil.to_string())),
        Some(Time::UnixMs(_)) => Err(no_place(point, "Unix time")),
    }
}

fn data_streams(points: &[Point<'_>]) -> Result<String, EncodeError> {
    let mut streams = Vec::with_capacity(points.len());
    for point in points {
        let at = time(point)?.map_or(String::new(), |at| format!("\"at\":{},", quoted(&at)));
        let (id, value) = (quoted(&point.stream), value(point)?);
        streams.push(format!("{{\"id\":{id},\"datapoints\":[{{{at}\"value\":{value}}}]}}"));
    }
    Ok(format!("{{\"datastreams\":[{}]}}", streams.join(",")))
}

fn stream_values(points: &[Point<'_>]) -> Result<String, EncodeError> {
    let mut members = Vec::with_capacity(points.len());
    for point in points {
        if point.at.is_some() {
            return Err(no_place(point, "time"));
        }
        members.push(format!("{}:{}", quoted(&point.stream), value(point)?));
    }
    Ok(format!("{{{}}}", members.join(",")))
}

fn stream_times(points: &[Point<'_>]) -> Result<String, EncodeError> {
    let mut members = Vec::with_capacity(points.len());
    for point in points {
        let at = quoted(&time(point)?.unwrap_or_default());
        members.push(format!("{}:{{{at}:{}}}", quoted(&point.stream), value(point)?));
    }
    Ok(format!("{{{}}}", members.join(",")))
}

fn binary(payload: &mut Vec<u8>, points: &[Point<'_>]) -> Result<(), EncodeError> {
    let [point] = points else { return Err(EncodeError::TooMany { most: 1 }) };
    let Value::Binary(bytes) = point.value else {
        return Err(no_place(point, "value but bytes"));
    };
    let mut descriptor = format!("{{\"ds_id\":{}", quoted(&point.stream));
    if let Some(at) = time(point)? {
        descriptor += &format!(",\"at\":{}", quoted(&at));
    }
    if let Some(description) = &point.description {
        descriptor += &format!(",\"desc\":{}", quoted(description));
    }
    descriptor.push('}');
    measured(payload, descriptor.as_bytes())?;
    let length = u32::try_from(bytes.len()).map_err(|_| EncodeError::TooLong { bytes: bytes.len() })?;
    payload.extend(length.to_be_bytes());
    payload.extend_from_slice(bytes);
    Ok(())
}

fn text(
    points: &[Point<'_>],
    of_header: Option<CivilTime>,
    separators: Separators,
) -> Result<String, EncodeError> {
    let Separators { inner, outer } = separators;
    let mut text = String::from_iter([inner, outer]);
    for (index, point) in points.iter().enumerate() {
        let value = match &point.value {
            Value::Text(text) if is_number(text) || text.starts_with('"') => quoted_plainly(text),
            Value::Text(text) => text.clone().into_owned(),
            Value::Integer(_) | Value::Real(_) => value(point)?,
            _ => return Err(no_place(point, "value but a number or text")),
        };
        let at = if point.at == of_header.map(Time::Civil) { None } else { time(point)? };
        if of_header.is_some() && point.at.is_none() {
            return Err(no_place(point, "missing time beside a time in the header"));
        }
        let in_the_way = |part: &str| part.contains(outer) || part.contains(inner);
        if in_the_way(&point.stream) || value.contains(outer) || at.as_deref().is_some_and(in_the_way) {
            return Err(no_place(point, "separator inside a field"));
        }
        // With an empty time in between, what follows is the value, whatever it contains.
        let at =
            at.or(value.contains(inner).then(String::new)).map_or(String::new(), |at| format!("{at}{inner}"));
        if index > 0 {
            text.push(outer);
        }
        text += &format!("{}{inner}{at}{value}", point.stream);
    }
    Ok(text)
}

/// Quotes that a reader takes off again, without escapes.
fn quoted_plainly(text: &str) -> String {
    format!("\"{text}\"")
}

/// Runs of consecutive stream numbers become groups.
fn floats(
    payload: &mut Vec<u8>,
    points: &[Point<'_>],
    of_header: Option<CivilTime>,
) -> Result<(), EncodeError> {
    if points.len() > FLOATS_MAX {
        return Err(EncodeError::TooMany { most: FLOATS_MAX });
    }
    let mut groups: Vec<(u16, Vec<f32>)> = Vec::new();
    for point in points {
        let number: u16 = point.stream.parse().map_err(|_| no_place(point, "stream but 0 to 65535"))?;
        if point.at != of_header.map(Time::Civil) {
            return Err(no_place(point, "time of its own"));
        }
        let value =
            single(&point.value).ok_or_else(|| no_place(point, "value but a single-precision number"))?;
        match groups.last_mut() {
            Some((start, values)) if usize::from(*start) + values.len() == usize::from(number) => {
                values.push(value);
            }
            _ => groups.push((number, vec![value])),
        }
    }
    if groups.is_empty() {
        // There is at least one group, be it empty.
        groups.push((1, Vec::new()));
    }
    for (start, values) in groups {
        payload.extend(start.to_be_bytes());
        payload.extend(u16::try_from(values.len()).unwrap_or(u16::MAX).to_be_bytes());
        payload.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    Ok(())
}

/// The number as a single, where nothing is lost.
fn single(value: &Value<'_>) -> Option<f32> {
    let double = match value {
        Value::Real(number) => *number,
        Value::Integer(number) => i32::try_from(*number).ok().map(f64::from)?,
        _ => return None,
    };
    let single = double as f32;
    (single.is_finite() && f64::from(single) == double).then_some(single)
}

/// A block has one time for all its items.
fn block(points: &[Point<'_>]) -> Result<Vec<u8>, EncodeError> {
    let at = points.first().and_then(|point| point.at);
    if let Some(point) = points.iter().find(|point| point.at != at) {
        return Err(no_place(point, "time of its own"));
    }
    let mut block = vec![8];
    match (at, points.first()) {
        (Some(at), Some(point)) => {
            let seconds = unix_seconds(at).ok_or_else(|| no_place(point, "time but whole Unix seconds"))?;
            block.push(1);
            block.extend(seconds.to_be_bytes());
        }
        _ => block.push(0),
    }
    block.push(u8::try_from(points.len()).map_err(|_| EncodeError::TooMany { most: 255 })?);
    for point in points {
        item(&mut block, point)?;
    }
    Ok(block)
}

fn unix_seconds(at: Time) -> Option<u32> {
    match at {
        Time::UnixMs(ms) if ms % 1000 == 0 => u32::try_from(ms / 1000).ok(),
        _ => None,
    }
}

fn item(block: &mut Vec<u8>, point: &Point<'_>) -> Result<(), EncodeError> {
    let mut begin = |kind: u8| {
        if point.stream.contains('\0') {
            return Err(no_place(point, "NUL in the name"));
        }
        block.push(kind);
        block.extend_from_slice(point.stream.as_bytes());
        block.push(0);
        Ok(())
    };
    match &point.value {
        Value::Integer(number) => match u32::try_from(*number) {
            Ok(number) => {
                begin(1)?;
                block.extend(number.to_be_bytes());
            }
            Err(_) => return Err(no_place(point, "whole number outside of 0 to 4294967295")),
        },
        Value::Real(number) if number.is_finite() => {
            begin(2)?;
            block.extend(number.to_be_bytes());
        }
        Value::Text(text) if !text.contains('\0') => {
            begin(3)?;
            block.extend_from_slice(text.as_bytes());
            block.push(0);
        }
        Value::Binary(bytes) => {
            begin(4)?;
            let length =
                u32::try_from(bytes.len()).map_err(|_| EncodeError::TooLong { bytes: bytes.len() })?;
            block.extend(length.to_be_bytes());
            block.extend_from_slice(bytes);
        }
        Value::Json(_) | Value::Boolean(_) => {
            begin(5)?;
            block.extend_from_slice(value(point)?.as_bytes());
            block.push(0);
        }
        Value::Real(_) => return Err(no_place(point, "number that is not finite")),
        Value::Text(_) => return Err(no_place(point, "NUL in text")),
    }
    Ok(())
}
