//! Everything a person reads, in English and Chinese: tables per kind of thing, and sentences
//! from values. No table can lack a language; the tests show that none lacks a row.

pub(crate) mod dialogue;
pub(crate) mod faults;
pub(crate) mod fields;
pub(crate) mod flags;
pub(crate) mod lint;
pub(crate) mod meaning;
pub(crate) mod message;
pub(crate) mod packets;
pub(crate) mod properties;
pub(crate) mod reasons;

#[cfg(test)]
mod tests {
    use hexmq_wire::PropertyId;

    use super::fields::field_text;

    /// The decoder names its fields in one file; each name has a text here.
    #[test]
    fn every_field_of_the_decoder_has_a_text() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../wire/src/decode/fields.rs");
        let source = std::fs::read_to_string(path).expect("the names of the decoder");
        let names: Vec<&str> =
            source.split("field(\"").skip(1).filter_map(|behind| behind.split('"').next()).collect();
        assert!(names.len() > 50, "the names are where they were");
        for name in names {
            assert!(
                field_text(name).is_some() || PropertyId::from_name(name).is_some(),
                "{name} has no text"
            );
        }
    }
}
