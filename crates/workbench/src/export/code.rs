//! Bytes as source code.

use std::fmt::Write as _;

use hexmq_wire::Frame;

/// Bytes in one line of an array.
const PER_LINE: usize = 12;

/// A C array named after the packet, `const unsigned char mqtt_connect[39] = { … };`, and numbered
/// where there are several: `mqtt_publish_2`. It needs no header; an empty one, which C does not
/// have, becomes one of length 1 with a note.
pub fn c_array(bytes: &[u8], number: Option<usize>) -> String {
    let name = number.map_or_else(|| array_name(bytes), |number| format!("{}_{number}", array_name(bytes)));
    if bytes.is_empty() {
        return format!("const unsigned char {name}[1] = {{ 0 }}; /* no bytes */\n");
    }
    let mut code = format!("const unsigned char {name}[{}] = {{\n", bytes.len());
    for line in bytes.chunks(PER_LINE) {
        let numbers: Vec<String> = line.iter().map(|byte| format!("0x{byte:02x}")).collect();
        let _ = writeln!(code, "    {},", numbers.join(", "));
    }
    code.push_str("};\n");
    code
}

fn array_name(bytes: &[u8]) -> String {
    match Frame::new(bytes).packet_type() {
        Some(packet_type) => format!("mqtt_{}", packet_type.name().to_ascii_lowercase()),
        None => "mqtt_bytes".to_owned(),
    }
}

/// A bytes literal of Python, as its own `repr` would write it, but always with double quotes.
pub fn python(bytes: &[u8]) -> String {
    let mut literal = String::with_capacity(bytes.len() * 2 + 4);
    literal.push_str("b\"");
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => {
                literal.push('\\');
                literal.push(char::from(byte));
            }
            b' '..=b'~' => literal.push(char::from(byte)),
            _ => {
                let _ = write!(literal, "\\x{byte:02x}");
            }
        }
    }
    literal.push_str("\"\n");
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_named_after_its_packet() {
        assert_eq!(
            c_array(&[0xC0, 0], None),
            "const unsigned char mqtt_pingreq[2] = {\n    0xc0, 0x00,\n};\n"
        );
        assert!(c_array(&[0x30; 13], Some(2)).contains("mqtt_publish_2[13]"));
        assert!(c_array(&[0x30; 13], None).contains("0x30,\n    0x30,\n};"));
        assert!(c_array(&[], None).contains("no bytes"));
    }

    #[test]
    fn a_literal_escapes_what_python_does() {
        assert_eq!(python(b"a\"\\\n\xff~"), "b\"a\\\"\\\\\\x0a\\xff~\"\n");
    }
}
