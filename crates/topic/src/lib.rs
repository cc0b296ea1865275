//! Topic names and topic filters of MQTT: parsing and matching.
