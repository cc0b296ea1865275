//! The HTTP API over the real platform with a registry in memory.

mod access;
mod devices;
mod face;
mod openapi;
mod world;
