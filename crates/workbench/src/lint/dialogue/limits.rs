//! What CONNECT and CONNACK of 5.0 allow the other side.

use hexmq_wire::{ControlPacket, Properties, PropertyId, Publish, QoS, Version};

use super::{Dialogue, DialogueFinding, LintRule, Phase, Said, Spoken, header};
use crate::explanation::Side;

impl Dialogue {
    /// Sizes, what was excluded, and what was not asked for.
    pub(super) fn limits(&mut self, said: &Spoken<'_>, findings: &mut Vec<DialogueFinding>) {
        self.packet_size(said, findings);
        self.authentication(said, findings);
        if said.from == Side::Server {
            self.information(said, findings);
        }
        if let ControlPacket::Publish(publish) = said.packet {
            match said.from {
                Side::Client => self.excluded(publish, findings),
                Side::Server => self.identifiers_unasked(said, publish, findings),
            }
        }
    }

    fn packet_size(&self, said: &Spoken<'_>, findings: &mut Vec<DialogueFinding>) {
        let Some((_, _, Some(maximum))) = self.receiver_limits(said.from) else { return };
        if said.frame.len() > maximum as usize {
            let finding = self.finding(
                LintRule::MaximumPacketSizeExceeded,
                "remaining_length",
                (1, header(said.frame) - 1),
            );
            let statement = match said.from {
                Side::Client => Some("MQTT-3.2.2-15"),
                Side::Server => Some("MQTT-3.1.2-24"),
            };
            findings.push(DialogueFinding {
                statement,
                said: Said::Number(said.frame.len() as u64),
                ..finding
            });
        }
    }

    fn authentication(&self, said: &Spoken<'_>, findings: &mut Vec<DialogueFinding>) {
        let without = self.asked.as_ref().is_some_and(|asked| !asked.has_method);
        let speaks = match said.packet {
            ControlPacket::Auth(_) => true,
            ControlPacket::Connack(connack) => connack.properties.authentication_method().is_some(),
            _ => false,
        };
        if without && speaks {
            let finding = self.finding(LintRule::AuthUnasked, "authentication_method", (0, 1));
            let statement = match said.from {
                Side::Client => Some("MQTT-4.12.0-7"),
                Side::Server => Some("MQTT-4.12.0-6"),
            };
            findings.push(DialogueFinding { statement, ..finding });
        }
    }

    /// What the server says without having been asked.
    fn information(&self, said: &Spoken<'_>, findings: &mut Vec<DialogueFinding>) {
        let Some(asked) = &self.asked else { return };
        let has = |properties: Properties<'_>, id| properties.iter().any(|property| property.id() == id);
        let properties = match said.packet {
            ControlPacket::Puback(ack)
            | ControlPacket::Pubrec(ack)
            | ControlPacket::Pubrel(ack)
            | ControlPacket::Pubcomp(ack) => ack.properties,
            ControlPacket::Suback(suback) => suback.properties,
            ControlPacket::Unsuback(unsuback) => unsuback.properties,
            ControlPacket::Auth(auth) => auth.properties,
            ControlPacket::Connack(connack) => {
                if !asked.response_information && has(connack.properties, PropertyId::ResponseInformation) {
                    let rule = LintRule::ResponseInformationUnasked;
                    findings.push(self.finding(rule, "response_information", (0, 1)));
                }
                return;
            }
            _ => return,
        };
        if !asked.problem_information
            && (has(properties, PropertyId::ReasonString) || has(properties, PropertyId::UserProperty))
        {
            findings.push(self.finding(LintRule::ReasonStringUnasked, "reason_string", (0, 1)));
        }
    }

    /// What the CONNACK said the server does not have.
    fn excluded(&self, publish: &Publish<'_>, findings: &mut Vec<DialogueFinding>) {
        if self.phase != Phase::Connected {
            return;
        }
        if publish.qos() != QoS::AtMostOnce && publish.qos() as u8 > self.granted.maximum_qos {
            findings.push(self.finding(LintRule::MaximumQosExceeded, "qos", (0, 1)));
        }
        if publish.retain && !self.granted.retain {
            findings.push(self.finding(LintRule::RetainUnavailable, "retain", (0, 1)));
        }
    }

    fn identifiers_unasked(
        &self,
        said: &Spoken<'_>,
        publish: &Publish<'_>,
        findings: &mut Vec<DialogueFinding>,
    ) {
        let unasked = publish.properties.iter().find_map(|property| match property {
            hexmq_wire::Property::SubscriptionIdentifier(identifier) => {
                (!self.subscription_identifiers.contains(&identifier)).then_some(identifier)
            }
            _ => None,
        });
        if let Some(identifier) = unasked.filter(|_| self.knows_all()) {
            let rule = LintRule::SubscriptionIdentifierUnasked;
            let finding = self.finding(rule, "subscription_identifier", (0, said.frame.len().min(1)));
            findings.push(DialogueFinding { said: Said::Number(u64::from(identifier)), ..finding });
        }
    }

    /// Topic aliases: within the receiver's limit, and known where they stand alone.
    pub(super) fn alias(
        &mut self,
        said: &Spoken<'_>,
        publish: &Publish<'_>,
        findings: &mut Vec<DialogueFinding>,
    ) {
        let Some(alias) = publish.properties.topic_alias().filter(|_| self.version == Version::V5) else {
            return;
        };
        let alias: u16 = alias;
        if let Some((_, maximum, _)) = self.receiver_limits(said.from)
            && alias > maximum
        {
            let finding = self.finding(LintRule::TopicAliasAboveMaximum, "topic_alias", (0, 1));
            let statement = match said.from {
                Side::Client => Some("MQTT-3.3.2-9"),
                Side::Server => Some("MQTT-3.3.2-11"),
            };
            findings.push(DialogueFinding { statement, said: Said::Number(u64::from(alias)), ..finding });
        }
        if !publish.topic_name.is_empty() {
            self.lanes[said.from as usize].aliases.insert(alias);
        } else if self.whole && !self.lanes[said.from as usize].aliases.contains(&alias) {
            let finding = self.finding(LintRule::TopicAliasUnknown, "topic_alias", (0, 1));
            findings.push(DialogueFinding { said: Said::Number(u64::from(alias)), ..finding });
        }
    }
}
