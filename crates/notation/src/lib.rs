//! One text notation for MQTT packets and transcripts.
