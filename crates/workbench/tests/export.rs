//! Forms of packets: what is read back is what was written, whatever the bytes are.

#[path = "../../wire/tests/common/packets.rs"]
#[allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared with the tests of the decoder")]
mod packets;

use hexmq_wire::Version;
use hexmq_workbench::build::Defect;
use hexmq_workbench::export::{AtModule, Session, annotated, c_array, mosquitto, python};
use hexmq_workbench::{Language, Options, parse_hex};
use proptest::prelude::*;

/// What the arbitrary packets are made for.
const VERSIONS: [Version; 3] = [Version::V3, Version::V4, Version::V5];

fn options(version: Version, language: Language) -> Options {
    Options { version: Some(version), language, ..Options::default() }
}

/// The bytes of a Python literal, read as Python does.
fn of_python(literal: &str) -> Vec<u8> {
    let inner =
        literal.trim_end().strip_prefix("b\"").and_then(|text| text.strip_suffix('"')).expect("quotes");
    let mut bytes = Vec::new();
    let mut rest = inner.bytes();
    while let Some(byte) = rest.next() {
        match (byte, byte == b'\\') {
            (byte, false) => bytes.push(byte),
            (_, true) => match rest.next().expect("an escape") {
                b'x' => {
                    let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                    let digits = String::from_utf8(digits.to_vec()).expect("ASCII");
                    bytes.push(u8::from_str_radix(&digits, 16).expect("hex"));
                }
                other => bytes.push(other),
            },
        }
    }
    bytes
}

fn check_code(bytes: &[u8]) {
    assert_eq!(of_python(&python(bytes)), bytes);
    if bytes.is_empty() {
        return;
    }
    let array = c_array(bytes, None);
    let numbers = array.split_once('{').map_or("", |(_, numbers)| numbers);
    assert_eq!(parse_hex(numbers.trim_end().trim_end_matches("};")).expect("hex"), bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn packets_read_back_from_every_form_that_carries_bytes(ingredients in packets::ingredients()) {
        let version = ingredients.version;
        let mut bytes = Vec::new();
        ingredients.cook(|packet| packet.encode(version, &mut bytes)).expect("a packet");
        check_code(&bytes);
        for language in [Language::English, Language::Chinese] {
            let text = annotated(&bytes, &options(version, language));
            prop_assert_eq!(parse_hex(&text), Ok(bytes.clone()), "{}", text);
        }
        let session = Session { host: "192.0.2.1", port: 1883, version, connect: None };
        // Either a form or a reason, for every packet and every module.
        let _ = mosquitto(&bytes, &session);
        for module in AtModule::all() {
            let script = module.script(std::slice::from_ref(&bytes), &session);
            let script = script.unwrap_or_else(|error| { assert!(!error.message.is_empty()); String::new() });
            for line in script.lines() {
                let known = ["AT", "hex ", "text ", "# "].iter().any(|start| line.starts_with(start));
                prop_assert!(known && !line.contains('\r'), "{} in {}", line, module.name);
            }
        }
    }

    #[test]
    fn any_bytes_are_annotated_and_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        check_code(&bytes);
        let text = annotated(&bytes, &Options::default());
        prop_assert_eq!(parse_hex(&text), Ok(bytes.clone()), "{}", text);
    }
}

#[test]
fn the_page_about_building_names_every_defect_and_module() {
    let page = include_str!("../../../docs/build.md");
    for defect in Defect::all() {
        assert!(page.contains(&format!("`{}`", defect.name)), "{}", defect.name);
    }
    for module in AtModule::all() {
        assert!(page.contains(&format!("`{}`", module.name)), "{}", module.name);
    }
}

#[test]
fn module_names_are_unambiguous() {
    let mut names: Vec<&str> = AtModule::all()
        .iter()
        .flat_map(|module| module.aliases.iter().copied().chain([module.name]))
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!(AtModule::from_name("A7670").map(|module| module.name), Some("sim7600"));
}
