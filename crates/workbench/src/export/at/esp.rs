//! Espressif modules with their own MQTT: "ESP-AT user guide", MQTT AT commands.

use hexmq_wire::{Connect, ControlPacket, Version};

use super::{Builder, ExportError, Script, as_text, payload_within, without_properties};

/// Characters of the longest command, line end included.
const COMMAND_MAX: usize = 256;
/// Bytes of the longest payload.
const PAYLOAD_MAX: usize = 65_535;

#[derive(Debug)]
pub(super) struct EspAt;

impl Builder for EspAt {
    fn versions(&self) -> &'static [Version] {
        &[Version::V4]
    }

    fn connect(
        &self,
        script: &mut Script,
        (host, port): (&str, u16),
        connect: &Connect<'_>,
    ) -> Result<(), ExportError> {
        let user_name = connect.user_name.unwrap_or_default();
        let password = as_text("password", connect.password.unwrap_or_default())?;
        // The long forms take what does not fit into one command, as the signatures of clouds.
        script.command("AT+MQTTUSERCFG=0,1,\"\",\"\",\"\",0,0,\"\"", "OK");
        for (command, text) in [
            ("AT+MQTTLONGCLIENTID", connect.client_identifier),
            ("AT+MQTTLONGUSERNAME", user_name),
            ("AT+MQTTLONGPASSWORD", password),
        ] {
            if !text.is_empty() {
                script.command(&format!("{command}=0,{}", text.len()), ">");
                script.data(text.as_bytes(), "OK");
            }
        }
        let keep_alive = connect.keep_alive_s;
        let keep = u8::from(!connect.clean_start);
        let (topic, message, qos, retain) = match &connect.will {
            Some(will) => {
                let message = as_text("will message", will.payload)?;
                (quoted(will.topic), quoted(message), will.qos as u8, u8::from(will.retain))
            }
            None => (quoted(""), quoted(""), 0, 0),
        };
        short(
            script,
            &format!("AT+MQTTCONNCFG=0,{keep_alive},{keep},{topic},{message},{qos},{retain}"),
            "OK",
        )?;
        // The last 0: no reconnecting by itself.
        short(script, &format!("AT+MQTTCONN=0,{},{port},0", quoted(host)), "+MQTTCONNECTED:0, OK")
    }

    fn packet(&self, script: &mut Script, packet: &ControlPacket<'_>) -> Option<Result<(), ExportError>> {
        Some(match packet {
            ControlPacket::Publish(publish) => (|| {
                without_properties(publish.properties)?;
                payload_within(publish.payload, PAYLOAD_MAX)?;
                let (qos, retain) = (publish.qos() as u8, u8::from(publish.retain));
                let (topic, length) = (quoted(publish.topic_name), publish.payload.len());
                short(script, &format!("AT+MQTTPUBRAW=0,{topic},{length},{qos},{retain}"), "OK, >")?;
                script.data(publish.payload, "+MQTTPUB:OK");
                Ok(())
            })(),
            ControlPacket::Subscribe(subscribe) => subscribe.subscriptions.iter().try_for_each(|one| {
                let (filter, qos) = (quoted(one.topic_filter), one.options.qos as u8);
                short(script, &format!("AT+MQTTSUB=0,{filter},{qos}"), "OK")
            }),
            ControlPacket::Unsubscribe(unsubscribe) => unsubscribe
                .topic_filters
                .iter()
                .try_for_each(|filter| short(script, &format!("AT+MQTTUNSUB=0,{}", quoted(filter)), "OK")),
            ControlPacket::Disconnect(_) => short(script, "AT+MQTTCLEAN=0", "OK"),
            _ => return None,
        })
    }
}

fn short(script: &mut Script, command: &str, answer: &str) -> Result<(), ExportError> {
    let length = command.len() + 2;
    if length > COMMAND_MAX {
        return Err(ExportError::new(format!(
            "a command would have {length} characters, and the module takes {COMMAND_MAX}"
        )));
    }
    script.command(command, answer);
    Ok(())
}

/// In quotes, with a backslash in front of commas, quotation marks and backslashes.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | ',' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_quotation_marks_are_escaped() {
        assert_eq!(quoted("a,\"b\"\\"), r#""a\,\"b\"\\""#);
    }
}
