//! Byte streams: TCP and Unix sockets, listeners.
