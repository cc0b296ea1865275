//! The names of all fields, with their sections in 3.1.1 and 5.0.

use crate::reader::{Name, field};

// Fixed header.
pub(super) const PACKET_TYPE: Name = field("packet_type", "2.2.1", "2.1.2");
pub(super) const FLAGS: Name = field("flags", "2.2.2", "2.1.3");
pub(super) const RESERVED: Name = field("reserved", "2.2.2", "2.1.3");
pub(super) const DUP: Name = field("dup", "3.3.1.1", "3.3.1.1");
pub(super) const QOS: Name = field("qos", "3.3.1.2", "3.3.1.2");
pub(super) const RETAIN: Name = field("retain", "3.3.1.3", "3.3.1.3");
pub(super) const REMAINING_LENGTH: Name = field("remaining_length", "2.2.3", "2.1.4");
/// Bytes without a meaning.
pub(super) const UNKNOWN: Name = field("unknown", "", "");

// CONNECT.
pub(super) const PROTOCOL_NAME: Name = field("protocol_name", "3.1.2.1", "3.1.2.1");
pub(super) const PROTOCOL_VERSION: Name = field("protocol_version", "3.1.2.2", "3.1.2.2");
pub(super) const CONNECT_FLAGS: Name = field("connect_flags", "3.1.2.3", "3.1.2.3");
pub(super) const USER_NAME_FLAG: Name = field("user_name_flag", "3.1.2.8", "3.1.2.8");
pub(super) const PASSWORD_FLAG: Name = field("password_flag", "3.1.2.9", "3.1.2.9");
pub(super) const WILL_RETAIN: Name = field("will_retain", "3.1.2.7", "3.1.2.7");
pub(super) const WILL_QOS: Name = field("will_qos", "3.1.2.6", "3.1.2.6");
pub(super) const WILL_FLAG: Name = field("will_flag", "3.1.2.5", "3.1.2.5");
pub(super) const CLEAN_SESSION: Name = field("clean_session", "3.1.2.4", "");
pub(super) const CLEAN_START: Name = field("clean_start", "", "3.1.2.4");
pub(super) const CONNECT_RESERVED: Name = field("reserved", "3.1.2.3", "3.1.2.3");
pub(super) const KEEP_ALIVE: Name = field("keep_alive", "3.1.2.10", "3.1.2.10");
pub(super) const CONNECT_PROPERTIES: Name = field("properties", "", "3.1.2.11");
pub(super) const CLIENT_IDENTIFIER: Name = field("client_identifier", "3.1.3.1", "3.1.3.1");
pub(super) const WILL_PROPERTIES: Name = field("will_properties", "", "3.1.3.2");
pub(super) const WILL_TOPIC: Name = field("will_topic", "3.1.3.2", "3.1.3.3");
pub(super) const WILL_MESSAGE: Name = field("will_message", "3.1.3.3", "");
pub(super) const WILL_PAYLOAD: Name = field("will_payload", "", "3.1.3.4");
pub(super) const USER_NAME: Name = field("user_name", "3.1.3.4", "3.1.3.5");
pub(super) const PASSWORD: Name = field("password", "3.1.3.5", "3.1.3.6");

// CONNACK.
pub(super) const ACKNOWLEDGE_FLAGS: Name = field("connect_acknowledge_flags", "3.2.2.1", "3.2.2.1");
pub(super) const ACKNOWLEDGE_RESERVED: Name = field("reserved", "3.2.2.1", "3.2.2.1");
pub(super) const SESSION_PRESENT: Name = field("session_present", "3.2.2.2", "3.2.2.1.1");
pub(super) const RETURN_CODE: Name = field("return_code", "3.2.2.3", "");
pub(super) const CONNECT_REASON_CODE: Name = field("reason_code", "", "3.2.2.2");
pub(super) const CONNACK_PROPERTIES: Name = field("properties", "", "3.2.2.3");

// PUBLISH.
pub(super) const TOPIC_NAME: Name = field("topic_name", "3.3.2.1", "3.3.2.1");
pub(super) const PUBLISH_IDENTIFIER: Name = field("packet_identifier", "3.3.2.2", "3.3.2.2");
pub(super) const PUBLISH_PROPERTIES: Name = field("properties", "", "3.3.2.3");
pub(super) const PAYLOAD: Name = field("payload", "3.3.3", "3.3.3");

// What many packets have.
pub(super) const PACKET_IDENTIFIER: Name = field("packet_identifier", "2.3.1", "2.2.1");
pub(super) const PROPERTIES: Name = field("properties", "", "2.2.2");
pub(super) const PROPERTY_LENGTH: Name = field("property_length", "", "2.2.2.1");
pub(super) const PROPERTY_IDENTIFIER: Name = field("identifier", "", "2.2.2.2");
pub(super) const PROPERTY_VALUE: Name = field("value", "", "2.2.2.2");
pub(super) const USER_PROPERTY_NAME: Name = field("name", "", "2.2.2.2");
pub(super) const REASON_CODE: Name = field("reason_code", "", "2.4");

// SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK.
pub(super) const SUBSCRIPTIONS: Name = field("subscriptions", "3.8.3", "3.8.3");
pub(super) const SUBSCRIPTION: Name = field("subscription", "3.8.3", "3.8.3");
pub(super) const TOPIC_FILTER: Name = field("topic_filter", "3.8.3", "3.8.3");
pub(super) const SUBSCRIPTION_OPTIONS: Name = field("subscription_options", "3.8.3", "3.8.3.1");
pub(super) const OPTIONS_RESERVED: Name = field("reserved", "3.8.3", "3.8.3.1");
pub(super) const RETAIN_HANDLING: Name = field("retain_handling", "", "3.8.3.1");
pub(super) const RETAIN_AS_PUBLISHED: Name = field("retain_as_published", "", "3.8.3.1");
pub(super) const NO_LOCAL: Name = field("no_local", "", "3.8.3.1");
pub(super) const REQUESTED_QOS: Name = field("requested_qos", "3.8.3", "3.8.3.1");
pub(super) const RETURN_CODES: Name = field("return_codes", "3.9.3", "");
pub(super) const SUBACK_RETURN_CODE: Name = field("return_code", "3.9.3", "");
pub(super) const SUBACK_REASON_CODES: Name = field("reason_codes", "", "3.9.3");
pub(super) const SUBACK_REASON_CODE: Name = field("reason_code", "", "3.9.3");
pub(super) const TOPIC_FILTERS: Name = field("topic_filters", "3.10.3", "3.10.3");
pub(super) const UNSUBSCRIBE_FILTER: Name = field("topic_filter", "3.10.3", "3.10.3");
pub(super) const UNSUBACK_REASON_CODES: Name = field("reason_codes", "", "3.11.3");
pub(super) const UNSUBACK_REASON_CODE: Name = field("reason_code", "", "3.11.3");
