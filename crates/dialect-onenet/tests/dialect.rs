//! What the vectors do not show: oddities, slips, topics, and bytes of any kind.

use hexmq_device::json::JsonErrorKind;
use hexmq_device::mac::HashName;
use hexmq_device::{CivilTime, Span, Time, Value};
use hexmq_dialect_onenet::connect::{Access, claim};
use hexmq_dialect_onenet::dp::{
    self, DataType, Detail, DpRule, EncodeError, NoticeKind, Point, Separators, decode, decode_leniently,
    encode,
};
use hexmq_dialect_onenet::thing::{self, ThingRule};
use hexmq_dialect_onenet::token::{self, Resource, Slip, Token, TokenRule};
use hexmq_dialect_onenet::topic::{Direction, ENTRIES, Topic};
use proptest::prelude::*;

fn notices(payload: &[u8]) -> Vec<(NoticeKind, Span)> {
    let upload = decode_leniently(payload).expect("readable");
    upload.notices.iter().map(|notice| (notice.kind, notice.span)).collect()
}

fn rule(payload: &[u8]) -> (DpRule, Span) {
    let error = decode(payload).expect_err("wrong");
    (error.rule, error.span)
}

#[test]
fn oddities_are_survived_and_told() {
    assert_eq!(notices(b"\x43\x00\x02{}"), [(NoticeKind::ReservedBit, Span::new(0, 1))]);
    assert_eq!(notices(b"\x83\x00\x02{}"), [(NoticeKind::TimeFlagUnused, Span::new(0, 1))]);
    assert_eq!(notices(b"\x03\x00\x0a{\"a\":null}"), [(NoticeKind::NoValue, Span::new(8, 4))]);
    assert_eq!(notices(b"\x04\x00\x0d{\"a\":{\"x\":1}}"), [(NoticeKind::TimeUnreadable, Span::new(9, 3))]);
    assert_eq!(notices(b"\x05\x00\x07,;a,x,1"), [(NoticeKind::TimeUnreadable, Span::new(7, 1))]);
    let zero = b"\x07\x00\x00\x00\x01\x00\x00\x80\x3f";
    assert_eq!(notices(zero), [(NoticeKind::StreamZero, Span::new(1, 2))]);
    let not_a_number = b"\x07\x00\x01\x00\x01\x00\x00\xc0\x7f";
    assert_eq!(notices(not_a_number), [(NoticeKind::NoValue, Span::new(5, 4))]);
    let mut many = b"\x07\x00\x01\x01\xf5".to_vec();
    many.extend([0; 4 * 501]);
    assert_eq!(notices(&many), [(NoticeKind::TooManyFloats, Span::new(3, 2))]);
    let mut group = b"\x00\x01\xff\xff".to_vec();
    group.extend([0; 4 * 65_535]);
    let too_many = [b"\x07", group.as_slice(), b"\x00\x01\x00\x01\x00\x00\x00\x00"].concat();
    assert_eq!(rule(&too_many), (DpRule::Count, Span::new(1 + group.len() + 2, 2)));
}

#[test]
fn a_time_that_is_not_announced_is_found_by_the_length() {
    let payload = b"\x06\x11\x08\x0c\x0d\x1e\x2d\x00\x05,;a,1";
    assert_eq!(rule(payload), (DpRule::Length, Span::new(1, 2)));
    let upload = decode_leniently(payload).expect("readable");
    assert_eq!(upload.time, CivilTime::parse("2017-08-12 13:30:45"));
    assert_eq!(upload.notices[0].kind, NoticeKind::TimeFlagMissing);
    assert_eq!(upload.points[0].at, upload.time.map(Time::Civil));
}

#[test]
fn a_wrong_time_refuses_only_where_rules_are_kept() {
    let payload = b"\x87\x11\x0d\x0c\x0d\x1e\x2d\x00\x01\x00\x01\x00\x00\x80\x3f";
    assert_eq!(rule(payload), (DpRule::Time, Span::new(1, 6)));
    let upload = decode_leniently(payload).expect("readable");
    assert_eq!((upload.points.len(), upload.points[0].at), (1, None));
}

#[test]
fn each_rule_has_its_byte() {
    for (payload, expected, offset, length) in [
        (b"\x03" as &[u8], DpRule::Header, 1, 0),
        (b"\x03\x00", DpRule::Header, 1, 1),
        (b"\x03\x00\x01{}", DpRule::Length, 1, 2),
        (b"\x03\x00\x02[]", DpRule::Shape, 3, 2),
        (b"\x01\x00\x02{}", DpRule::Shape, 3, 2),
        (b"\x02\x00\x09{}\x00\x00\x00\x00", DpRule::Length, 1, 2),
        (b"\x02\x00\x02{}\x00\x00", DpRule::Header, 5, 2),
        (b"\x02\x00\x02{}\x00\x00\x00\x05a", DpRule::Length, 5, 4),
        (b"\x02\x00\x02{}\x00\x00\x00\x01a", DpRule::Shape, 3, 2),
        (b"\x03\x00\x09{\"a\":\"\xff\"}", DpRule::Json, 9, 1),
        (b"\x03\x00\x05{\"a\":", DpRule::Json, 8, 0),
        (b"\x05\x00\x00", DpRule::Separators, 3, 0),
        (b"\x05\x00\x03,,a", DpRule::Separators, 3, 2),
        (b"\x05\x00\x05,;a,\xff", DpRule::Text, 7, 1),
        (b"\x07", DpRule::Header, 1, 0),
        (b"\x07\x00\x01\x00", DpRule::Header, 3, 1),
        (b"\x87\x11\x08", DpRule::Header, 1, 2),
        (b"\x08\x00\x03\x07\x00\x00", DpRule::Block, 3, 1),
        (b"\x08\x00\x03\x08\x02\x00", DpRule::Block, 4, 1),
        (b"\x08\x00\x03\x08\x00\x01", DpRule::Block, 5, 1),
        (b"\x08\x00\x04\x08\x00\x00\x00", DpRule::Block, 6, 1),
        (b"\x08\x00\x06\x08\x00\x01\x09a\x00", DpRule::Block, 6, 1),
        (b"\x08\x00\x06\x08\x00\x01\x01ab", DpRule::Block, 7, 2),
        (b"\x08\x00\x0b\x08\x00\x01\x04a\x00\xff\xff\xff\xff\x00", DpRule::Block, 13, 1),
    ] {
        assert_eq!(rule(payload), (expected, Span::new(offset, length)), "{payload:02x?}");
    }
    let error = decode(b"\x03\x00\x40{\"a\":1}").expect_err("too short");
    assert_eq!(error.detail, Detail::Counted { declared: 64, present: 7 });
    assert_eq!(error.to_string(), "byte 1: declared length 64, 7 bytes present");
}

#[test]
fn what_a_type_has_no_place_for_is_refused() {
    let at = CivilTime::parse("2020-01-01 00:00:00");
    let point = |value, at: Option<CivilTime>| Point {
        stream: "s".into(),
        value,
        at: at.map(Time::Civil),
        description: None,
        span: Span::default(),
    };
    let refused = |data_type, points: &[Point<'_>], time| {
        encode(data_type, points, time, Separators::default()).expect_err("no place for it")
    };
    let no_place = |what| EncodeError::NoPlace { stream: "s".to_owned(), what };
    let one = [point(Value::Integer(1), at)];
    assert_eq!(refused(DataType::StreamValues, &one, None), no_place("time"));
    assert_eq!(refused(DataType::StreamValues, &[point(Value::Binary(b"x"), None)], None), no_place("bytes"));
    assert_eq!(refused(DataType::Floats, &one, None), no_place("stream but 0 to 65535"));
    assert_eq!(refused(DataType::Binary, &[], None), EncodeError::TooMany { most: 1 });
    assert_eq!(refused(DataType::Block, &one, None), no_place("time but whole Unix seconds"));
    for data_type in DataType::ALL.into_iter().filter(|&it| it != DataType::Binary) {
        let nothing = encode(data_type, &[], None, Separators::default()).expect("nothing fits everywhere");
        assert_eq!(decode(&nothing).map(|upload| upload.points), Ok(Vec::new()), "{data_type:?}");
    }
    let long = [point(Value::Text("x".repeat(70_000).into()), None)];
    assert!(matches!(refused(DataType::StreamValues, &long, None), EncodeError::TooLong { bytes: 70_008 }));
    assert!(
        encode(DataType::Text, &one, at, Separators::default()).is_err(),
        "type 5 has no time in its header"
    );
}

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

#[test]
fn a_slip_of_the_signer_is_named() {
    let right = token::sign(KEY, token::VERSION, "products/1/devices/d", 1_893_456_000, HashName::Sha1);
    let renamed = right.replace("method=sha1", "method=sha256");
    // The method is part of what is signed, so another name alone is no known slip.
    assert_eq!(Token::parse(&renamed).expect("readable").slip(KEY), None);
    let signed = |message: &str, key: &[u8]| {
        use base64::Engine;
        let sign =
            base64::engine::general_purpose::STANDARD.encode(HashName::Sha1.hmac(key, message.as_bytes()));
        let text =
            format!("version=2018-10-31&res=products/1/devices/d&et=1893456000&method=sha1&sign={sign}");
        Token::parse(&text).expect("readable").slip(KEY)
    };
    let key = token::key_bytes(KEY).0;
    let message = "1893456000\nsha1\nproducts/1/devices/d\n2018-10-31";
    assert_eq!(signed(message, &key), None);
    assert_eq!(signed(message, KEY.as_bytes()), Some(Slip::KeyNotDecoded));
    assert_eq!(signed(&format!("{message}\n"), &key), Some(Slip::LineFeedAtEnd));
    assert_eq!(signed(&message.replace('/', "%2F"), &key), Some(Slip::ResourceEscaped));
    assert_eq!(signed(&message.replace('\n', ""), &key), Some(Slip::NoLineFeeds));
    assert_eq!(signed("something else", &key), None);
}

#[test]
fn a_wrong_token_names_its_parameter() {
    let good = "version=2018-10-31&res=products%2F1&et=1&method=md5&sign=AAAA";
    let token = Token::parse(good).expect("readable");
    assert_eq!(token.resource(), Some(Resource::Product { product: "1" }));
    for (text, rule, parameter, span) in [
        (good.replace("et=1&", ""), TokenRule::Missing, "et", Span::new(56, 0)),
        (good.replace("%2F", "%2x"), TokenRule::Escape, "res", Span::new(23, 12)),
        (good.replace("et=1", "et=-1"), TokenRule::Expiry, "et", Span::new(39, 2)),
        (good.replace("md5", "md4"), TokenRule::Method, "method", Span::new(48, 3)),
        (good.replace("AAAA", "A*AA"), TokenRule::Sign, "sign", Span::new(57, 4)),
    ] {
        let error = Token::parse(&text).expect_err(&text);
        assert_eq!((error.rule, error.parameter), (rule, parameter), "{text}");
        assert_eq!(error.span, span, "{text}");
    }
    assert!(!token::is_meant("password&x=1"));
}

#[test]
fn a_claim_looks_like_its_access() {
    let look = |id, user, password: &'static [u8]| {
        claim(id, Some(user), Some(password)).and_then(|claim| claim.looks_like())
    };
    assert_eq!(look("901505824", "491644", b"123456"), Some(Access::Legacy));
    assert_eq!(
        look("mydev", "123123", b"version=2018-10-31&res=x&et=1&method=md5&sign=x"),
        Some(Access::Token)
    );
    assert_eq!(look("sensor-1", "alice", b"secret"), None);
    assert_eq!(claim("901505824", Some("491644"), None), None);
    assert_eq!(claim("901505824", None, Some(b"x")), None);
    let api_key = claim("1", Some("2"), Some(b"dpsO9ruH0aTZublG9g5SvBtFSEQ=")).expect("a claim");
    assert!(api_key.is_api_key());
}

#[test]
fn topics_mean_what_the_platform_says() {
    assert_eq!(Topic::parse("$dp"), Some(Topic::DataPoints));
    assert_eq!(Topic::parse("$creq/a/b"), Some(Topic::Command { id: "a/b" }));
    assert_eq!(Topic::parse("$crsp/x").and_then(|topic| topic.direction()), Some(Direction::Up));
    for topic in ["$dp/", "$dpx", "dp", "$creq", "$sys/1/2", "$SYS/broker/load", "a/$dp"] {
        assert_eq!(Topic::parse(topic), None, "{topic}");
    }
    for entry in ENTRIES {
        let text = format!("$sys/123/dev/{}", entry.path.replace('+', "id-1"));
        let Some(Topic::System(system)) = Topic::parse(&text) else { panic!("{text}") };
        assert_eq!(system.entry, Some(entry), "{text}");
        assert_eq!(system.identifier, entry.path.contains('+').then_some("id-1"));
        let parts = system.spans().map(|span| std::str::from_utf8(span.of(text.as_bytes())).expect("text"));
        assert_eq!(parts, [system.product, system.device, system.path]);
    }
    let Some(Topic::System(unknown)) = Topic::parse("$sys/1/2/thing/nothing") else {
        panic!("a system topic")
    };
    assert_eq!(unknown.entry, None);
}

fn thing_rules(topic: &str, payload: &str) -> Vec<(ThingRule, usize, usize)> {
    let Some(Topic::System(system)) = Topic::parse(topic) else { panic!("{topic}") };
    let found = thing::faults(payload.as_bytes(), system.entry.expect("a known topic"));
    found.into_iter().map(|fault| (fault.rule, fault.span.offset, fault.span.length)).collect()
}

#[test]
fn messages_of_the_thing_model_are_judged_by_their_topic() {
    use ThingRule::*;
    let post = "$sys/1/d/thing/property/post";
    let reply = "$sys/1/d/thing/property/post/reply";
    let dp = "$sys/1/d/dp/post/json";
    for (topic, payload, expected) in [
        (post, r#"{"id":"1","version":"1.0","params":{"a":{"value":1}}}"#, vec![]),
        (post, r#"{"id":1}"#, vec![(IdText, 6, 1), (ParamsMissing, 7, 0)]),
        (post, "[]", vec![(Object, 0, 2)]),
        (post, "{", vec![(Json(JsonErrorKind::Ends), 1, 0)]),
        (reply, r#"{"id":"1","code":200,"msg":"ok"}"#, vec![]),
        (reply, r#"{"msg":"ok"}"#, vec![(IdMissing, 11, 0), (CodeMissing, 11, 0)]),
        (reply, r#"{"id":"1","code":"200"}"#, vec![(CodeNumber, 17, 5)]),
        ("$sys/1/d/thing/property/set", r#"{"id":"1234567890123456","params":{}}"#, vec![(IdLength, 6, 18)]),
        (dp, r#"{"id":0,"dp":{"a":[{"v":1,"t":1552289676},{"v":"x"}]}}"#, vec![]),
        (dp, r#"{"id":"1","dp":{"a":1}}"#, vec![(IdNumber, 6, 3), (DataPoints, 20, 1)]),
        ("$sys/1/d/dp/post/json/accepted", r#"{"id":1}"#, vec![]),
        ("$sys/1/d/cmd/request/7", "anything", vec![]),
    ] {
        assert_eq!(thing_rules(topic, payload), expected, "{topic} {payload}");
    }
    let points = thing::data_points(
        br#"{"id":1,"dp":{"a":[{"v":{"x":1},"t":1552289676},{"v":2,"t":1552289676123}]}}"#,
    );
    let points = points.expect("data points");
    assert_eq!(
        (&points[0].value, points[0].at),
        (&Value::Json("{\"x\":1}"), Some(Time::UnixMs(1_552_289_676_000)))
    );
    assert_eq!((&points[1].value, points[1].at), (&Value::Integer(2), Some(Time::UnixMs(1_552_289_676_123))));
}

/// Bytes that look like payloads.
fn nearly_payloads() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"{\"a\":1}".to_vec()),
        Just(b"{\"a\":{\"2020-01-01 00:00:00\":1}}".to_vec()),
        Just(b"{\"ds_id\":\"a\"}\x00\x00\x00\x01x".to_vec()),
        Just(b",;a,1;b,,2;3".to_vec()),
        Just(vec![0, 1, 0, 1, 0, 0, 128, 63]),
        Just(vec![8, 0, 1, 3, b'a', 0, b'b', 0]),
        Just(vec![17, 8, 12, 13, 30, 45]),
        proptest::collection::vec(any::<u8>(), 0..8),
    ];
    (any::<u8>(), any::<bool>(), proptest::collection::vec(piece, 0..3)).prop_map(
        |(first, measured, pieces)| {
            let body = pieces.concat();
            let mut payload = vec![first];
            if measured {
                payload.extend((body.len() as u16).to_be_bytes());
            }
            payload.extend(body);
            payload
        },
    )
}

fn points() -> impl Strategy<Value = Vec<(String, Option<i64>, String, bool)>> {
    let name = proptest::string::string_regex("[a-zA-Z_\u{4e2d}][a-z0-9._-]{0,8}").expect("a pattern");
    let text = proptest::string::string_regex("[ -~\u{4e2d}\n]{0,12}").expect("a pattern");
    proptest::collection::vec((name, proptest::option::of(any::<i64>()), text, any::<bool>()), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_bytes_are_read_or_refused_inside(
        payload in prop_oneof![nearly_payloads(), proptest::collection::vec(any::<u8>(), 0..40)],
        lenient in any::<bool>(),
    ) {
        let end = payload.len();
        let mut last = 0;
        let read = dp::decode_telling(&payload, lenient, &mut |part, span| {
            assert!(span.offset >= last && span.end() <= end, "{part:?} {span:?}");
            last = span.end();
        });
        match read {
            Ok(upload) => {
                prop_assert_eq!(last, end);
                for span in upload.points.iter().map(|p| p.span).chain(upload.notices.iter().map(|n| n.span)) {
                    prop_assert!(span.end() <= end);
                }
            }
            Err(error) => {
                prop_assert!(error.span.end() <= end, "{:?}", error);
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn what_is_written_is_read_again(points in points(), data_type in 0..DataType::ALL.len()) {
        let data_type = DataType::ALL[data_type];
        let points: Vec<Point<'_>> = points
            .iter()
            .map(|(stream, number, text, timed)| Point {
                stream: stream.as_str().into(),
                value: number.map_or(Value::Text(text.as_str().into()), Value::Integer),
                at: CivilTime::parse("2020-02-29 01:02:03").map(Time::Civil).filter(|_| *timed),
                description: None,
                span: Span::default(),
            })
            .collect();
        if let Ok(payload) = encode(data_type, &points, None, Separators::default()) {
            let upload = decode(&payload).expect("what was written");
            prop_assert_eq!(upload.notices.len(), 0);
            prop_assert_eq!(upload.points.len(), points.len());
            for (read, written) in upload.points.iter().zip(&points) {
                prop_assert_eq!((&read.stream, &read.value, read.at), (&written.stream, &written.value, written.at));
            }
        }
    }

    #[test]
    fn any_token_is_read_or_refused_inside(text in "[a-z%=&0-9+/]{0,40}|version=.{0,6}&res=.{0,6}&et=[0-9]{0,3}&method=md5&sign=.{0,6}") {
        for parameter in token::parameters(&text) {
            prop_assert!(parameter.value_span.end() <= text.len());
        }
        match Token::parse(&text) {
            Ok(token) => prop_assert!(!token.is_signed_with("")),
            Err(error) => prop_assert!(error.span.end() <= text.len()),
        }
    }
}
