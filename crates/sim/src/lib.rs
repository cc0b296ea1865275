//! Seeded simulation of shards, network and clients.
