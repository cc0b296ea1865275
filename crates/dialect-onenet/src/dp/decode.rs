//! The header of a payload, and which reader its type needs.

use hexmq_device::{CivilTime, Span, Time, Value};

use super::error::{Detail, DpError, DpRule};
use super::{
    DataType, FLOATS_MAX, FLOATS_READ_MAX, Notice, NoticeKind, Part, Point, Upload, block, json, text,
};

/// Reads a payload as the rules allow it. An error names the rule and the byte.
pub fn decode(payload: &[u8]) -> Result<Upload<'_>, DpError> {
    decode_telling(payload, false, &mut |_, _| {})
}

/// Reads also what firmware is known to send instead: JSON without a header, type 6 with a time it
/// does not announce, a time that does not exist.
pub fn decode_leniently(payload: &[u8]) -> Result<Upload<'_>, DpError> {
    decode_telling(payload, true, &mut |_, _| {})
}

/// Reads a payload and tells every part of its layout to `tell`, as far as it goes: also of one that
/// turns out to be wrong.
pub fn decode_telling<'a>(
    payload: &'a [u8],
    lenient: bool,
    tell: &mut impl FnMut(Part, Span),
) -> Result<Upload<'a>, DpError> {
    let Some(&first) = payload.first() else {
        return Err(DpError::new(DpRule::Empty, Span::new(0, 0), Detail::None));
    };
    if lenient && first == b'{' && hexmq_device::json::parse(payload).is_ok() {
        return headless(payload, tell);
    }
    tell(Part::FirstByte, Span::new(0, 1));
    let number = first & 0x3F;
    let data_type = DataType::from_number(number).ok_or(DpError::new(
        DpRule::Type,
        Span::new(0, 1),
        Detail::Type(number),
    ))?;
    let mut reader = Reader { payload, at: 1, notices: Vec::new(), tell };
    if first & 0x40 != 0 {
        reader.notice(NoticeKind::ReservedBit, Span::new(0, 1));
    }
    let time = reader.time(data_type, first & 0x80 != 0, lenient)?;
    let points = reader.points(data_type, time)?;
    Ok(Upload { data_type, time, points, notices: reader.notices })
}

/// The JSON of type 3 without anything in front of it.
fn headless<'a>(payload: &'a [u8], tell: &mut impl FnMut(Part, Span)) -> Result<Upload<'a>, DpError> {
    let mut reader = Reader { payload, at: 0, notices: Vec::new(), tell };
    reader.notice(NoticeKind::HeaderMissing, Span::new(0, 0));
    reader.tell(Part::Json, Span::new(0, payload.len()));
    let points = json::stream_values(&mut reader, Span::new(0, payload.len()))?;
    Ok(Upload { data_type: DataType::StreamValues, time: None, points, notices: reader.notices })
}

/// Reads the JSON or text of a type alone, of any length, as the vendor's HTTP API takes it. Types that are not
/// text have no such form.
pub fn decode_body(data_type: DataType, body: &[u8]) -> Result<Upload<'_>, DpError> {
    let tell = &mut |_, _| {};
    let mut reader = Reader { payload: body, at: 0, notices: Vec::new(), tell };
    let span = Span::new(0, body.len());
    let points = match data_type {
        DataType::DataStreams => json::data_streams(&mut reader, span)?,
        DataType::StreamValues => json::stream_values(&mut reader, span)?,
        DataType::StreamTimes => json::stream_times(&mut reader, span)?,
        DataType::Text => text::fields(&mut reader, span, None)?,
        DataType::Binary | DataType::TimedText | DataType::Floats | DataType::Block => {
            return Err(DpError::new(DpRule::Type, Span::new(0, 0), Detail::Type(data_type.number())));
        }
    };
    Ok(Upload { data_type, time: None, points, notices: reader.notices })
}

/// A payload and how far it is read.
pub(super) struct Reader<'a, 't, T> {
    pub(super) payload: &'a [u8],
    at: usize,
    notices: Vec<Notice>,
    tell: &'t mut T,
}

impl<'a, T: FnMut(Part, Span)> Reader<'a, '_, T> {
    pub(super) fn tell(&mut self, part: Part, span: Span) {
        (self.tell)(part, span);
    }

    pub(super) fn notice(&mut self, kind: NoticeKind, span: Span) {
        self.notices.push(Notice { kind, span });
    }

    pub(super) fn left(&self) -> usize {
        self.payload.len().saturating_sub(self.at)
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next `length` bytes, told as `part`; `None` if there are fewer.
    pub(super) fn take(&mut self, part: Part, length: usize) -> Option<Span> {
        if self.left() < length {
            return None;
        }
        let span = Span::new(self.at, length);
        self.at += length;
        self.tell(part, span);
        Some(span)
    }

    /// A big-endian number of `bytes` bytes, with `rule` for the case that it is not there.
    pub(super) fn number(
        &mut self,
        part: Part,
        bytes: usize,
        rule: DpRule,
    ) -> Result<(usize, Span), DpError> {
        let left = self.left();
        let missing = DpError::new(
            rule,
            Span::new(self.at, left),
            Detail::Expected(match bytes {
                1 => "one byte",
                2 => "a number of two bytes",
                _ => "a number of four bytes",
            }),
        );
        let span = self.take(part, bytes).ok_or(missing)?;
        let value = span.of(self.payload).iter().fold(0_usize, |value, &byte| value << 8 | usize::from(byte));
        Ok((value, span))
    }

    fn time(
        &mut self,
        data_type: DataType,
        announced: bool,
        lenient: bool,
    ) -> Result<Option<CivilTime>, DpError> {
        let mut timed = announced && data_type.may_be_timed();
        if announced && !timed {
            self.notice(NoticeKind::TimeFlagUnused, Span::new(0, 1));
        }
        if lenient && !announced && data_type == DataType::TimedText && self.hides_a_time() {
            self.notice(NoticeKind::TimeFlagMissing, Span::new(0, 1));
            timed = true;
        }
        if !timed {
            return Ok(None);
        }
        let left = self.left();
        let missing =
            DpError::new(DpRule::Header, Span::new(self.at, left), Detail::Expected("six bytes of time"));
        let span = self.take(Part::Time, 6).ok_or(missing)?;
        let time = match *span.of(self.payload) {
            [year, month, day, hour, minute, second] => {
                CivilTime::new(2000 + u16::from(year), month, day, hour, minute, second)
            }
            _ => None,
        };
        if time.is_none() {
            if !lenient {
                return Err(DpError::new(DpRule::Time, span, Detail::Expected("a date and time that exist")));
            }
            self.notice(NoticeKind::TimeUnreadable, span);
        }
        Ok(time)
    }

    /// Whether the length fits only when six bytes of time are passed over.
    fn hides_a_time(&self) -> bool {
        let fits = |at: usize| match self.payload.get(at..at + 2) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])) == self.payload.len() - at - 2,
            _ => false,
        };
        !fits(self.at) && fits(self.at + 6)
    }

    fn points(&mut self, data_type: DataType, time: Option<CivilTime>) -> Result<Vec<Point<'a>>, DpError> {
        match data_type {
            DataType::DataStreams => {
                let span = self.measured(Part::Json)?;
                json::data_streams(self, span)
            }
            DataType::Binary => self.binary(),
            DataType::StreamValues => {
                let span = self.measured(Part::Json)?;
                json::stream_values(self, span)
            }
            DataType::StreamTimes => {
                let span = self.measured(Part::Json)?;
                json::stream_times(self, span)
            }
            DataType::Text | DataType::TimedText => {
                let span = self.measured(Part::Text)?;
                text::fields(self, span, time)
            }
            DataType::Floats => self.floats(time),
            DataType::Block => self.whole_block(),
        }
    }

    /// A length of two bytes and exactly as many bytes behind it.
    fn measured(&mut self, part: Part) -> Result<Span, DpError> {
        let (declared, length_span) = self.number(Part::Length, 2, DpRule::Header)?;
        self.rest(part, declared, length_span)
    }

    /// The rest of the payload, which is as long as `declared` says at `length_span`.
    fn rest(&mut self, part: Part, declared: usize, length_span: Span) -> Result<Span, DpError> {
        let present = self.left();
        if declared != present {
            self.tell(part, Span::new(self.at, declared.min(present)));
            return Err(DpError::new(DpRule::Length, length_span, Detail::Counted { declared, present }));
        }
        let span = Span::new(self.at, present);
        self.at += present;
        self.tell(part, span);
        Ok(span)
    }

    fn binary(&mut self) -> Result<Vec<Point<'a>>, DpError> {
        let (declared, length_span) = self.number(Part::Length, 2, DpRule::Header)?;
        let present = self.left();
        let counted = Detail::Counted { declared, present };
        let descriptor =
            self.take(Part::Json, declared).ok_or(DpError::new(DpRule::Length, length_span, counted))?;
        let (declared, length_span) = self.number(Part::BinaryLength, 4, DpRule::Header)?;
        let bytes = self.rest(Part::Binary, declared, length_span)?;
        Ok(vec![json::described(self, descriptor, bytes)?])
    }

    fn floats(&mut self, time: Option<CivilTime>) -> Result<Vec<Point<'a>>, DpError> {
        let mut points = Vec::new();
        let mut count_of_all = 0;
        if self.left() == 0 {
            return Err(DpError::new(DpRule::Header, Span::new(self.at, 0), Detail::Expected("a group")));
        }
        while self.left() > 0 {
            let (start, start_span) = self.number(Part::StartStream, 2, DpRule::Header)?;
            if start == 0 {
                self.notice(NoticeKind::StreamZero, start_span);
            }
            let (declared, count_span) = self.number(Part::Count, 2, DpRule::Header)?;
            let present = self.left() / 4;
            if count_of_all + declared > FLOATS_READ_MAX {
                let most = Detail::Expected("no more than 65535 values in one upload");
                return Err(DpError::new(DpRule::Count, count_span, most));
            }
            for index in 0..declared.min(present) {
                self.float(start + index, time, &mut points);
            }
            if declared > present {
                return Err(DpError::new(DpRule::Count, count_span, Detail::Counted { declared, present }));
            }
            if count_of_all <= FLOATS_MAX && count_of_all + declared > FLOATS_MAX {
                self.notice(NoticeKind::TooManyFloats, count_span);
            }
            count_of_all += declared;
        }
        Ok(points)
    }

    fn float(&mut self, stream: usize, time: Option<CivilTime>, points: &mut Vec<Point<'a>>) {
        let Some(span) = self.take(Part::Float, 4) else { return };
        let bytes = span.of(self.payload).try_into().unwrap_or_default();
        let value = f64::from(f32::from_le_bytes(bytes));
        if !value.is_finite() {
            return self.notice(NoticeKind::NoValue, span);
        }
        points.push(Point {
            stream: stream.to_string().into(),
            value: Value::Real(value),
            at: time.map(Time::Civil),
            description: None,
            span,
        });
    }

    fn whole_block(&mut self) -> Result<Vec<Point<'a>>, DpError> {
        let (declared, length_span) = self.number(Part::Length, 2, DpRule::Header)?;
        let present = self.left();
        if declared != present {
            return Err(DpError::new(DpRule::Length, length_span, Detail::Counted { declared, present }));
        }
        block::items(self)
    }
}
