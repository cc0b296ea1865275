//! Seeded simulation of shards, network and clients.

pub mod transcript;
pub mod world;
