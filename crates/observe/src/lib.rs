//! Readers of the event stream: logs and counters.
