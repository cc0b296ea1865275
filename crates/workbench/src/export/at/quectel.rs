//! Quectel modules: `AT+QMT…` of the "LTE Standard MQTT application note".

use hexmq_wire::{Connect, ControlPacket, Version};

use super::{Builder, ExportError, Script, as_text, payload_within, plain_quoted, without_properties};

/// Bytes of the longest payload.
const PAYLOAD_MAX: usize = 1500;

#[derive(Debug)]
pub(super) struct Quectel;

impl Builder for Quectel {
    fn versions(&self) -> &'static [Version] {
        &[Version::V3, Version::V4]
    }

    fn connect(
        &self,
        script: &mut Script,
        (host, port): (&str, u16),
        connect: &Connect<'_>,
    ) -> Result<(), ExportError> {
        script.command(&format!("AT+QMTCFG=\"version\",0,{}", connect.version.level()), "OK");
        script.command(&format!("AT+QMTCFG=\"keepalive\",0,{}", connect.keep_alive_s), "OK");
        script.command(&format!("AT+QMTCFG=\"session\",0,{}", u8::from(connect.clean_start)), "OK");
        if let Some(will) = &connect.will {
            let topic = plain_quoted("will topic", will.topic)?;
            let message = plain_quoted("will message", as_text("will message", will.payload)?)?;
            let (qos, retain) = (will.qos as u8, u8::from(will.retain));
            script.command(&format!("AT+QMTCFG=\"will\",0,1,{qos},{retain},{topic},{message}"), "OK");
        }
        script.command(&format!("AT+QMTOPEN=0,{},{port}", plain_quoted("host", host)?), "OK, +QMTOPEN: 0,0");
        let mut command =
            format!("AT+QMTCONN=0,{}", plain_quoted("client identifier", connect.client_identifier)?);
        if let Some(user_name) = connect.user_name {
            command += &format!(",{}", plain_quoted("user name", user_name)?);
        }
        if let Some(password) = connect.password {
            command += &format!(",{}", plain_quoted("password", as_text("password", password)?)?);
        }
        script.command(&command, "OK, +QMTCONN: 0,0,0");
        Ok(())
    }

    fn packet(&self, script: &mut Script, packet: &ControlPacket<'_>) -> Option<Result<(), ExportError>> {
        Some(match packet {
            ControlPacket::Publish(publish) => {
                let id = publish.delivery.packet_identifier().map_or(0, |id| id.get());
                let head = (id, publish.qos() as u8, u8::from(publish.retain));
                publish_lines(script, head, publish.topic_name, publish.payload)
                    .and(without_properties(publish.properties))
            }
            ControlPacket::Subscribe(subscribe) => (|| {
                let id = subscribe.packet_identifier;
                let mut command = format!("AT+QMTSUB=0,{id}");
                for subscription in subscribe.subscriptions.iter() {
                    let filter = plain_quoted("topic filter", subscription.topic_filter)?;
                    command += &format!(",{filter},{}", subscription.options.qos as u8);
                }
                script.command(&command, &format!("OK, +QMTSUB: 0,{id},0,…"));
                Ok(())
            })(),
            ControlPacket::Unsubscribe(unsubscribe) => (|| {
                let id = unsubscribe.packet_identifier;
                let mut command = format!("AT+QMTUNS=0,{id}");
                for filter in unsubscribe.topic_filters.iter() {
                    command += &format!(",{}", plain_quoted("topic filter", filter)?);
                }
                script.command(&command, &format!("OK, +QMTUNS: 0,{id},0"));
                Ok(())
            })(),
            ControlPacket::Disconnect(_) => {
                script.command("AT+QMTDISC=0", "OK, +QMTDISC: 0,0");
                Ok(())
            }
            _ => return None,
        })
    }
}

fn publish_lines(
    script: &mut Script,
    (id, qos, retain): (u16, u8, u8),
    topic: &str,
    payload: &[u8],
) -> Result<(), ExportError> {
    payload_within(payload, PAYLOAD_MAX)?;
    let topic = plain_quoted("topic", topic)?;
    script.command(&format!("AT+QMTPUBEX=0,{id},{qos},{retain},{topic},{}", payload.len()), ">");
    script.data(payload, &format!("OK, +QMTPUBEX: 0,{id},0"));
    Ok(())
}
