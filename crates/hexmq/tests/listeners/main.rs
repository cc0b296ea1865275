//! Listeners that speak TLS and WebSocket, as clients see them.

#[path = "../recorder/calls.rs"]
#[allow(dead_code, reason = "what other tests of the server use")]
mod calls;
mod certificates;
mod dial;
mod plainly;
mod refused;
mod reload;
#[allow(dead_code, reason = "what other tests of the server use")]
#[path = "../serving/mod.rs"]
mod serving;
mod tls;
mod websocket;
