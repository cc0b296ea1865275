//! Every Aliyun vector: sign-ins, registrations, sub-devices, and messages recorded from the
//! vendor's libraries.

use std::path::Path;

use hexmq_device::mac::{HashName, from_hex};
use hexmq_dialect_aliyun::alink::{self, Envelope};
use hexmq_dialect_aliyun::connect::{Connect, SignIn, Slip};
use hexmq_dialect_aliyun::register::Form;
use hexmq_dialect_aliyun::sign::{connect_content, method_named, sign, verify};
use hexmq_dialect_aliyun::subdevice::signed_devices;
use hexmq_dialect_aliyun::topic::{Direction, Topic};
use serde_json::Value as Json;

fn vectors() -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("JSON")
}

fn list<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value[name].as_array().expect("the shape of the vectors")
}

fn text<'a>(value: &'a Json, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

#[test]
fn sign_ins_are_read_and_verified() {
    for vector in list(&vectors(), "aliyun_connect") {
        let id = text(vector, "id");
        let (secret, password) = (text(vector, "device_secret"), text(vector, "mqtt_password"));
        let connect = Connect::read(
            text(vector, "mqtt_client_id"),
            Some(text(vector, "mqtt_username")),
            Some(password.as_bytes()),
        );
        assert!(Connect::is_meant(text(vector, "mqtt_client_id")), "{id}");
        assert_eq!(connect.client_identifier.client_id, text(vector, "client_id_part"), "{id}");
        let names = connect.user_name.expect("names");
        assert_eq!(names.device_name, text(vector, "device_name"), "{id}");
        assert_eq!(names.product_key, text(vector, "product_key"), "{id}");
        assert_eq!(connect.method(), method_named(text(vector, "signmethod")), "{id}");
        assert_eq!(connect.client_identifier.value("timestamp"), vector["timestamp"].as_str(), "{id}");
        assert_eq!(connect.content().as_deref(), Some(text(vector, "sign_content")), "{id}");
        assert_eq!(connect.faults(), [], "{id}");
        assert_eq!((connect.sign_in(), connect.slip(secret)), (SignIn::Secret, None), "{id}");
        assert_eq!(connect.is_signed_with(secret), Some(true), "{id}");
        assert_eq!(connect.is_signed_with("another"), Some(false), "{id}");
        let upper = password.to_uppercase();
        let upper = Connect { password: Some(&upper), ..connect.clone() };
        assert_eq!(upper.is_signed_with(secret), Some(true), "{id}: the vendor's own example is upper case");
        let method = connect.method().expect("a method");
        assert_eq!(sign(method, secret, text(vector, "sign_content")), password, "{id}");
    }
}

#[test]
fn registrations_are_verified() {
    for vector in list(&vectors(), "aliyun_dynamic_register") {
        let (id, secret) = (text(vector, "id"), text(vector, "product_secret"));
        let method = text(vector, "signMethod");
        let body = format!(
            "productKey=a1TestPk001&deviceName=dev09&random=lz8Kr87UIjkQZMW&sign={}&signMethod={method}",
            text(vector, "sign")
        );
        let form = Form::parse(&body).expect(id);
        assert_eq!(form.verify(secret), Ok(()), "{id}");
        assert_eq!(form.verify("another"), Err(6600), "{id}");
        let client = format!(
            "dev09.a1TestPk001|random=lz8Kr87UIjkQZMW,authType=register,securemode=2,signmethod={method}|"
        );
        let sign = text(vector, "sign").as_bytes();
        let connect = Connect::read(&client, Some("dev09&a1TestPk001"), Some(sign));
        assert_eq!(connect.sign_in(), SignIn::Register, "{id}");
        assert_eq!(connect.content().as_deref(), Some(text(vector, "sign_content")), "{id}");
        assert_eq!((connect.is_signed_with(secret), connect.faults().len()), (Some(true), 0), "{id}");
    }
}

#[test]
fn sub_devices_are_signed_with_their_client_id_as_it_is() {
    for vector in list(&vectors(), "aliyun_subdevice") {
        let method =
            ["signMethod", "signmethod"].iter().find_map(|name| vector[name].as_str()).expect("a method");
        let method = method_named(method).expect("a method");
        let content =
            connect_content(text(vector, "clientId"), "sub1", "a1Sub00001", Some(text(vector, "timestamp")));
        assert_eq!(content, text(vector, "sign_content"), "{}", vector["id"]);
        assert!(
            verify(method, text(vector, "device_secret"), &content, text(vector, "sign")),
            "{}",
            vector["id"]
        );
    }
}

#[test]
fn recorded_messages_are_on_their_topics_and_without_fault() {
    let vectors = vectors();
    let mut signatures = 0;
    for message in list(&vectors, "aliyun_captured_messages") {
        let (name, payload) = (text(message, "topic"), text(message, "payload"));
        let topic = Topic::parse(name).unwrap_or_else(|| panic!("{name} is none of the cloud"));
        let entry = topic.entry.unwrap_or_else(|| panic!("{name} is unknown"));
        assert_eq!(entry.direction, Direction::Up, "{name}");
        let (key, span) = topic.product_key.expect("a product key");
        assert_eq!(span.of(name.as_bytes()), key.as_bytes());
        let identifier = topic.identifier.map(|(name, _)| name);
        assert_eq!(alink::faults(payload.as_bytes(), entry, identifier), [], "{name} {payload}");
        let envelope = Envelope::parse(payload.as_bytes()).expect(name);
        let signed = envelope.params().map(signed_devices).unwrap_or_default();
        if let Some(content) = message["sign_content"].as_str() {
            let [device] = signed.as_slice() else { panic!("{name}: {signed:?}") };
            assert_eq!(device.content, content, "{name}");
            assert!(device.is_signed_with(text(message, "sign_key")), "{name}");
            assert!(!device.is_signed_with("another"), "{name}");
            let quoted = format!("\"{}\"", device.sign);
            assert_eq!(device.sign_span.of(payload.as_bytes()), quoted.as_bytes());
            signatures += 1;
        } else {
            assert_eq!(signed, [], "{name}");
        }
    }
    assert_eq!(signatures, 5);
}

/// The CONNECTs that the vendor's libraries sent, field by field.
#[test]
fn recorded_sign_ins_are_read_as_they_are_meant() {
    let vectors = vectors();
    let mut seen = 0;
    for vector in list(&vectors, "firmware_packets").iter().chain(list(&vectors, "tutorial_packets")) {
        let decoded = &vector["decoded"];
        let Some(client) = decoded["client_identifier"].as_str() else { continue };
        let id = text(vector, "id");
        let cloud = id.starts_with("fw-connect-") && id != "fw-connect-sdk"
            || id == "s2-connect"
            || id == "s3-connect";
        assert_eq!(Connect::is_meant(client), cloud, "{id}");
        if !cloud {
            continue;
        }
        let (user, password) = (decoded["user_name"].as_str(), decoded["password"].as_str());
        let connect = Connect::read(client, user, password.map(str::as_bytes));
        assert_eq!(connect.faults(), [], "{id}");
        for parameter in &connect.client_identifier.parameters {
            assert_eq!(parameter.value_span.of(client.as_bytes()), parameter.value.as_bytes(), "{id}");
            assert!(parameter.span.end() < client.len(), "{id}");
        }
        match id {
            "fw-connect-python-sii" => {
                let value = connect.client_identifier.value("sii");
                assert_eq!(value, Some("Eth|03ACDEFF0032|Cellular|imei_001083"));
            }
            "fw-connect-nodejs-1.0.1" => {
                assert_eq!(connect.client_identifier.value("timestamp"), Some("1795381434407"))
            }
            "fw-connect-regnwl" => assert_eq!(connect.sign_in(), SignIn::RegisterUnlisted),
            "fw-connect-python-1.2.13" => assert!(connect.client_identifier.wants_subscriptions()),
            _ => {}
        }
        seen += 1;
    }
    assert_eq!(seen, 8);
}

#[test]
fn a_library_that_names_another_method_than_it_uses_is_found_out() {
    let content = "clientIdc1deviceNamedevproductKeya1TestPk001";
    let made = sign(HashName::Sha1, "secret", content);
    let client = "c1|securemode=3,signmethod=hmacsha256|";
    let connect = Connect::read(client, Some("dev&a1TestPk001"), Some(made.as_bytes()));
    assert_eq!(connect.slip("secret"), Some(Slip::OtherMethod(HashName::Sha1)));
    assert_eq!(from_hex(made.as_bytes()).map(|mac| mac.len()), Some(20));
}
