//! Who is let in, with what, and why others are not.

mod support;

use hexmq_device::mac::HashName;
use hexmq_device::{
    Device, DeviceRef, Dialect as _, Product, Reach, RefusedCode, RegistrationStyle, Secret, SignIn,
};
use hexmq_dialect_aliyun::Aliyun;
use hexmq_dialect_aliyun::sign::{connect_content, register_content, sign};
use hexmq_dialect_aliyun::topic::entries;
use proptest::prelude::*;
use serde_json::json;
use support::{device, json as body, product, sign_in, switched, text, vectors};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const CLIENT: &str = "c1|securemode=3,signmethod=hmacsha1,timestamp=789|";
const USER: &str = "dev01&a1TestPk001";

fn of_connect(content: &str) -> String {
    sign(HashName::Sha1, SECRET, content)
}

fn right() -> String {
    of_connect(&connect_content("c1", "dev01", "a1TestPk001", Some("789")))
}

fn known() -> (Product, Device) {
    (product("a1TestPk001"), device("a1TestPk001", "dev01", SECRET))
}

fn refusal(sign_in: &SignIn<'_>, product: &Product, device: Option<&Device>) -> (RefusedCode, &'static str) {
    let refused = Aliyun.verify(sign_in, product, device, 0).expect_err("a refusal");
    assert!(!refused.message.is_empty());
    let diagnosis = Aliyun.diagnose(sign_in, Some(product), device, 0);
    assert!(!diagnosis.admitted && !diagnosis.hint.is_empty());
    (refused.code, refused.rule)
}

#[test]
fn every_vector_is_let_in() {
    for vector in vectors()["aliyun_connect"].as_array().expect("vectors") {
        let (key, name) = (text(vector, "product_key"), text(vector, "device_name"));
        let upper = text(vector, "mqtt_password").to_uppercase();
        for password in [text(vector, "mqtt_password"), &upper] {
            let sign_in = sign_in(text(vector, "mqtt_client_id"), text(vector, "mqtt_username"), password);
            assert_eq!(Aliyun.claim(&sign_in), Some(DeviceRef::new(key, name)));
            let product = product(key);
            let device = device(key, name, text(vector, "device_secret"));
            let admission = Aliyun.verify(&sign_in, &product, Some(&device), 0).expect("let in");
            assert!(!admission.rules.is_empty() && admission.greeting.is_empty());
            assert_eq!((admission.subscribed, admission.registration), (false, None));
            let diagnosis = Aliyun.diagnose(&sign_in, Some(&product), Some(&device), 0);
            assert_eq!((diagnosis.admitted, diagnosis.code), (true, "ok"));
        }
    }
}

/// The CONNECTs of the vendor's libraries, with the secrets they were made with.
#[test]
fn recorded_sign_ins_are_let_in() {
    let vectors = vectors();
    let mut subscribed = Vec::new();
    for vector in vectors["firmware_packets"].as_array().expect("packets") {
        let id = text(vector, "id");
        if !(id.starts_with("fw-connect-nodejs") || id.starts_with("fw-connect-python")) {
            continue;
        }
        let decoded = &vector["decoded"];
        let (client, user) = (text(decoded, "client_identifier"), text(decoded, "user_name"));
        let sign_in = sign_in(client, user, text(decoded, "password"));
        let claimed = Aliyun.claim(&sign_in).expect("a device");
        let device = device(&claimed.product, &claimed.device, SECRET);
        let admission = Aliyun.verify(&sign_in, &product(&claimed.product), Some(&device), 0).expect(id);
        let noted: Vec<_> = admission.notices.iter().map(|(rule, _)| *rule).collect();
        let expected: &[&str] = if id == "fw-connect-nodejs-1.0.1" { &["client_id_control"] } else { &[] };
        assert_eq!(noted, expected, "{id}");
        if admission.subscribed {
            subscribed.push(id.to_owned());
        }
        let off = switched(&claimed.product, "aliyun_auto_subscribe", false);
        assert!(!Aliyun.verify(&sign_in, &off, Some(&device), 0).expect(id).subscribed);
        let all = switched(&claimed.product, "aliyun_subscribe_all", true);
        assert!(Aliyun.verify(&sign_in, &all, Some(&device), 0).expect(id).subscribed);
    }
    assert_eq!(subscribed, ["fw-connect-python-1.2.13", "fw-connect-python-sii"]);
}

#[test]
fn a_refusal_has_the_code_of_the_cloud() {
    use RefusedCode::{Credentials, Identifier, NotAuthorized};
    let (product, device) = known();
    let right = right();
    let good = sign_in(CLIENT, USER, &right);
    assert_eq!(refusal(&good, &product, None), (Credentials, "unknown_device"));
    let disabled = Device { disabled: true, ..device.clone() };
    assert_eq!(refusal(&good, &product, Some(&disabled)), (NotAuthorized, "device_disabled"));
    let bare = Device { secret: None, ..device.clone() };
    assert_eq!(refusal(&good, &product, Some(&bare)), (Credentials, "no_secret"));
    let none = SignIn { password: None, ..good };
    assert_eq!(refusal(&none, &product, Some(&device)), (NotAuthorized, "password_missing"));
    let user = SignIn { user_name: Some("dev01"), ..good };
    assert_eq!(Aliyun.claim(&user), None);
    assert_eq!(refusal(&user, &product, Some(&device)), (Credentials, "user_name_form"));
    for (client, password, expected) in [
        (CLIENT, "00".repeat(20), (Credentials, "wrong_secret")),
        (CLIENT, "00".repeat(16), (Credentials, "password_length")),
        (CLIENT, "secret".to_owned(), (Credentials, "password_not_hex")),
        ("c1|securemode=3,signmethod=md4|", "00".repeat(16), (Identifier, "sign_method")),
        ("c1securemode=3", "00".repeat(16), (Identifier, "client_id_not_closed")),
        ("c1|authType=connwl,securemode=-2|", "token".to_owned(), (Credentials, "wrong_token")),
    ] {
        let sign_in = sign_in(client, USER, &password);
        assert_eq!(refusal(&sign_in, &product, Some(&device)), expected, "{client}");
    }
}

#[test]
fn oddities_are_let_in_and_noted() {
    let (product, device) = known();
    let right = right();
    let notices = |sign_in: &SignIn<'_>| -> Vec<&'static str> {
        let admission = Aliyun.verify(sign_in, &product, Some(&device), 0).expect("let in");
        admission.notices.iter().map(|(rule, _)| *rule).collect()
    };
    let good = sign_in(CLIENT, USER, &right);
    assert_eq!(notices(&good), [""; 0]);
    assert_eq!(notices(&SignIn { secure: true, ..good }), ["securemode"]);
    assert_eq!(notices(&SignIn { keep_alive_s: 20, ..good }), ["keep_alive_range"]);
    let surplus = format!("{CLIENT}tail");
    assert_eq!(notices(&SignIn { client_identifier: &surplus, ..good }), ["client_id_surplus"]);
    let tls = CLIENT.replace("securemode=3", "securemode=2");
    assert_eq!(notices(&SignIn { client_identifier: &tls, ..good }), ["securemode"]);
    // No extension at all: HMAC-MD5 is the default.
    let md5 = sign(HashName::Md5, SECRET, &connect_content("c1", "dev01", "a1TestPk001", None));
    assert_eq!(notices(&sign_in("c1", USER, &md5)), ["client_id_not_closed"]);

    let strict = switched("a1TestPk001", "aliyun_keep_alive_range", true);
    let short = SignIn { keep_alive_s: 29, ..good };
    assert_eq!(refusal(&short, &strict, Some(&device)), (RefusedCode::NotAuthorized, "keep_alive_range"));
    for keep_alive_s in [30, 1200] {
        assert!(Aliyun.verify(&SignIn { keep_alive_s, ..good }, &strict, Some(&device), 0).is_ok());
    }
    let admission =
        Aliyun.verify(&good, &switched("a1TestPk001", "aliyun_suback_qos1", true), Some(&device), 0);
    assert!(admission.expect("let in").manners.grants_qos_1);
    assert!(!Aliyun.verify(&good, &product, Some(&device), 0).expect("let in").manners.grants_qos_1);
}

#[test]
fn a_password_of_its_own_replaces_the_signature() {
    let (product, device) = known();
    let device = Device { password: Some(Secret("lost and found".to_owned())), ..device };
    let right = right();
    for (password, let_in) in
        [("lost and found", true), (&*right, true), ("lost and foun", false), ("", false)]
    {
        let sign_in = sign_in(CLIENT, USER, password);
        assert_eq!(Aliyun.verify(&sign_in, &product, Some(&device), 0).is_ok(), let_in, "{password}");
        assert_eq!(Aliyun.diagnose(&sign_in, Some(&product), Some(&device), 0).admitted, let_in);
    }
    let empty = Device { password: Some(Secret(String::new())), ..device };
    assert!(Aliyun.verify(&sign_in(CLIENT, USER, ""), &product, Some(&empty), 0).is_err());
}

fn registers(way: &str) -> (String, String) {
    let client = format!("dev01.a1TestPk001|random=r1,authType={way},securemode=2,signmethod=hmacsha256|");
    let content = register_content("dev01", "a1TestPk001", "r1");
    (client, sign(HashName::Sha256, "ProdSecret01234567", &content))
}

#[test]
fn devices_register_themselves() {
    let (closed, device) = known();
    let open = Product { dynamic_registration: true, ..closed.clone() };
    let active = Device { activated_at_ms: Some(1), ..device.clone() };
    let again = Product { switches: [("aliyun_register_again".to_owned(), true)].into(), ..open.clone() };
    for (way, style) in [("register", RegistrationStyle::Secret), ("regnwl", RegistrationStyle::Token)] {
        let (client, password) = registers(way);
        let sign_in = sign_in(&client, USER, &password);
        assert_eq!(
            refusal(&sign_in, &closed, Some(&device)),
            (RefusedCode::NotAuthorized, "registration_off")
        );
        assert_eq!(refusal(&sign_in, &open, Some(&active)), (RefusedCode::NotAuthorized, "already_active"));
        assert!(Aliyun.verify(&sign_in, &again, Some(&active), 0).is_ok());
        let admission = Aliyun.verify(&sign_in, &open, Some(&device), 0).expect("let in");
        let registration = admission.registration.expect("a registration");
        assert_eq!((registration.style, &*registration.device.device), (style, "dev01"));
        assert!(admission.rules.iter().all(|rule| !rule.publish));
        let greeting = Aliyun.registered(&sign_in, &registration, &Secret("s3cret".to_owned()));
        assert!(!greeting.if_subscribed);
        let (topic, expected) = match style {
            RegistrationStyle::Secret => (
                "/ext/register",
                json!({"productKey":"a1TestPk001","deviceName":"dev01","deviceSecret":"s3cret"}),
            ),
            RegistrationStyle::Token => (
                "/ext/regnwl",
                json!({"clientId":"dev01.a1TestPk001","productKey":"a1TestPk001","deviceName":"dev01","deviceToken":"s3cret"}),
            ),
        };
        assert_eq!((&*greeting.topic, body(&greeting)), (topic, expected));
        let nobody = Aliyun.verify(&sign_in, &open, None, 0);
        assert_eq!(nobody.is_ok(), style == RegistrationStyle::Token);
        let wrong = support::sign_in(&client, USER, "00");
        assert_eq!(refusal(&wrong, &open, Some(&device)).0, RefusedCode::Credentials);
    }
    // With the token as it was given.
    let told = Device { password: Some(Secret("t0ken".to_owned())), secret: None, ..device };
    let client = "dev01.a1TestPk001|authType=connwl,securemode=-2,_ss=1,ext=3,lan=Python,_v=1.2.13|";
    let admission = Aliyun.verify(&sign_in(client, USER, "t0ken"), &open, Some(&told), 0).expect("let in");
    assert!(admission.subscribed);
    assert_eq!(admission.notices, []);
}

/// The ingredients that a finding is about.
fn blamed(code: &str) -> &'static [&'static str] {
    match code {
        "ok" => &[],
        "client_id_not_closed" => &["client_id", "sign_method", "signature"],
        "user_name_order" => &["user_name", "product", "device", "signature"],
        "user_name_form" => &["user_name", "product", "device", "signature"],
        "device_name_case" => &["user_name", "device", "signature"],
        "product_key_case" => &["user_name", "product", "signature"],
        "wrong_sign_method" => &["sign_method", "signature"],
        "timestamp_not_signed" | "timestamp_missing" => &["timestamp", "signature"],
        "secret_as_password" => &["sign_method", "signature"],
        _ => &["signature"],
    }
}

/// The doctor names what is wrong, and shows no secret.
#[test]
fn the_doctor_names_the_ingredient() {
    let (product, device) = known();
    let content = |client: &str, timestamp| connect_content(client, "dev01", "a1TestPk001", timestamp);
    let cases: Vec<(&str, &str, String, &str)> = vec![
        (CLIENT, USER, "00".repeat(20), "wrong_secret"),
        (CLIENT, USER, SECRET.to_owned(), "secret_as_password"),
        (CLIENT, USER, sign(HashName::Sha256, SECRET, &content("c1", Some("789"))), "wrong_sign_method"),
        (CLIENT, USER, of_connect(&content("c1", None)), "timestamp_not_signed"),
        (CLIENT, USER, of_connect(&content(CLIENT, Some("789"))), "whole_client_id_signed"),
        (
            CLIENT,
            USER,
            of_connect(&connect_content("c1", "a1TestPk001", "dev01", Some("789"))),
            "names_swapped",
        ),
        (CLIENT, USER, of_connect(&content("dev01", Some("789"))), "other_client_id"),
        (CLIENT, USER, of_connect(&content("c1", Some("2524608000000"))), "timestamp_missing"),
        (
            CLIENT,
            USER,
            of_connect("clientIdc1productKeya1TestPk001deviceNamedev01timestamp789"),
            "content_order",
        ),
        (CLIENT, USER, of_connect("c1dev01a1TestPk001789"), "content_order"),
        (
            CLIENT,
            USER,
            sign(HashName::Sha1, &SECRET.to_uppercase(), &content("c1", Some("789"))),
            "secret_case",
        ),
        (
            CLIENT,
            USER,
            sign(HashName::Sha1, &format!("{SECRET}\n"), &content("c1", Some("789"))),
            "secret_blanks",
        ),
        (
            CLIENT,
            USER,
            sign(HashName::Sha1, "ProdSecret01234567", &content("c1", Some("789"))),
            "product_secret_used",
        ),
        ("c1securemode=3,signmethod=hmacsha1", USER, right(), "client_id_not_closed"),
        (CLIENT, "a1TestPk001&dev01", right(), "user_name_order"),
        (CLIENT, "dev01", right(), "user_name_form"),
        (CLIENT, "DEV01&a1TestPk001", right(), "device_name_case"),
        (CLIENT, "dev01&A1testpk001", right(), "product_key_case"),
        (CLIENT, USER, right(), "ok"),
    ];
    for (client, user, password, code) in cases {
        let sign_in = sign_in(client, user, &password);
        let diagnosis = Aliyun.diagnose(&sign_in, Some(&product), Some(&device), 0);
        assert_eq!(diagnosis.code, code, "{diagnosis:?}");
        assert_eq!(diagnosis.hint.is_empty(), code == "ok");
        let wrong: Vec<_> =
            diagnosis.ingredients.iter().filter(|it| it.right == Some(false)).map(|it| it.name).collect();
        assert_eq!(wrong, blamed(code), "{code}");
        let shown = format!("{diagnosis:?}");
        assert!(!shown.contains(SECRET) && !shown.contains(&password), "{shown}");
        assert!(!shown.contains(&right()) && !shown.contains("ProdSecret"), "{shown}");
    }
}

#[test]
fn the_doctor_knows_what_is_not_registered() {
    let (product, _) = known();
    let right = right();
    let good = sign_in(CLIENT, USER, &right);
    assert_eq!(Aliyun.diagnose(&good, None, None, 0).code, "unknown_product");
    assert!(Aliyun.recognises(&good));
    assert!(!Aliyun.recognises(&sign_in("901505824", "491644", "123456")));
    let nobody = sign_in(CLIENT, "dev01", &right);
    assert_eq!(Aliyun.diagnose(&nobody, None, None, 0).code, "user_name_form");
    let swapped = sign_in(CLIENT, "a1TestPk001&dev01", &right);
    assert_eq!(Aliyun.diagnose(&swapped, None, None, 0).code, "user_name_order");
    let diagnosis = Aliyun.diagnose(&good, Some(&product), None, 0);
    assert_eq!(diagnosis.code, "unknown_device");
    let device_row = diagnosis.ingredients.iter().find(|it| it.name == "device").expect("an ingredient");
    assert_eq!((device_row.sent.as_deref(), device_row.right), (Some("dev01"), Some(false)));
    let open = Product { dynamic_registration: true, ..product };
    let (client, _) = registers("register");
    let device = device("a1TestPk001", "dev01", SECRET);
    let own = sign(HashName::Sha256, SECRET, &register_content("dev01", "a1TestPk001", "r1"));
    let diagnosis = Aliyun.diagnose(&sign_in(&client, USER, &own), Some(&open), Some(&device), 0);
    assert_eq!(diagnosis.code, "device_secret_used");
}

#[test]
fn a_device_has_its_own_topics_and_a_gateway_those_behind_it() {
    let (product, _) = known();
    let own = DeviceRef::new("a1TestPk001", "dev01");
    let behind = DeviceRef::new("a1Sub00001", "s1");
    let rules = |behind: &[DeviceRef]| Aliyun.gateway_rules(&product, &own, behind).expect("rules");
    let find = |rules: &[hexmq_device::TopicRule], filter: &str| {
        rules.iter().find(|rule| rule.filter == filter).map(|rule| (rule.publish, rule.subscribe, rule.reach))
    };
    let alone = rules(&[]);
    let both = rules(std::slice::from_ref(&behind));
    for (filter, expected) in [
        ("/sys/a1TestPk001/dev01/#", (true, true, Reach::Platform)),
        ("/ext/session/a1TestPk001/dev01/#", (true, true, Reach::Platform)),
        ("/ext/ntp/a1TestPk001/dev01/#", (true, true, Reach::Platform)),
        ("/ota/device/+/a1TestPk001/dev01", (true, true, Reach::Platform)),
        ("/shadow/+/a1TestPk001/dev01", (true, true, Reach::Platform)),
        ("/ext/rrpc/#", (true, true, Reach::Platform)),
        ("/a1TestPk001/dev01/#", (true, true, Reach::Both)),
    ] {
        assert_eq!(find(&alone, filter), Some(expected), "{filter}");
        assert_eq!(find(&both, filter), Some(expected), "{filter}");
    }
    assert_eq!(find(&alone, "/broadcast/a1TestPk001/#").map(|(publish, ..)| publish), Some(false));
    for filter in
        ["/sys/a1Sub00001/s1/#", "/shadow/+/a1Sub00001/s1", "/a1Sub00001/s1/#", "/broadcast/a1Sub00001/#"]
    {
        assert_eq!(find(&alone, filter), None, "{filter}");
        assert!(find(&both, filter).is_some(), "{filter}");
    }
    // Nobody signs in behind a device that is behind a gateway itself.
    let session =
        find(&both, "/ext/session/a1Sub00001/s1/#").map(|(publish, subscribe, _)| (publish, subscribe));
    assert_eq!(session, Some((false, true)));
    assert!(alone.iter().all(|rule| !rule.filter.starts_with('#') && !rule.filter.starts_with("/#")));
}

#[test]
fn the_guide_tells_of_every_switch_and_topic() {
    let quirks = Aliyun.quirks();
    for quirk in quirks {
        assert!(quirk.name.starts_with("aliyun_") && !quirk.what.is_empty() && !quirk.source.is_empty());
        assert_eq!(quirks.iter().filter(|other| other.name == quirk.name).count(), 1);
    }
    let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cloud-aliyun.md");
    let guide = std::fs::read_to_string(guide).expect("the guide");
    for quirk in quirks {
        let row = format!("| `{}` | {} |", quirk.name, if quirk.default { "on" } else { "off" });
        assert!(guide.contains(&row), "docs/cloud-aliyun.md has no row {row}");
    }
    for entry in entries().filter(|entry| !entry.is_reply()) {
        let form = format!("`{}`", entry.form);
        assert!(guide.contains(&form), "docs/cloud-aliyun.md does not tell of {form}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Anything may connect: nothing panics, and the doctor agrees with the door.
    #[test]
    fn anything_may_be_sent(
        client in "[a-z0-9|=,\n]{0,40}",
        user in "[a-z0-9&]{0,24}",
        password in prop::option::of(prop::collection::vec(any::<u8>(), 0..48)),
        way in prop::sample::select(vec!["", "|authType=register,random=1|", "|authType=connwl|", "|signmethod=hmacsha1|"]),
    ) {
        let client = format!("{client}{way}");
        let sign_in = SignIn {
            client_identifier: &client,
            user_name: Some(&user),
            password: password.as_deref(),
            level: 4,
            secure: false,
            keep_alive_s: 0,
        };
        let _ = Aliyun.claim(&sign_in);
        let product = Product { dynamic_registration: true, ..product("a1TestPk001") };
        let device = device("a1TestPk001", "dev01", SECRET);
        for device in [None, Some(&device)] {
            let let_in = Aliyun.verify(&sign_in, &product, device, 0).is_ok();
            let diagnosis = Aliyun.diagnose(&sign_in, Some(&product), device, 0);
            prop_assert!(!diagnosis.admitted || let_in);
            prop_assert!(!let_in);
        }
    }
}
