//! Luat (AirM2M) modules: `AT+MCONFIG` and so on of the "AirM2M AT command manual".

use hexmq_wire::{Connect, ControlPacket, Version};

use super::{Builder, ExportError, Script, as_text, payload_within, without_properties};

/// Bytes of the longest payload.
const PAYLOAD_MAX: usize = 4100;

#[derive(Debug)]
pub(super) struct Luat;

impl Builder for Luat {
    fn versions(&self) -> &'static [Version] {
        &[Version::V4]
    }

    fn connect(
        &self,
        script: &mut Script,
        (host, port): (&str, u16),
        connect: &Connect<'_>,
    ) -> Result<(), ExportError> {
        let password = as_text("password", connect.password.unwrap_or_default())?;
        let mut command = format!(
            "AT+MCONFIG={},{},{}",
            quoted(connect.client_identifier),
            quoted(connect.user_name.unwrap_or_default()),
            quoted(password)
        );
        if let Some(will) = &connect.will {
            let message = as_text("will message", will.payload)?;
            let (qos, retain) = (will.qos as u8, u8::from(will.retain));
            command += &format!(",{qos},{retain},{},{}", quoted(will.topic), quoted(message));
        }
        script.command(&command, "OK");
        script.command(&format!("AT+MIPSTART={},{port}", quoted(host)), "OK, CONNECT OK");
        let clean = u8::from(connect.clean_start);
        script.command(&format!("AT+MCONNECT={clean},{}", connect.keep_alive_s), "OK, CONNACK OK");
        Ok(())
    }

    fn packet(&self, script: &mut Script, packet: &ControlPacket<'_>) -> Option<Result<(), ExportError>> {
        Some(match packet {
            ControlPacket::Publish(publish) => (|| {
                without_properties(publish.properties)?;
                payload_within(publish.payload, PAYLOAD_MAX)?;
                let (qos, retain) = (publish.qos() as u8, u8::from(publish.retain));
                let topic = quoted(publish.topic_name);
                let length = publish.payload.len();
                script.command(&format!("AT+MPUBEX={topic},{qos},{retain},{length}"), ">");
                script.data(
                    publish.payload,
                    match qos {
                        0 => "OK",
                        1 => "OK, PUBACK",
                        _ => "OK, PUBREC, PUBCOMP",
                    },
                );
                Ok(())
            })(),
            ControlPacket::Subscribe(subscribe) => {
                for one in subscribe.subscriptions.iter() {
                    let (filter, qos) = (quoted(one.topic_filter), one.options.qos as u8);
                    script.command(&format!("AT+MSUB={filter},{qos}"), "OK, SUBACK");
                }
                Ok(())
            }
            ControlPacket::Unsubscribe(unsubscribe) => {
                for filter in unsubscribe.topic_filters.iter() {
                    script.command(&format!("AT+MUNSUB={}", quoted(filter)), "OK, UNSUBACK");
                }
                Ok(())
            }
            ControlPacket::Disconnect(_) => {
                script.command("AT+MDISCONNECT", "OK");
                script.command("AT+MIPCLOSE", "OK");
                Ok(())
            }
            _ => return None,
        })
    }
}

/// In quotes; quotation marks, backslashes and control characters as `\` and two hex digits.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' | '\0'..='\x1F' | '\x7F' => quoted += &format!("\\{:02X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotation_marks_become_hex() {
        assert_eq!(quoted("{\"a\":1}\r\n"), r#""{\22a\22:1}\0D\0A""#);
        assert_eq!(quoted("a\\b"), r#""a\5Cb""#);
    }
}
