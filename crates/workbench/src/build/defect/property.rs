//! Mistakes in the property section of 5.0.

use hexmq_wire::{
    PacketType, Place, PropertyId, PropertyType, Version, encode_remaining_length, property_rows,
};

use super::sheet::Sheet;
use super::{Defect, needs};
use crate::language::text;

/// The mistakes of this kind.
pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "missing-property-length",
        about: text(
            "the properties are left out, their length too, as in 3.1.1",
            "像 3.1.1 那样没写属性（连同属性长度）",
        ),
        needs: needs::NO_PROPERTIES,
        finds: &[
            "property_length",
            "truncated",
            "unknown_property",
            "property_not_allowed",
            "empty_payload",
            "trailing_bytes",
            "length_wrong",
            "duplicate_property",
            "missing_authentication_method",
            "property_value",
            "rest",
        ],
        always: false,
        make: missing_property_length,
    },
    Defect {
        name: "property-length-too-large",
        about: text("the Property Length leads behind the end of the packet", "属性长度超出了报文末尾"),
        needs: needs::PROPERTIES,
        finds: &["property_length"],
        always: true,
        make: property_length_too_large,
    },
    Defect {
        name: "unknown-property",
        about: text(
            "there is a property with the identifier 0x7E, which does not exist",
            "有一个标识符为 0x7E 的属性，而标准里没有它",
        ),
        needs: needs::PROPERTIES,
        finds: &["unknown_property"],
        always: true,
        make: unknown_property,
    },
    Defect {
        name: "duplicate-property",
        about: text("a property is there twice that may be there once", "只能出现一次的属性出现了两次"),
        needs: needs::PROPERTIES,
        finds: &["duplicate_property"],
        always: true,
        make: duplicate_property,
    },
    Defect {
        name: "property-not-allowed",
        about: text("there is a property that does not belong into this packet", "有不属于该报文的属性"),
        needs: needs::PROPERTIES,
        finds: &["property_not_allowed"],
        always: true,
        make: property_not_allowed,
    },
    Defect {
        name: "property-value",
        about: text("a property has a value outside its range", "属性值超出范围"),
        needs: needs::RANGED,
        finds: &["property_value"],
        always: true,
        make: property_value,
    },
    Defect {
        name: "topic-alias-zero",
        about: text("the Topic Alias is 0", "主题别名为 0"),
        needs: needs::PUBLISH_5,
        finds: &["topic_alias_zero"],
        always: true,
        make: topic_alias_zero,
    },
    Defect {
        name: "authentication-data-alone",
        about: text("there is Authentication Data but no Authentication Method", "有认证数据却没有认证方法"),
        needs: needs::CONNECT_5,
        finds: &["authentication_data_without_method"],
        always: true,
        make: authentication_data_alone,
    },
];

/// The section as 3.1.1 has it: not there.
fn missing_property_length(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let may_be_missing = matches!(
        sheet.packet_type,
        PacketType::Puback
            | PacketType::Pubrec
            | PacketType::Pubrel
            | PacketType::Pubcomp
            | PacketType::Disconnect
    );
    let section = sheet.field("properties").filter(|_| !may_be_missing)?;
    let length = sheet.field("property_length").filter(|length| length.length == section.length)?;
    sheet.replace(length.offset, length.length, &[])
}

fn property_length_too_large(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let length = sheet.field("property_length")?;
    let behind = sheet.frame.len() - (length.offset + length.length);
    let mut bytes = Vec::new();
    encode_remaining_length(u32::try_from(behind + 1).ok()?, &mut bytes);
    sheet.replace(length.offset, length.length, &bytes)
}

fn unknown_property(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.with_properties(&[0x7E, 0])
}

fn duplicate_property(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let id = allowed(sheet, |id| id != PropertyId::UserProperty && !twice_allowed(sheet, id))?;
    let one = smallest(id);
    let mut two = one.clone();
    two.extend(one);
    sheet.with_properties(&two)
}

fn twice_allowed(sheet: &Sheet<'_>, id: PropertyId) -> bool {
    id.row().repeat.allows_many(Place::Packet(sheet.packet_type))
}

fn property_not_allowed(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let place = Place::Packet(sheet.packet_type);
    let row = property_rows().iter().find(|row| !row.allowed.contains(place))?;
    sheet.with_properties(&smallest(row.id))
}

fn property_value(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let has_range =
        |id: PropertyId| id.row().ty == PropertyType::Byte || id == PropertyId::SubscriptionIdentifier;
    let id = allowed(sheet, has_range)?;
    let value = if id.row().ty == PropertyType::Byte { 2 } else { 0 };
    sheet.with_properties(&[id as u8, value])
}

fn topic_alias_zero(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    sheet.field("topic_name")?;
    sheet.with_properties(&[PropertyId::TopicAlias as u8, 0, 0])
}

fn authentication_data_alone(sheet: &Sheet<'_>) -> Option<Vec<u8>> {
    let may_have = matches!(sheet.packet_type, PacketType::Connect | PacketType::Connack);
    let has_method = sheet.field("authentication_method").is_some();
    (may_have && !has_method)
        .then(|| sheet.with_properties(&[PropertyId::AuthenticationData as u8, 0, 1, 0x2A]))?
}

/// The first property that may stand in this packet, is not there yet and is `wanted`.
fn allowed(sheet: &Sheet<'_>, wanted: impl Fn(PropertyId) -> bool) -> Option<PropertyId> {
    let place = Place::Packet(sheet.packet_type);
    let rows = property_rows().iter().filter(|row| row.allowed.contains(place) && wanted(row.id));
    let found = rows.map(|row| row.id).find(|id| sheet.field(id.name()).is_none());
    found.filter(|_| sheet.version == Version::V5)
}

/// A property with a value that is right in itself.
fn smallest(id: PropertyId) -> Vec<u8> {
    let mut bytes = vec![id as u8];
    match id.row().ty {
        PropertyType::Byte | PropertyType::VariableByteInteger => bytes.push(1),
        PropertyType::TwoByteInteger => bytes.extend([0, 1]),
        PropertyType::FourByteInteger => bytes.extend([0, 0, 0, 1]),
        PropertyType::Utf8String | PropertyType::BinaryData => bytes.extend([0, 1, b'x']),
        PropertyType::Utf8StringPair => bytes.extend([0, 1, b'x', 0, 1, b'y']),
    }
    bytes
}
