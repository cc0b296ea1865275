//! The tables, and how older ones become them.
//!
//! Products and devices have numbers that are never given again, and everything kept of them hangs on the
//! numbers: what is removed is out of sight at once, is taken away in bites later (`doomed`), and does not
//! come back when something of the same name is registered. Points lie in the order of series, time and
//! arrival, so a stretch of time is one walk. `hours` holds what summaries need and is changed with the points
//! in the same transaction.

use crate::driver::{Base, cells};

/// Each makes version n + 1 of version n.
const MIGRATIONS: &[&str] = &[FIRST];

const FIRST: &str = "
CREATE TABLE counters (name {text} PRIMARY KEY, value {whole} NOT NULL) {clustered};
INSERT INTO counters (name, value) VALUES
    ('product', 0), ('device', 0), ('series', 0), ('sequence', 0), ('blob', 0);

CREATE TABLE products (
    number {whole} NOT NULL PRIMARY KEY, id {text} NOT NULL UNIQUE, name {text} NOT NULL,
    dialect {text} NOT NULL, secret {text}, created_ms {whole} NOT NULL, zone_minutes {whole} NOT NULL,
    validation {text} NOT NULL, dynamic_registration {whole} NOT NULL, history_days {whole},
    switches {text} NOT NULL
) {table};

CREATE TABLE devices (
    product {whole} NOT NULL, id {text} NOT NULL, number {whole} NOT NULL, name {text} NOT NULL,
    secret {text}, password {text}, tags {text} NOT NULL, disabled {whole} NOT NULL,
    created_ms {whole} NOT NULL, activated_ms {whole}, online {whole} NOT NULL, since_ms {whole},
    reason {text}, peer {text}, extra {text} NOT NULL, status {text} NOT NULL,
    PRIMARY KEY (product, id)
) {table};
CREATE UNIQUE INDEX devices_by_number ON devices (number);
CREATE INDEX devices_by_status ON devices (product, status, id);
CREATE INDEX devices_online ON devices (number) WHERE online = 1;
CREATE TABLE tags (
    product {whole} NOT NULL, name {text} NOT NULL, value {text} NOT NULL, id {text} NOT NULL,
    PRIMARY KEY (product, name, value, id)
) {clustered};

CREATE TABLE documents (
    product {whole} NOT NULL, device {whole} NOT NULL, kind {text} NOT NULL, version {whole} NOT NULL,
    at_ms {whole} NOT NULL, text {text} NOT NULL, PRIMARY KEY (product, device, kind)
) {table};
CREATE INDEX documents_by_kind ON documents (kind, product, device);

CREATE TABLE keys (
    id {text} NOT NULL PRIMARY KEY, name {text} NOT NULL, sha256 {text} NOT NULL UNIQUE,
    scopes {text} NOT NULL, product {text}, device {text}, created_ms {whole} NOT NULL, expires_ms {whole}
) {table};

CREATE TABLE blobs (
    kind {text} NOT NULL, id {text} NOT NULL, generation {whole} NOT NULL, size {whole} NOT NULL,
    at_ms {whole} NOT NULL, PRIMARY KEY (kind, id)
) {table};
CREATE TABLE blob_parts (
    generation {whole} NOT NULL, part {whole} NOT NULL, bytes {bytes} NOT NULL,
    PRIMARY KEY (generation, part)
) {table};

CREATE TABLE doomed (kind {text} NOT NULL, number {whole} NOT NULL, PRIMARY KEY (kind, number)) {clustered};

CREATE TABLE inboxes (inbox {text} NOT NULL PRIMARY KEY, place {whole} NOT NULL) {table};

CREATE TABLE series (
    device {whole} NOT NULL, property {text} NOT NULL, id {whole} NOT NULL, at_ms {whole} NOT NULL,
    sequence {whole} NOT NULL, received_ms {whole} NOT NULL, kind {whole} NOT NULL, number {real},
    bytes {bytes}, PRIMARY KEY (device, property)
) {table};
CREATE TABLE points (
    series {whole} NOT NULL, at_ms {whole} NOT NULL, sequence {whole} NOT NULL,
    received_ms {whole} NOT NULL, kind {whole} NOT NULL, number {real}, bytes {bytes},
    PRIMARY KEY (series, at_ms, sequence)
) {clustered};
CREATE TABLE hours (
    series {whole} NOT NULL, hour_ms {whole} NOT NULL, product {whole} NOT NULL, count {whole} NOT NULL,
    sum {real} NOT NULL, minimum {real} NOT NULL, maximum {real} NOT NULL, last {real} NOT NULL,
    last_ms {whole} NOT NULL, last_sequence {whole} NOT NULL, PRIMARY KEY (series, hour_ms)
) {clustered};
CREATE INDEX hours_by_age ON hours (product, hour_ms);

CREATE TABLE events (
    sequence {sequence}, product {whole} NOT NULL, device {whole} NOT NULL, event {text} NOT NULL,
    params {text} NOT NULL, at_ms {whole} NOT NULL, received_ms {whole} NOT NULL
) {table};
CREATE INDEX events_of_device ON events (device, at_ms, sequence);
CREATE INDEX events_of_product ON events (product, at_ms, sequence);

CREATE TABLE log (
    sequence {sequence}, product {whole} NOT NULL, device {whole} NOT NULL, at_ms {whole} NOT NULL,
    direction {text} NOT NULL, stage {text} NOT NULL, topic {text}, bytes {bytes} NOT NULL, meaning {text},
    error {text}
) {table};
CREATE INDEX log_of_device ON log (device, at_ms, sequence);
CREATE INDEX log_of_product ON log (product, at_ms, sequence);
CREATE TABLE log_lines (device {whole} NOT NULL PRIMARY KEY, lines {whole} NOT NULL) {table};
CREATE INDEX log_lines_most ON log_lines (lines);

CREATE TABLE commands (
    id {text} NOT NULL PRIMARY KEY, sequence {whole} NOT NULL, product {whole} NOT NULL,
    device {whole} NOT NULL, orders {text} NOT NULL, state {text} NOT NULL, final {whole} NOT NULL,
    reason {text}, qos {whole} NOT NULL, again {whole} NOT NULL, correlation {text}, reply {bytes},
    reply_code {whole}, reply_data {text}, at_ms {whole} NOT NULL, sent_ms {whole}, answered_ms {whole},
    deadline_ms {whole} NOT NULL
) {table};
CREATE INDEX commands_of_device ON commands (device, at_ms, sequence);
CREATE INDEX commands_of_product ON commands (product, at_ms, sequence);
CREATE INDEX commands_by_correlation ON commands (device, correlation);
CREATE INDEX commands_open ON commands (device, at_ms, sequence) WHERE final = 0;
CREATE INDEX commands_due ON commands (deadline_ms) WHERE final = 0;
";

/// Brings the data base to this program's version.
pub(crate) fn migrate(base: &Base) -> Result<(), String> {
    let newest = MIGRATIONS.len();
    let words = base.driver.words();
    let found = base
        .write_within(std::time::Duration::from_secs(60), |session| {
            session.define("CREATE TABLE IF NOT EXISTS hexmq_schema (version BIGINT NOT NULL)")?;
            let row = session.query("SELECT MAX(version) FROM hexmq_schema", vec![])?.first();
            let found = match row {
                Some(mut row) => row.maybe_integer()?.unwrap_or(0),
                None => 0,
            };
            let steps = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found..));
            for (step, migration) in (found + 1..).zip(steps.unwrap_or_default()) {
                let sql =
                    words.iter().fold((*migration).to_owned(), |sql, (word, here)| sql.replace(word, here));
                session.define(&sql)?;
                session.execute("INSERT INTO hexmq_schema (version) VALUES ($1)", cells![step])?;
            }
            Ok(found)
        })
        .map_err(|error| format!("the tables cannot be made: {error}"))?;
    if usize::try_from(found).is_ok_and(|found| found <= newest) {
        return Ok(());
    }
    Err(format!(
        "the data base has schema version {found} and this program knows versions up to {newest}: \
         it was written by a newer HexMQ; use that one, or another data base"
    ))
}
