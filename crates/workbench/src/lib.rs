//! Explain every byte of MQTT packets, in English and Chinese.
