//! The MQTT client: a deciding core and a blocking driver.
