//! What a client may do and how it is treated, decided when it connects so that no message waits for a
//! decision.

use std::sync::Arc;

use hexmq_topic::{TopicFilter, TopicName};
use hexmq_wire::{Leniency, QoS};

/// What a client may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permit {
    /// May subscribe to `$hexmq/#`.
    pub admin: bool,
    /// Filters of `$hexmq/…` that it may subscribe to all the same, with everything they cover.
    pub grants: Box<[Box<str>]>,
    /// It is a device: its rules decide.
    pub device: Option<Arc<DeviceTerms>>,
}

/// What a device may do and how it is treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceTerms {
    /// Its product, as in `$hexmq/{product}/raw/…`.
    pub product: Box<str>,
    /// The first rule that fits decides; what no rule fits is forbidden.
    pub rules: Box<[TopicRule]>,
    /// How its connection is treated.
    pub manners: Manners,
    /// It gets what the platform sends without having asked for it, until it unsubscribes.
    pub subscribed: bool,
    /// Sent right behind CONNACK.
    pub greeting: Box<[Greeting]>,
}

/// A message that a device gets with QoS 0 when it connects, whether it has subscribed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Topic name.
    pub topic: Box<str>,
    /// Application message.
    pub payload: Box<[u8]>,
}

/// Topics and what may be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRule {
    /// A topic filter.
    pub filter: Box<str>,
    /// It may publish to matching topics.
    pub publish: bool,
    /// It may subscribe to filters that this one covers.
    pub subscribe: bool,
    /// Who gets what it publishes.
    pub reach: Reach,
}

/// Who gets a message of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The platform alone, through the inbox.
    Platform,
    /// The subscribers of its namespace alone.
    Topics,
    /// Both.
    Both,
}

impl Reach {
    /// Whether the platform gets it.
    #[inline]
    pub(crate) fn goes_up(self) -> bool {
        self != Reach::Topics
    }

    /// Whether subscribers get it.
    #[inline]
    pub(crate) fn is_routed(self) -> bool {
        self != Reach::Platform
    }
}

/// How a connection is treated, beyond the standard. The default is the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// SUBSCRIBE, UNSUBSCRIBE and PUBREL with flags 0000 are read as if they had 0010.
    pub zero_flags: bool,
    /// A PUBREL with flags 0000 whose identifier is not awaited is the PUBCOMP of the oldest QoS 2 delivery.
    pub pubrel_as_pubcomp: bool,
    /// One packet per TCP segment, with so many milliseconds between them.
    pub packet_gap_ms: Option<u32>,
    /// RETAIN is never set on what it gets.
    pub no_retain: bool,
    /// The largest QoS of what it gets.
    pub largest_qos: QoS,
    /// SUBACK grants QoS 1 whatever was asked.
    pub grants_qos_1: bool,
}

impl Default for Manners {
    fn default() -> Manners {
        Manners::STRICT
    }
}

impl Manners {
    /// As the standard has it.
    pub const STRICT: Manners = Manners {
        zero_flags: false,
        pubrel_as_pubcomp: false,
        packet_gap_ms: None,
        no_retain: false,
        largest_qos: QoS::ExactlyOnce,
        grants_qos_1: false,
    };

    pub(crate) fn leniency(&self) -> Leniency {
        Leniency { reserved_flags: self.zero_flags || self.pubrel_as_pubcomp }
    }

    /// The QoS a subscription is granted that asks for this one.
    pub(crate) fn grant(&self, asked: QoS) -> QoS {
        let granted = if self.grants_qos_1 { QoS::AtLeastOnce } else { asked };
        granted.min(self.largest_qos)
    }
}

impl Permit {
    /// Who gets a message published to this topic; `None`: it may not be published. Topics that begin with
    /// `$` are the server's own for clients that are no devices.
    /// [V5 U-4.7.2-1]
    #[inline]
    pub fn may_publish(&self, topic: &str) -> Option<Reach> {
        match &self.device {
            None => Permit::everybody_may_publish(topic),
            Some(device) => device.may_publish(topic),
        }
    }

    #[inline]
    pub(crate) fn everybody_may_publish(topic: &str) -> Option<Reach> {
        (topic.as_bytes().first() != Some(&b'$')).then_some(Reach::Topics)
    }

    /// Whether this filter (without `$share`) may be subscribed to. `$hexmq` is for administrators and those
    /// who were granted it, since it shows what other clients send.
    pub fn may_subscribe(&self, filter: &str) -> bool {
        if let Some(device) = &self.device {
            return device.may_subscribe(filter);
        }
        let reserved = filter == "$hexmq" || filter.starts_with("$hexmq/");
        !reserved || self.admin || self.grants.iter().any(|grant| covers(grant, filter))
    }

    pub(crate) fn manners(&self) -> Manners {
        self.device.as_ref().map_or(Manners::STRICT, |device| device.manners)
    }
}

impl DeviceTerms {
    fn may_publish(&self, topic: &str) -> Option<Reach> {
        let name = TopicName::parse(topic).ok()?;
        let fits =
            |rule: &&TopicRule| TopicFilter::parse(&rule.filter).is_ok_and(|filter| filter.matches(name));
        self.rules.iter().find(fits).filter(|rule| rule.publish).map(|rule| rule.reach)
    }

    fn may_subscribe(&self, filter: &str) -> bool {
        self.rules.iter().find(|rule| covers(&rule.filter, filter)).is_some_and(|rule| rule.subscribe)
    }
}

fn covers(wide: &str, narrow: &str) -> bool {
    match (TopicFilter::parse(wide), TopicFilter::parse(narrow)) {
        (Ok(wide), Ok(narrow)) => wide.covers(narrow),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(filter: &str, publish: bool, subscribe: bool, reach: Reach) -> TopicRule {
        TopicRule { filter: filter.into(), publish, subscribe, reach }
    }

    fn device(rules: Vec<TopicRule>) -> Permit {
        let terms = DeviceTerms {
            product: "p".into(),
            rules: rules.into(),
            manners: Manners::STRICT,
            subscribed: false,
            greeting: Box::default(),
        };
        Permit { device: Some(Arc::new(terms)), ..Permit::default() }
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_nothing_else_is_allowed() {
        let permit = device(vec![
            rule("$dp", true, false, Reach::Platform),
            rule("up/secret", false, false, Reach::Topics),
            rule("up/#", true, true, Reach::Both),
            rule("$creq/#", false, true, Reach::Topics),
        ]);
        assert_eq!(permit.may_publish("$dp"), Some(Reach::Platform));
        assert_eq!(permit.may_publish("up/a"), Some(Reach::Both));
        assert_eq!(permit.may_publish("up/secret"), None);
        assert_eq!(permit.may_publish("$creq/1"), None);
        assert_eq!(permit.may_publish("other"), None);
        assert!(permit.may_subscribe("up/+"));
        assert!(permit.may_subscribe("$creq/+"));
        assert!(!permit.may_subscribe("up/secret"), "an earlier rule decides");
        assert!(!permit.may_subscribe("#"));
        assert!(!permit.may_subscribe("$dp"));
    }

    #[test]
    fn plain_clients_have_all_topics_but_the_servers() {
        let plain = Permit::default();
        assert_eq!(plain.may_publish("a/b"), Some(Reach::Topics));
        assert_eq!(plain.may_publish("$SYS/x"), None);
        assert!(plain.may_subscribe("#") && plain.may_subscribe("$SYS/#"));
        assert!(!plain.may_subscribe("$hexmq/#") && !plain.may_subscribe("$hexmq"));
        let granted = Permit { grants: Box::new(["$hexmq/7/#".into()]), ..Permit::default() };
        assert!(granted.may_subscribe("$hexmq/7/raw/+"));
        assert!(!granted.may_subscribe("$hexmq/8/raw/+") && !granted.may_subscribe("$hexmq/#"));
        assert!(Permit { admin: true, ..Permit::default() }.may_subscribe("$hexmq/#"));
    }
}
