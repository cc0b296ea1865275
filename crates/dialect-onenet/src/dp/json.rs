//! The JSON of types 1 to 4.

use std::borrow::Cow;

use hexmq_device::json::{Member, Node, NodeKind, parse};
use hexmq_device::{CivilTime, Span, Time, Value};

use super::decode::Reader;
use super::error::{Detail, DpError, DpRule};
use super::{NoticeKind, Part, Point};

/// JSON inside a payload: the text, what it says, and where it begins.
struct Document<'a> {
    source: &'a str,
    root: Node<'a>,
    base: usize,
}

impl<'a> Document<'a> {
    fn read(payload: &'a [u8], span: Span) -> Result<Document<'a>, DpError> {
        let bytes = span.of(payload);
        let root = parse(bytes).map_err(|error| DpError::json(error, span.offset))?;
        // What parses is UTF-8.
        let source = std::str::from_utf8(bytes).unwrap_or_default();
        Ok(Document { source, root, base: span.offset })
    }

    fn shape(&self, node: &Node<'_>, expected: &'static str) -> DpError {
        DpError::new(DpRule::Shape, node.span.shifted(self.base), Detail::Expected(expected))
    }

    fn members<'n>(&self, node: &'n Node<'a>, expected: &'static str) -> Result<&'n [Member<'a>], DpError> {
        node.members().ok_or_else(|| self.shape(node, expected))
    }

    /// The elements of the array that is the member `name` of `node`.
    fn array<'n>(&self, node: &'n Node<'a>, name: &'static str) -> Result<&'n [Node<'a>], DpError> {
        node.member(name).and_then(Node::elements).ok_or_else(|| self.shape(node, name))
    }

    /// The point with this value, unless the value is none.
    fn point<T: FnMut(Part, Span)>(
        &self,
        reader: &mut Reader<'a, '_, T>,
        stream: Cow<'a, str>,
        value: &Node<'a>,
        at: Option<Time>,
    ) -> Option<Point<'a>> {
        let span = value.span.shifted(self.base);
        let Some(value) = Value::of_json(value, self.source) else {
            reader.notice(NoticeKind::NoValue, span);
            return None;
        };
        Some(Point { stream, value, at, description: None, span })
    }

    /// The time that a node says: text, or Unix seconds or milliseconds as a number.
    fn time<T: FnMut(Part, Span)>(&self, reader: &mut Reader<'a, '_, T>, node: &Node<'a>) -> Option<Time> {
        const SECONDS_MOST: i64 = 99_999_999_999;
        let time = match &node.kind {
            NodeKind::Null => return None,
            NodeKind::String(text) if text.is_empty() => return None,
            NodeKind::String(text) => CivilTime::parse(text).map(Time::Civil),
            NodeKind::Number(text) => match text.parse() {
                Ok(seconds @ 0..=SECONDS_MOST) => Some(Time::UnixMs(seconds * 1000)),
                Ok(ms) if ms > SECONDS_MOST => Some(Time::UnixMs(ms)),
                _ => None,
            },
            _ => None,
        };
        if time.is_none() {
            reader.notice(NoticeKind::TimeUnreadable, node.span.shifted(self.base));
        }
        time
    }
}

/// The name that a node is: text, or a number as it is written.
fn name<'a>(node: &Node<'a>) -> Option<Cow<'a, str>> {
    match &node.kind {
        NodeKind::String(text) => Some(text.clone()),
        NodeKind::Number(text) => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

/// Type 1.
pub(super) fn data_streams<'a, T: FnMut(Part, Span)>(
    reader: &mut Reader<'a, '_, T>,
    span: Span,
) -> Result<Vec<Point<'a>>, DpError> {
    let document = Document::read(reader.payload, span)?;
    let mut points = Vec::new();
    for stream in document.array(&document.root, "datastreams")? {
        let id = stream.member("id").and_then(name).ok_or_else(|| document.shape(stream, "id"))?;
        for point in document.array(stream, "datapoints")? {
            let value = point.member("value").ok_or_else(|| document.shape(point, "value"))?;
            let at = point.member("at").and_then(|at| document.time(reader, at));
            points.extend(document.point(reader, id.clone(), value, at));
        }
    }
    Ok(points)
}

/// Type 3.
pub(super) fn stream_values<'a, T: FnMut(Part, Span)>(
    reader: &mut Reader<'a, '_, T>,
    span: Span,
) -> Result<Vec<Point<'a>>, DpError> {
    let document = Document::read(reader.payload, span)?;
    let mut points = Vec::new();
    for stream in document.members(&document.root, "an object {\"stream\":value}")? {
        points.extend(document.point(reader, stream.name.clone(), &stream.value, None));
    }
    Ok(points)
}

/// Type 4.
pub(super) fn stream_times<'a, T: FnMut(Part, Span)>(
    reader: &mut Reader<'a, '_, T>,
    span: Span,
) -> Result<Vec<Point<'a>>, DpError> {
    const SHAPE: &str = "an object {\"stream\":{\"time\":value}}";
    let document = Document::read(reader.payload, span)?;
    let mut points = Vec::new();
    for stream in document.members(&document.root, SHAPE)? {
        for point in document.members(&stream.value, SHAPE)? {
            let at = match point.name.as_ref() {
                "" => None,
                text => CivilTime::parse(text).map(Time::Civil),
            };
            if at.is_none() && !point.name.is_empty() {
                reader.notice(NoticeKind::TimeUnreadable, point.name_span.shifted(span.offset));
            }
            points.extend(document.point(reader, stream.name.clone(), &point.value, at));
        }
    }
    Ok(points)
}

/// Type 2: the point that the descriptor describes, with the raw bytes as its value.
pub(super) fn described<'a, T: FnMut(Part, Span)>(
    reader: &mut Reader<'a, '_, T>,
    descriptor: Span,
    bytes: Span,
) -> Result<Point<'a>, DpError> {
    let document = Document::read(reader.payload, descriptor)?;
    let root = &document.root;
    let stream = root.member("ds_id").and_then(name).ok_or_else(|| document.shape(root, "ds_id"))?;
    let at = root.member("at").and_then(|at| document.time(reader, at));
    let description = root.member("desc").and_then(name);
    Ok(Point { stream, value: Value::Binary(bytes.of(reader.payload)), at, description, span: bytes })
}
