//! What a dialect says of a device's connection, in the words of the broker.

use hexmq_broker::{self as broker, Refusal};
use hexmq_device::{self as device, RefusedCode};

/// What a device may do and how it is treated.
pub(super) fn terms(product: &str, admission: device::Admission) -> broker::DeviceTerms {
    broker::DeviceTerms {
        product: product.into(),
        rules: rules(admission.rules).into_boxed_slice(),
        manners: manners(admission.manners),
        subscribed: admission.subscribed,
        greeting: admission.greeting.into_iter().map(greeting).collect(),
    }
}

pub(super) fn rules(rules: Vec<device::TopicRule>) -> Vec<broker::TopicRule> {
    rules.into_iter().map(rule).collect()
}

fn rule(rule: device::TopicRule) -> broker::TopicRule {
    broker::TopicRule {
        filter: rule.filter.into_boxed_str(),
        publish: rule.publish,
        subscribe: rule.subscribe,
        reach: match rule.reach {
            device::Reach::Platform => broker::Reach::Platform,
            device::Reach::Topics => broker::Reach::Topics,
            device::Reach::Both => broker::Reach::Both,
        },
    }
}

fn manners(manners: device::Manners) -> broker::Manners {
    broker::Manners {
        zero_flags: manners.zero_flags,
        pubrel_as_pubcomp: manners.pubrel_as_pubcomp,
        packet_gap_ms: manners.packet_gap_ms,
        no_retain: manners.no_retain,
        largest_qos: qos(manners.largest_qos),
        grants_qos_1: manners.grants_qos_1,
    }
}

fn greeting(downlink: device::Downlink) -> broker::Greeting {
    broker::Greeting { topic: downlink.topic.into_boxed_str(), payload: downlink.payload.into_boxed_slice() }
}

/// 0 and 1 as they are, everything else is 2.
pub(super) fn qos(qos: u8) -> hexmq_wire::QoS {
    match qos {
        0 => hexmq_wire::QoS::AtMostOnce,
        1 => hexmq_wire::QoS::AtLeastOnce,
        _ => hexmq_wire::QoS::ExactlyOnce,
    }
}

/// What CONNACK says.
pub(super) fn refusal(code: RefusedCode) -> Refusal {
    match code {
        RefusedCode::Identifier => Refusal::ClientIdentifierNotValid,
        RefusedCode::Unavailable => Refusal::ServerUnavailable,
        RefusedCode::Credentials => Refusal::BadUserNameOrPassword,
        RefusedCode::NotAuthorized => Refusal::NotAuthorized,
    }
}
