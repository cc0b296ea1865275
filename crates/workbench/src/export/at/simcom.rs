//! SIMCom 4G modules: `AT+CMQTT…` of the "SIM7500/SIM7600 series MQTT AT command manual" and of the
//! A76XX manual.

use hexmq_wire::{Connect, ControlPacket, Version};

use super::{Builder, ExportError, Script, as_text, payload_within, plain_quoted, without_properties};

/// Bytes of the longest topic and payload.
const TOPIC_MAX: usize = 1024;
const PAYLOAD_MAX: usize = 10_240;

#[derive(Debug)]
pub(super) struct Simcom;

impl Builder for Simcom {
    fn versions(&self) -> &'static [Version] {
        &[Version::V4]
    }

    fn connect(
        &self,
        script: &mut Script,
        (host, port): (&str, u16),
        connect: &Connect<'_>,
    ) -> Result<(), ExportError> {
        script.command("AT+CMQTTSTART", "OK, +CMQTTSTART: 0");
        let id = plain_quoted("client identifier", connect.client_identifier)?;
        script.command(&format!("AT+CMQTTACCQ=0,{id},0"), "OK");
        if let Some(will) = &connect.will {
            if will.retain {
                return Err(ExportError::new("the module has no parameter for Will Retain"));
            }
            payload_within(will.payload, PAYLOAD_MAX)?;
            script.command(&format!("AT+CMQTTWILLTOPIC=0,{}", will.topic.len()), ">");
            script.data(will.topic.as_bytes(), "OK");
            script.command(&format!("AT+CMQTTWILLMSG=0,{},{}", will.payload.len(), will.qos as u8), ">");
            script.data(will.payload, "OK");
        }
        let server = plain_quoted("host", &format!("tcp://{host}:{port}"))?;
        let clean = u8::from(connect.clean_start);
        let mut command = format!("AT+CMQTTCONNECT=0,{server},{},{clean}", connect.keep_alive_s);
        if let Some(user_name) = connect.user_name {
            command += &format!(",{}", plain_quoted("user name", user_name)?);
        }
        if let Some(password) = connect.password {
            command += &format!(",{}", plain_quoted("password", as_text("password", password)?)?);
        }
        script.command(&command, "OK, +CMQTTCONNECT: 0,0");
        Ok(())
    }

    fn packet(&self, script: &mut Script, packet: &ControlPacket<'_>) -> Option<Result<(), ExportError>> {
        Some(match packet {
            ControlPacket::Publish(publish) => (|| {
                without_properties(publish.properties)?;
                payload_within(publish.payload, PAYLOAD_MAX)?;
                topic(script, "AT+CMQTTTOPIC=0", "", publish.topic_name, "OK")?;
                script.command(&format!("AT+CMQTTPAYLOAD=0,{}", publish.payload.len()), ">");
                script.data(publish.payload, "OK");
                // Quality of service, seconds to wait, retained, repeated.
                let (qos, retain, dup) =
                    (publish.qos() as u8, u8::from(publish.retain), u8::from(publish.dup));
                script.command(&format!("AT+CMQTTPUB=0,{qos},60,{retain},{dup}"), "OK, +CMQTTPUB: 0,0");
                Ok(())
            })(),
            ControlPacket::Subscribe(subscribe) => subscribe.subscriptions.iter().try_for_each(|one| {
                let qos = format!(",{}", one.options.qos as u8);
                topic(script, "AT+CMQTTSUB=0", &qos, one.topic_filter, "OK, +CMQTTSUB: 0,0")
            }),
            ControlPacket::Unsubscribe(unsubscribe) => {
                unsubscribe.topic_filters.iter().try_for_each(|filter| {
                    topic(script, "AT+CMQTTUNSUB=0", ",0", filter, "OK, +CMQTTUNSUB: 0,0")
                })
            }
            ControlPacket::Disconnect(_) => {
                script.command("AT+CMQTTDISC=0,60", "OK, +CMQTTDISC: 0,0");
                script.command("AT+CMQTTREL=0", "OK");
                script.command("AT+CMQTTSTOP", "OK, +CMQTTSTOP: 0");
                Ok(())
            }
            _ => return None,
        })
    }
}

/// A command that takes a topic after its prompt.
fn topic(
    script: &mut Script,
    command: &str,
    behind: &str,
    topic: &str,
    answer: &str,
) -> Result<(), ExportError> {
    if topic.is_empty() || topic.len() > TOPIC_MAX {
        return Err(ExportError::new(format!("the module takes topics of 1 to {TOPIC_MAX} bytes")));
    }
    script.command(&format!("{command},{}{behind}", topic.len()), ">");
    script.data(topic.as_bytes(), answer);
    Ok(())
}
