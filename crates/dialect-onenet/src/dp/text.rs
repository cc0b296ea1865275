//! Types 5 and 6: text that brings its own separators, such as
//! `,;temperature,2015-03-22 22:31:12,22.5;102`.

use std::borrow::Cow;

use hexmq_device::{CivilTime, Span, Time, Value};

use super::decode::Reader;
use super::error::{Detail, DpError, DpRule};
use super::{NoticeKind, Part, Point};

/// The fields behind the two separators. `time` holds for those without one of their own.
pub(super) fn fields<'a, T: FnMut(Part, Span)>(
    reader: &mut Reader<'a, '_, T>,
    span: Span,
    time: Option<CivilTime>,
) -> Result<Vec<Point<'a>>, DpError> {
    let text = std::str::from_utf8(span.of(reader.payload)).map_err(|error| {
        let span = Span::new(span.offset + error.valid_up_to(), 1);
        DpError::new(DpRule::Text, span, Detail::Expected("UTF-8"))
    })?;
    let mut characters = text.chars();
    let (inner, outer) = match (characters.next(), characters.next()) {
        (Some(inner), Some(outer)) if inner != outer => (inner, outer),
        (inner, outer) => {
            let length = [inner, outer].into_iter().flatten().map(char::len_utf8).sum();
            let span = Span::new(span.offset, length);
            return Err(DpError::new(
                DpRule::Separators,
                span,
                Detail::Expected("two different separators: inside a field, and between fields"),
            ));
        }
    };
    let mut points = Vec::new();
    let mut rest = Some(characters.as_str());
    let mut at = span.offset + inner.len_utf8() + outer.len_utf8();
    let mut position = 0;
    while let Some(from_here) = rest {
        let (field, behind) = match from_here.split_once(outer) {
            Some((field, behind)) => (field, Some(behind)),
            None => (from_here, None),
        };
        // A separator at the very end begins no field.
        if behind.is_some() || !field.is_empty() {
            points.push(one(reader, field, at, inner, position, time));
        }
        position += 1;
        at += field.len() + outer.len_utf8();
        rest = behind;
    }
    Ok(points)
}

/// `stream, time, value`, `stream, value` or `value`: then the stream is called by its position.
fn one<'a, T: FnMut(Part, Span)>(
    reader: &mut Reader<'a, '_, T>,
    field: &'a str,
    offset: usize,
    inner: char,
    position: usize,
    time: Option<CivilTime>,
) -> Point<'a> {
    let of_header = time.map(Time::Civil);
    let (stream, at, value) = match field.split_once(inner) {
        None => (Cow::Owned(position.to_string()), of_header, field),
        Some((stream, rest)) => match rest.split_once(inner) {
            None => (Cow::Borrowed(stream), of_header, rest),
            Some(("", value)) => (Cow::Borrowed(stream), of_header, value),
            Some((text, value)) => {
                let at = CivilTime::parse(text).map(Time::Civil);
                if at.is_none() {
                    let from = offset + stream.len() + inner.len_utf8();
                    reader.notice(NoticeKind::TimeUnreadable, Span::new(from, text.len()));
                }
                (Cow::Borrowed(stream), at.or(of_header), value)
            }
        },
    };
    let span = Span::new(offset + field.len() - value.len(), value.len());
    Point { stream, value: scalar(value), at, description: None, span }
}

/// A number where it is one; else text, without one pair of quotes around it.
fn scalar(text: &str) -> Value<'_> {
    Value::number(text).unwrap_or_else(|| {
        let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        Value::Text(Cow::Borrowed(bare.unwrap_or(text)))
    })
}
