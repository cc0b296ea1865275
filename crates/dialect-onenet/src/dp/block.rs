//! Type 8: the packed block of the vendor's all-in-one library.
//!
//! `08`, a flag byte (1: four bytes of Unix seconds follow), a count, and per item a kind, a name
//! ending with NUL, and a value.

use std::borrow::Cow;

use hexmq_device::json::parse;
use hexmq_device::{Span, Time, Value};

use super::decode::Reader;
use super::error::{Detail, DpError, DpRule};
use super::{NoticeKind, Part, Point};

/// The items of the block that is the rest of the payload.
pub(super) fn items<'a, T: FnMut(Part, Span)>(
    reader: &mut Reader<'a, '_, T>,
) -> Result<Vec<Point<'a>>, DpError> {
    let (mark, span) = reader.number(Part::BlockMark, 1, DpRule::Block)?;
    if mark != 8 {
        return Err(DpError::new(DpRule::Block, span, Detail::Expected("08, with which a block begins")));
    }
    let (flag, span) = reader.number(Part::BlockFlag, 1, DpRule::Block)?;
    let at = match flag {
        0 => None,
        1 => {
            let (seconds, _) = reader.number(Part::BlockTime, 4, DpRule::Block)?;
            Some(Time::UnixMs(i64::try_from(seconds).unwrap_or(0) * 1000))
        }
        _ => {
            return Err(DpError::new(
                DpRule::Block,
                span,
                Detail::Expected("00 or 01, whether a time follows"),
            ));
        }
    };
    let (declared, count_span) = reader.number(Part::BlockCount, 1, DpRule::Block)?;
    let mut points = Vec::new();
    for present in 0..declared {
        if reader.left() == 0 {
            return Err(DpError::new(DpRule::Block, count_span, Detail::Counted { declared, present }));
        }
        points.extend(item(reader, at)?);
    }
    match reader.left() {
        0 => Ok(points),
        left => Err(DpError::new(DpRule::Block, Span::new(reader.at(), left), Detail::Expected("the end"))),
    }
}

fn item<'a, T: FnMut(Part, Span)>(
    reader: &mut Reader<'a, '_, T>,
    at: Option<Time>,
) -> Result<Option<Point<'a>>, DpError> {
    let (kind, kind_span) = reader.number(Part::ItemKind, 1, DpRule::Block)?;
    let (name, _) = text(reader, Part::ItemName)?;
    let (value, span) = match kind {
        1 => {
            let (number, span) = reader.number(Part::ItemValue, 4, DpRule::Block)?;
            (i64::try_from(number).ok().map(Value::Integer), span)
        }
        2 => {
            let span = exactly(reader, 8, "eight bytes of a double")?;
            let double = f64::from_be_bytes(span.of(reader.payload).try_into().unwrap_or_default());
            (Some(Value::Real(double)).filter(|_| double.is_finite()), span)
        }
        3 => {
            let (text, span) = text(reader, Part::ItemValue)?;
            (Some(Value::Text(Cow::Borrowed(text))), span)
        }
        4 => {
            let (length, _) = reader.number(Part::ItemLength, 4, DpRule::Block)?;
            let span = exactly(reader, length, "as many bytes as the length says")?;
            (Some(Value::Binary(span.of(reader.payload))), span)
        }
        5 => {
            let (text, span) = text(reader, Part::ItemValue)?;
            let node = parse(text.as_bytes()).map_err(|error| DpError::json(error, span.offset))?;
            (Value::of_json(&node, text), span)
        }
        _ => {
            return Err(DpError::new(
                DpRule::Block,
                kind_span,
                Detail::Expected("a kind of value from 1 to 5"),
            ));
        }
    };
    let Some(value) = value else {
        reader.notice(NoticeKind::NoValue, span);
        return Ok(None);
    };
    Ok(Some(Point { stream: Cow::Borrowed(name), value, at, description: None, span }))
}

fn exactly<T: FnMut(Part, Span)>(
    reader: &mut Reader<'_, '_, T>,
    length: usize,
    expected: &'static str,
) -> Result<Span, DpError> {
    let missing =
        DpError::new(DpRule::Block, Span::new(reader.at(), reader.left()), Detail::Expected(expected));
    reader.take(Part::ItemValue, length).ok_or(missing)
}

/// Text up to the next NUL; the part that is told has the NUL, the span has not.
fn text<'a, T: FnMut(Part, Span)>(
    reader: &mut Reader<'a, '_, T>,
    part: Part,
) -> Result<(&'a str, Span), DpError> {
    let start = reader.at();
    let rest = reader.payload.get(start..).unwrap_or_default();
    let Some(length) = rest.iter().position(|&byte| byte == 0) else {
        let span = Span::new(start, rest.len());
        return Err(DpError::new(DpRule::Block, span, Detail::Expected("a NUL at the end of the text")));
    };
    let span = Span::new(start, length);
    reader.take(part, length + 1);
    match std::str::from_utf8(span.of(reader.payload)) {
        Ok(text) => Ok((text, span)),
        Err(error) => {
            let span = Span::new(start + error.valid_up_to(), 1);
            Err(DpError::new(DpRule::Text, span, Detail::Expected("UTF-8")))
        }
    }
}
