//! What a client takes in the tables of a shard, for whoever computes the memory of many.

use super::Shard;
use super::timers::Timer;
use crate::connection::Connection;
use crate::session::Session;
use crate::slots::Slots;
use crate::wheel::Wheel;

impl Shard {
    /// Bytes of a connected client's place in each table, whatever the table has spare and whatever hangs on it
    /// elsewhere.
    pub const BYTES_PER_CLIENT: [(&'static str, usize); 3] = [
        ("connection", Slots::<Connection>::PLACE_BYTES),
        ("session", Slots::<Session>::PLACE_BYTES),
        ("Keep Alive timer", Wheel::<Timer>::TIMER_BYTES),
    ];
}
