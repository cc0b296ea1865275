//! Every property in every packet: where it may stand, how often, with which values (5.0 section
//! 2.2.2.2 and the sections of the properties). The table here is written down a second time on
//! purpose: it is what the one in the crate is held against.

#![allow(clippy::unwrap_used, reason = "it is all tests")]

use hexmq_wire::{
    FaultCode, Frame, Leniency, NoTrace, Place, PropertyId, PropertyType, ReasonCode, Version, decode,
    property_rows,
};

/// What the bytes in front of and behind a property section are, for each place that has one.
struct Site {
    name: &'static str,
    first_byte: u8,
    before: &'static [u8],
    behind: &'static [u8],
}

const SITES: [Site; 14] = [
    site("CONNECT", 0x10, b"\x00\x04MQTT\x05\x02\x00\x00", b"\x00\x01c"),
    site("will", 0x10, b"\x00\x04MQTT\x05\x06\x00\x00\x00\x00\x01c", b"\x00\x01w\x00\x01x"),
    site("CONNACK", 0x20, b"\x00\x00", b""),
    site("PUBLISH", 0x30, b"\x00\x01t", b"x"),
    site("PUBACK", 0x40, b"\x00\x01\x00", b""),
    site("PUBREC", 0x50, b"\x00\x01\x00", b""),
    site("PUBREL", 0x62, b"\x00\x01\x00", b""),
    site("PUBCOMP", 0x70, b"\x00\x01\x00", b""),
    site("SUBSCRIBE", 0x82, b"\x00\x01", b"\x00\x01f\x00"),
    site("SUBACK", 0x90, b"\x00\x01", b"\x00"),
    site("UNSUBSCRIBE", 0xA2, b"\x00\x01", b"\x00\x01f"),
    site("UNSUBACK", 0xB0, b"\x00\x01", b"\x00"),
    site("DISCONNECT", 0xE0, b"\x00", b""),
    site("AUTH", 0xF0, b"\x18", b""),
];

const fn site(name: &'static str, first_byte: u8, before: &'static [u8], behind: &'static [u8]) -> Site {
    Site { name, first_byte, before, behind }
}

const MESSAGE: &[&str] = &["PUBLISH", "will"];
const ANSWERS: &[&str] =
    &["CONNACK", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBACK", "UNSUBACK", "DISCONNECT", "AUTH"];

/// Identifier with a value that is allowed everywhere, and where it may stand.
const TABLE: [(&[u8], &[&str]); 27] = [
    (&[1, 1], MESSAGE),
    (&[2, 0, 0, 0, 1], MESSAGE),
    (&[3, 0, 1, b'a'], MESSAGE),
    (&[8, 0, 1, b'a'], MESSAGE),
    (&[9, 0, 1, b'a'], MESSAGE),
    (&[11, 1], &["PUBLISH", "SUBSCRIBE"]),
    (&[17, 0, 0, 0, 1], &["CONNECT", "CONNACK", "DISCONNECT"]),
    (&[18, 0, 1, b'a'], &["CONNACK"]),
    (&[19, 0, 1], &["CONNACK"]),
    (&[21, 0, 1, b'a'], &["CONNECT", "CONNACK", "AUTH"]),
    (&[22, 0, 1, b'a'], &["CONNECT", "CONNACK", "AUTH"]),
    (&[23, 1], &["CONNECT"]),
    (&[24, 0, 0, 0, 1], &["will"]),
    (&[25, 1], &["CONNECT"]),
    (&[26, 0, 1, b'a'], &["CONNACK"]),
    (&[28, 0, 1, b'a'], &["CONNACK", "DISCONNECT"]),
    (&[31, 0, 1, b'a'], ANSWERS),
    (&[33, 0, 1], &["CONNECT", "CONNACK"]),
    (&[34, 0, 1], &["CONNECT", "CONNACK"]),
    (&[35, 0, 1], &["PUBLISH"]),
    (&[36, 1], &["CONNACK"]),
    (&[37, 1], &["CONNACK"]),
    (&[38, 0, 1, b'a', 0, 1, b'b'], &[]),
    (&[39, 0, 0, 0, 1], &["CONNECT", "CONNACK"]),
    (&[40, 1], &["CONNACK"]),
    (&[41, 1], &["CONNACK"]),
    (&[42, 1], &["CONNACK"]),
];

const AUTHENTICATION_METHOD: u8 = 21;
const AUTHENTICATION_DATA: u8 = 22;
const USER_PROPERTY: u8 = 38;
const SUBSCRIPTION_IDENTIFIER: u8 = 11;

/// Decodes a packet with these properties; the first fault, if there is one.
fn fault(site: &Site, properties: &[&[u8]]) -> Option<FaultCode> {
    let mut section = properties.concat();
    let about = |identifier: u8| properties.iter().any(|property| property[0] == identifier);
    // AUTH must name its method, and data need one.
    let method = site.name == "AUTH" || about(AUTHENTICATION_DATA);
    if method && !about(AUTHENTICATION_METHOD) {
        section.extend([AUTHENTICATION_METHOD, 0, 1, b'm']);
    }
    let length = site.before.len() + 1 + section.len() + site.behind.len();
    let mut bytes = vec![site.first_byte, u8::try_from(length).unwrap()];
    bytes.extend(site.before);
    bytes.push(u8::try_from(section.len()).unwrap());
    bytes.extend(section);
    bytes.extend(site.behind);
    decode(Frame::new(&bytes), Version::V5, &Leniency::default(), &mut NoTrace).err().map(|fault| fault.code)
}

fn may_stand(allowed: &[&str], identifier: u8, site: &Site) -> bool {
    identifier == USER_PROPERTY || allowed.contains(&site.name)
}

/// [V5 U-2.2.2.2-1]
#[test]
fn each_property_has_its_packets() {
    for (property, allowed) in TABLE {
        for site in &SITES {
            let expected = (!may_stand(allowed, property[0], site)).then_some(FaultCode::PropertyNotAllowed);
            // Data without a method are a fault of their own where neither may stand.
            if property[0] == AUTHENTICATION_DATA && expected.is_some() {
                assert!(fault(site, &[property]).is_some(), "{property:?} in {}", site.name);
            } else {
                assert_eq!(fault(site, &[property]), expected, "{property:?} in {}", site.name);
            }
        }
    }
}

/// Whichever packet it stands in.
/// [V5 U-3.1.2.11.2-1, V5 U-3.1.2.11.3-1, V5 U-3.1.2.11.4-1, V5 U-3.1.2.11.5-1, V5 U-3.1.2.11.6-1]
/// [V5 U-3.1.2.11.7-1, V5 U-3.1.2.11.9-1, V5 U-3.1.2.11.10-2, V5 U-3.1.3.2.2-1, V5 U-3.1.3.2.3-1]
/// [V5 U-3.1.3.2.4-1, V5 U-3.1.3.2.5-1, V5 U-3.1.3.2.6-1, V5 U-3.1.3.2.7-1, V5 U-3.2.2.3.2-1]
/// [V5 U-3.2.2.3.3-1, V5 U-3.2.2.3.4-1, V5 U-3.2.2.3.5-1, V5 U-3.2.2.3.6-1, V5 U-3.2.2.3.7-1]
/// [V5 U-3.2.2.3.8-1, V5 U-3.2.2.3.9-1, V5 U-3.2.2.3.11-1, V5 U-3.2.2.3.12-1, V5 U-3.2.2.3.13-1]
/// [V5 U-3.2.2.3.14-1, V5 U-3.2.2.3.15-1, V5 U-3.2.2.3.16-1, V5 U-3.2.2.3.17-1, V5 U-3.2.2.3.18-1]
/// [V5 U-3.3.2.3.4-1, V5 U-3.3.2.3.5-1, V5 U-3.3.2.3.6-1, V5 U-3.3.2.3.9-1, V5 U-3.4.2.2.2-1]
/// [V5 U-3.5.2.2.2-1, V5 U-3.6.2.2.2-1, V5 U-3.7.2.2.2-1, V5 U-3.8.2.1.2-2, V5 U-3.9.2.1.2-1]
/// [V5 U-3.11.2.1.2-1, V5 U-3.14.2.2.2-1, V5 U-3.14.2.2.3-1, V5 U-3.14.2.2.5-1, V5 U-3.15.2.2.2-2]
/// [V5 U-3.15.2.2.3-1, V5 U-3.15.2.2.4-1]
#[test]
fn a_property_stands_once() {
    for (property, allowed) in TABLE {
        let identifier = property[0];
        for site in SITES.iter().filter(|site| may_stand(allowed, identifier, site)) {
            let many = identifier == USER_PROPERTY
                || (identifier == SUBSCRIPTION_IDENTIFIER && site.name == "PUBLISH");
            let expected = (!many).then_some(FaultCode::DuplicateProperty);
            assert_eq!(fault(site, &[property, property]), expected, "{property:?} in {}", site.name);
        }
    }
    assert_eq!(FaultCode::DuplicateProperty.reason_code(), ReasonCode::ProtocolError);
}

/// [V5 U-3.1.2.11.8-1, V5 U-3.1.3.2.8-1, V5 U-3.2.2.3.10-1, V5 U-3.3.2.3.7-1, V5 U-3.4.2.2.3-1]
/// [V5 U-3.5.2.2.3-1, V5 U-3.6.2.2.3-1, V5 U-3.7.2.2.3-1, V5 U-3.8.2.1.3-1, V5 U-3.9.2.1.3-1]
/// [V5 U-3.10.2.1.2-1, V5 U-3.11.2.1.3-1, V5 U-3.14.2.2.4-1, V5 U-3.15.2.2.5-1]
#[test]
fn a_user_property_stands_any_number_of_times() {
    let property: &[u8] = &[USER_PROPERTY, 0, 1, b'a', 0, 1, b'b'];
    let other: &[u8] = &[USER_PROPERTY, 0, 1, b'c', 0, 0];
    for site in &SITES {
        assert_eq!(fault(site, &[property, other, property, property]), None, "{}", site.name);
    }
}

/// [V5 U-3.1.2.11.3-2, V5 U-3.1.2.11.4-2, V5 U-3.1.2.11.6-2, V5 U-3.1.2.11.7-2, V5 U-3.1.3.2.3-3]
/// [V5 U-3.2.2.3.3-2, V5 U-3.2.2.3.4-2, V5 U-3.2.2.3.5-2, V5 U-3.2.2.3.6-2, V5 U-3.2.2.3.11-2]
/// [V5 U-3.2.2.3.12-2, V5 U-3.2.2.3.13-2, V5 U-3.3.2.3.2-2, V5 U-3.3.2.3.8-1, V5 U-3.8.2.1.2-1]
/// [V5 U-3.3.2.3.2-2, V5 U-3.1.3.2.3-3]
#[test]
fn values_out_of_range() {
    let of = |name: &str| SITES.iter().find(|site| site.name == name).unwrap();
    for (property, names) in [
        (&[1, 2][..], MESSAGE),
        (&[11, 0], &["PUBLISH", "SUBSCRIBE"]),
        (&[23, 2], &["CONNECT"]),
        (&[25, 2], &["CONNECT"]),
        (&[33, 0, 0], &["CONNECT", "CONNACK"]),
        (&[36, 2], &["CONNACK"]),
        (&[37, 2], &["CONNACK"]),
        (&[39, 0, 0, 0, 0], &["CONNECT", "CONNACK"]),
        (&[40, 2], &["CONNACK"]),
        (&[41, 2], &["CONNACK"]),
        (&[42, 2], &["CONNACK"]),
    ] {
        for name in names {
            assert_eq!(
                fault(of(name), &[property]),
                Some(FaultCode::PropertyValue),
                "{property:?} in {name}"
            );
        }
    }
    assert_eq!(FaultCode::PropertyValue.reason_code(), ReasonCode::ProtocolError);
    // The ends of the ranges are in them.
    assert_eq!(fault(of("SUBSCRIBE"), &[&[11, 0xFF, 0xFF, 0xFF, 0x7F]]), None);
    assert_eq!(fault(of("CONNECT"), &[&[33, 0xFF, 0xFF], &[39, 0xFF, 0xFF, 0xFF, 0xFF]]), None);
    assert_eq!(fault(of("CONNECT"), &[&[23, 0], &[25, 0], &[17, 0xFF, 0xFF, 0xFF, 0xFF]]), None);
}

/// [V5 U-2.2.2.2-2, V5 U-2.2.2.1-1]
#[test]
fn a_value_that_is_not_whole() {
    for (property, allowed) in TABLE {
        for site in SITES.iter().filter(|site| may_stand(allowed, property[0], site)) {
            // Cut off inside the section: it is the last property, so nothing else can be read as its rest.
            if site.name == "AUTH" || property[0] == AUTHENTICATION_DATA {
                continue;
            }
            let cut = &property[..property.len() - 1];
            assert_eq!(fault(site, &[cut]), Some(FaultCode::PropertyLength), "{cut:?} in {}", site.name);
        }
    }
    assert_eq!(FaultCode::PropertyLength.reason_code(), ReasonCode::MalformedPacket);
}

/// [V5 U-2.2.2.2-3]
#[test]
fn the_order_means_nothing() {
    let connect: [&[u8]; 4] = [&[17, 0, 0, 0, 9], &[33, 0, 7], &[38, 0, 1, b'a', 0, 0], &[23, 0]];
    let site = &SITES[0];
    for turn in 0..connect.len() {
        let mut turned = connect;
        turned.rotate_left(turn);
        assert_eq!(fault(site, &turned), None);
    }
}

#[test]
fn the_crate_has_the_same_table() {
    assert_eq!(property_rows().len(), TABLE.len());
    for ((property, allowed), row) in TABLE.iter().zip(property_rows()) {
        assert_eq!(PropertyId::from_u8(property[0]), Some(row.id));
        let length = match row.ty {
            PropertyType::Byte | PropertyType::VariableByteInteger => 2,
            PropertyType::TwoByteInteger => 3,
            PropertyType::FourByteInteger => 5,
            PropertyType::Utf8String | PropertyType::BinaryData => 4,
            PropertyType::Utf8StringPair => 7,
        };
        assert_eq!(property.len(), length, "{}", row.name);
        assert_eq!(
            row.allowed.contains(Place::Will),
            may_stand(allowed, property[0], &SITES[1]),
            "{}",
            row.name
        );
    }
}
