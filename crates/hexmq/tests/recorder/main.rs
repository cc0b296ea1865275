//! The flight recorder of a running server: refused connections, watches, recordings, live streams.

mod calls;
mod live;
mod page;
mod rejections;
#[allow(dead_code, reason = "what other tests of the server use")]
#[path = "../serving/mod.rs"]
mod serving;
mod watches;
