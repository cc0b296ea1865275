//! Where products, devices and their history are kept: one set of statements for SQLite and PostgreSQL.
