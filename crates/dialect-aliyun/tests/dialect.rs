//! What the vectors do not show: faults with their places, slips, topics, envelopes, bytes of any kind.

use hexmq_device::Span;
use hexmq_device::json::JsonErrorKind;
use hexmq_device::mac::HashName;
use hexmq_dialect_aliyun::alink::{self, AlinkRule, Envelope};
use hexmq_dialect_aliyun::connect::{ClientIdentifier, Connect, ConnectRule, Place, SignIn, Slip};
use hexmq_dialect_aliyun::register::{self, Form, FormError};
use hexmq_dialect_aliyun::sign::{connect_content, method_named, sign};
use hexmq_dialect_aliyun::topic::{Direction, Topic, entries};
use proptest::prelude::*;

const MD5: &[u8] = b"590e8dac737b17c555d5b21f81b60be4";
const USER: Option<&str> = Some("D001&i5drb0tO5li");

fn faults(client: &str, user: Option<&str>, password: Option<&[u8]>) -> Vec<(ConnectRule, Place, Span)> {
    let faults = Connect::read(client, user, password).faults();
    faults.into_iter().map(|fault| (fault.rule, fault.place, fault.span)).collect()
}

#[test]
fn faults_of_a_sign_in_have_their_places() {
    use ConnectRule::*;
    use Place::{ClientIdentifier as Client, Password, UserName as User};
    let good = "D001|securemode=3,signmethod=hmacmd5|";
    assert_eq!(faults(good, USER, Some(MD5)), []);
    for (client, rule, span) in [
        ("D001|securemode=3,signmethod=hmacmd5", ExtensionOpen, Span::new(36, 0)),
        ("D001securemode=3,signmethod=hmacmd5", ExtensionOpen, Span::new(0, 35)),
        ("D001|securemode=3,signmethod=hmacmd5|x", ExtensionSurplus, Span::new(37, 1)),
        ("D001|securemode,signmethod=hmacmd5|", Parameter, Span::new(5, 10)),
        ("D001|securemode=3,signmethod=md4|", SignMethod, Span::new(29, 3)),
        ("D001|securemode=3,signmethod=hmacmd5,timestamp=12x|", Timestamp, Span::new(47, 3)),
        ("D001|authType=register,signmethod=hmacmd5|", Random, Span::new(4, 38)),
    ] {
        assert_eq!(faults(client, USER, Some(MD5)), [(rule, Client, span)], "{client}");
    }
    for user in [None, Some("D001"), Some("&pk"), Some("a&b&c")] {
        assert_eq!(faults(good, user, Some(MD5)), [(UserName, User, Span::new(0, 0))], "{user:?}");
    }
    for (password, rule, span) in [
        (None, PasswordMissing, Span::new(0, 0)),
        (Some(b"12g4" as &[u8]), PasswordHex, Span::new(2, 1)),
        (Some(b"1234"), PasswordLength, Span::new(0, 4)),
        (Some(b"123"), PasswordLength, Span::new(0, 3)),
    ] {
        assert_eq!(faults(good, USER, password), [(rule, Password, span)], "{password:?}");
    }
    let token = "c|authType=connwl,securemode=-2,_ss=1,ext=3|";
    assert_eq!(faults(token, USER, Some(b"any token")), []);
    assert_eq!(Connect::read(token, USER, Some(b"any token")).is_signed_with("x"), None);
}

#[test]
fn slips_are_named() {
    let secret = "0123456789abcdef0123456789abcdef";
    let client = "c1|securemode=3,signmethod=hmacsha1,timestamp=789|";
    let slip = |content: &str, key: &str| {
        let made = sign(HashName::Sha1, key, content);
        Connect::read(client, Some("dev&pk"), Some(made.as_bytes())).slip(secret)
    };
    let right = connect_content("c1", "dev", "pk", Some("789"));
    assert_eq!(right, "clientIdc1deviceNamedevproductKeypktimestamp789");
    assert_eq!(slip(&right, secret), None);
    assert_eq!(slip(&connect_content("c1", "dev", "pk", None), secret), Some(Slip::TimestampLeftOut));
    assert_eq!(
        slip(&connect_content(client, "dev", "pk", Some("789")), secret),
        Some(Slip::WholeClientIdentifier)
    );
    assert_eq!(slip(&connect_content("c1", "pk", "dev", Some("789")), secret), Some(Slip::NamesSwapped));
    assert_eq!(slip(&right, &secret.to_uppercase()), Some(Slip::SecretCase));
    assert_eq!(slip(&right, &format!("{secret}\n")), Some(Slip::SecretBlanks));
    assert_eq!(slip("something", secret), None);
    for (name, hash) in
        [("HmacMD5", HashName::Md5), ("hmacSha1", HashName::Sha1), ("Sha256", HashName::Sha256)]
    {
        assert_eq!(method_named(name), Some(hash));
    }
    assert_eq!(method_named("hmac"), None);
}

#[test]
fn a_form_is_decoded() {
    let form = Form::parse("productKey=a%26b&deviceName=d+1&random=%E4%B8%AD&sign=00&signMethod=HmacSha1")
        .expect("a form");
    assert_eq!((&*form.product_key, &*form.device_name, &*form.random), ("a&b", "d 1", "中"));
    assert_eq!(form.verify("x"), Err(register::CODE_SIGN));
    assert_eq!(Form::parse("productKey=a"), Err(FormError::Missing("deviceName")));
    assert_eq!(Form::parse("productKey=%2"), Err(FormError::Escape));
    let form = "productKey=a&deviceName=d&random=r&sign=00&signMethod=md4";
    assert_eq!(Form::parse(form).expect("a form").verify("x"), Err(register::CODE_SIGN_METHOD));
    assert_eq!(
        register::answer("pk", "d\"n", "s"),
        r#"{"code":200,"data":{"productKey":"pk","deviceName":"d\"n","deviceSecret":"s"},"message":"success"}"#
    );
    for body in [
        register::refusal(6289, "already\n"),
        register::token("c", "p", "d", "t"),
        register::secret("p", "d", "s"),
    ] {
        assert!(Envelope::parse(body.as_bytes()).is_ok(), "{body}");
    }
}

#[test]
fn every_topic_is_found_by_its_form() {
    for entry in entries() {
        let topic = entry
            .form
            .replace("{pk}", "a1TestPk001")
            .replace("{dn}", "dev-01")
            .replace('+', "alarm")
            .replace('#', "a/b");
        let found = Topic::parse(&topic).unwrap_or_else(|| panic!("{topic}"));
        assert_eq!(found.entry.map(|entry| entry.name), Some(entry.name), "{topic}");
        for (text, span) in [found.product_key, found.device_name, found.identifier].into_iter().flatten() {
            assert_eq!(span.of(topic.as_bytes()), text.as_bytes(), "{topic}");
        }
        assert_eq!(found.identifier.is_some(), entry.form.contains('+'), "{topic}");
        if let Some(method) = entry.method_for(Some("alarm")) {
            assert!(!method.contains('+'));
        }
    }
    let names: Vec<_> = entries().map(|entry| entry.name).collect();
    assert!(names.iter().all(|name| names.iter().filter(|other| other == &name).count() == 1), "{names:?}");
}

#[test]
fn topics_of_others_are_left_alone() {
    for topic in [
        "sys/a/b/thing",
        "/a/b/user/x",
        "/house/kitchen/user/light",
        "a1TestPk001/d/user/x",
        "/sys/a/b/c",
        "/",
    ] {
        assert_eq!(Topic::parse(topic), None, "{topic}");
    }
    let unknown = Topic::parse("/sys/a1TestPk001/dev/thing/nothing").expect("under /sys/");
    assert_eq!((unknown.entry, unknown.product_key.map(|it| it.0)), (None, Some("a1TestPk001")));
    let service = Topic::parse("/sys/a1TestPk001/dev/thing/service/reboot_reply").expect("a topic");
    assert_eq!(
        service.entry.map(|entry| (entry.name, entry.direction)),
        Some(("service_reply", Direction::Up))
    );
    assert_eq!(service.identifier.map(|it| it.0), Some("reboot"));
}

fn rules(topic: &str, payload: &str) -> Vec<(AlinkRule, usize, usize)> {
    let topic = Topic::parse(topic).expect("a topic");
    let identifier = topic.identifier.map(|(name, _)| name);
    let found = alink::faults(payload.as_bytes(), topic.entry.expect("a known one"), identifier);
    found.into_iter().map(|fault| (fault.rule, fault.span.offset, fault.span.length)).collect()
}

#[test]
fn an_envelope_is_judged_by_its_topic() {
    use AlinkRule::*;
    let up = "/sys/a1TestPk001/dev/thing/event/property/post";
    let set = "/sys/a1TestPk001/dev/thing/service/property/set";
    for (topic, payload, expected) in [
        (up, r#"{"id":"1","params":{}}"#, vec![]),
        (up, r#"{"id":"1","params":{},"method":""}"#, vec![]),
        (up, r#"{"id":"1","params":{},"method":"thing.service.property.set"}"#, vec![(MethodTopic, 31, 28)]),
        (up, r#"{"params":{}}"#, vec![(IdMissing, 12, 0)]),
        (up, r#"{"id":1,"params":{}}"#, vec![(IdText, 6, 1)]),
        (up, r#"{"id":"1"}"#, vec![(ParamsMissing, 9, 0)]),
        (up, r#"{"id":"1","params":[]}"#, vec![(ParamsKind, 19, 2)]),
        (up, "[]", vec![(Object, 0, 2)]),
        (up, "", vec![(Json(JsonErrorKind::Ends), 0, 0)]),
        (up, r#"{"id":"1",}"#, vec![(Json(JsonErrorKind::Unexpected), 10, 1)]),
        (set, r#"{"id":"1","params":{},"method":"thing.service.property.set"}"#, vec![]),
        (set, r#"{"id":"1","params":{}}"#, vec![(MethodMissing, 21, 0)]),
        (set, r#"{"id":"x","params":{},"method":"thing.service.property.set"}"#, vec![(IdDigits, 6, 3)]),
        (
            "/sys/a1TestPk001/dev/thing/service/reboot",
            r#"{"id":"1","params":{},"method":"thing.service.restart"}"#,
            vec![(MethodTopic, 31, 23)],
        ),
        (
            "/sys/a1TestPk001/dev/thing/service/property/set_reply",
            r#"{"id":"1","code":200,"data":{}}"#,
            vec![],
        ),
        (
            "/sys/a1TestPk001/dev/thing/event/property/post_reply",
            r#"{"id":"1","code":"200"}"#,
            vec![(CodeNumber, 17, 5), (DataMissing, 22, 0), (MessageMissing, 22, 0)],
        ),
        ("/sys/a1TestPk001/dev/thing/model/up_raw", "anything", vec![]),
        ("/shadow/update/a1TestPk001/dev", r#"{"method":"get"}"#, vec![]),
        ("/shadow/update/a1TestPk001/dev", "get", vec![(Json(JsonErrorKind::NoValue), 0, 1)]),
    ] {
        assert_eq!(rules(topic, payload), expected, "{topic} {payload}");
    }
    let envelope = Envelope::parse(br#"{"id":"7","sys":{"ack":0},"code":200}"#).expect("JSON");
    assert!(!envelope.wants_answer());
    assert_eq!((envelope.id(), envelope.code(), envelope.method()), (Some("7"), Some(200), None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_client_identifier_is_taken_apart_in_place(text in "[a-z|=, \n中]{0,24}") {
        let client = ClientIdentifier::parse(&text);
        prop_assert_eq!(client.text, &text);
        for parameter in &client.parameters {
            prop_assert_eq!(parameter.value_span.of(text.as_bytes()), parameter.value.as_bytes());
            prop_assert!(parameter.span.end() <= text.len());
        }
        let connect = Connect::read(&text, Some("d&p"), Some(text.as_bytes()));
        for fault in connect.faults() {
            prop_assert!(fault.span.end() <= text.len(), "{:?}", fault);
        }
        prop_assert_eq!(connect.slip("secret"), None);
    }

    #[test]
    fn any_payload_on_any_topic_is_judged_inside(payload in "[{}\\[\\]\":,a-z0-9]{0,24}", index in 0..entries().count()) {
        let entry = entries().nth(index).expect("counted");
        for fault in alink::faults(payload.as_bytes(), entry, Some("x")) {
            prop_assert!(fault.span.end() <= payload.len());
        }
    }

    #[test]
    fn what_is_signed_is_verified(client in "[a-z.&]{1,9}", device in "[a-z_]{1,9}", product in "[a-z0-9]{1,9}", secret in ".{0,70}", timed in any::<bool>()) {
        for hash in HashName::ALL {
            let timestamp = timed.then_some("123");
            let tail = timestamp.map_or(String::new(), |it| format!(",timestamp={it}"));
            let id = format!("{client}|signmethod=hmac{}{tail}|", hash.name());
            let made = sign(hash, &secret, &connect_content(&client, &device, &product, timestamp));
            let user = format!("{device}&{product}");
            let connect = Connect::read(&id, Some(&user), Some(made.as_bytes()));
            prop_assert_eq!((connect.is_signed_with(&secret), connect.slip(&secret)), (Some(true), None));
            prop_assert_eq!((connect.sign_in(), connect.faults()), (SignIn::Secret, vec![]));
        }
    }
}
