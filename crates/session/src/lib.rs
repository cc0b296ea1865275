//! What both ends of an MQTT connection keep: in-flight windows, packet identifiers, aliases.
