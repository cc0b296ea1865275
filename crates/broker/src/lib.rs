//! The deciding core of the MQTT server: no I/O, no clock, one owner per state.
