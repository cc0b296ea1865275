//! Packets in the form asked for.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hexmq_wire::Version;
use hexmq_workbench::export::{AtModule, ExportError, Session, annotated, c_array, mosquitto, python};
use hexmq_workbench::recording::{Chunk, Close, Entry, Head, Open, Recording, Timestamp, Via, write_pcapng};
use hexmq_workbench::{Language, Options, Side, explain, plain_hex};

use super::args::Args;
use super::{describe, wrong};
use crate::command::client::Trouble;

/// Address and port of the client in a capture; the address is one for documentation (RFC 5737).
const CLIENT: &str = "192.0.2.1:49152";

/// Prints; a reader that goes away early (`| head`) is no error of ours.
pub(super) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Prints or writes the packets as asked.
pub(super) fn write(args: &Args, packets: &[(Vec<u8>, Version)], language: Language) -> Result<(), Trouble> {
    let output = &args.output;
    let version = packets.first().map_or(Version::V4, |(_, version)| *version);
    let connect = describe::connect(args, version)?;
    let session = Session { host: &output.host, port: output.port, version, connect: connect.as_deref() };
    if let Some(file) = &output.pcapng {
        return capture(file, packets, &session);
    }
    let each = |form: &dyn Fn(usize, &[u8], Version) -> String| -> String {
        packets.iter().enumerate().map(|(index, (bytes, version))| form(index, bytes, *version)).collect()
    };
    let text = if let Some(name) = &output.at {
        at(name, packets, &session)?
    } else if output.mosquitto {
        let lines: Result<String, ExportError> =
            packets.iter().map(|(bytes, _)| mosquitto(bytes, &session)).collect();
        lines.map_err(|error| wrong("mosquitto cannot do that", error, "--hex, and send the bytes"))?
    } else if output.annotated {
        each(&|_, bytes, version| annotated(bytes, &options(version, language)))
    } else if output.c_array {
        let several = packets.len() > 1;
        each(&|index, bytes, _| c_array(bytes, several.then_some(index + 1)))
    } else if output.python {
        each(&|_, bytes, _| python(bytes))
    } else if output.explain {
        each(&|_, bytes, version| format!("{:#}\n", explain(bytes, &options(version, language)).to_json()))
    } else {
        each(&|_, bytes, _| plain_hex(bytes) + "\n")
    };
    print(&text);
    Ok(())
}

fn options(version: Version, language: Language) -> Options {
    Options { version: Some(version), language, ..Options::default() }
}

fn at(name: &str, packets: &[(Vec<u8>, Version)], session: &Session<'_>) -> Result<String, Trouble> {
    let module = AtModule::from_name(name).ok_or_else(|| {
        let names = AtModule::all().iter().map(|module| module.name);
        let nearest = names.min_by_key(|known| strsim::damerau_levenshtein(known, name));
        wrong(
            format!("no commands are known for `{name}`"),
            "`hexmq build --list-modules` lists the modules",
            format!("--at {}", nearest.unwrap_or("esp8266")),
        )
    })?;
    if session.host == "localhost" {
        eprintln!("note: -h HOST is the server as the module sees it; for a module, localhost is itself");
    }
    let packets: Vec<Vec<u8>> = packets.iter().map(|(bytes, _)| bytes.clone()).collect();
    module
        .script(&packets, session)
        .map_err(|error| wrong(format!("{name} cannot send that"), error, "--at esp8266, or --hex"))
}

/// A capture: one connection that is opened, carries the packets, and ends.
fn capture(file: &Path, packets: &[(Vec<u8>, Version)], session: &Session<'_>) -> Result<(), Trouble> {
    let at = now();
    let mut entries = vec![Entry::Open(Open {
        at,
        connection: 1,
        client: CLIENT.to_owned(),
        server: format!("{}:{}", session.host, session.port),
        via: Via::Tcp,
    })];
    let connect = session.connect.filter(|_| packets.first().is_none_or(|(bytes, _)| !is_connect(bytes)));
    let chunk =
        |from: Side, bytes: &[u8]| Entry::Bytes(Chunk { at, connection: 1, from, bytes: bytes.to_vec() });
    entries.extend(connect.map(|bytes| chunk(Side::Client, bytes)));
    for (bytes, version) in packets {
        let explanation = explain(bytes, &options(*version, Language::English));
        let from = explanation.packets.first().and_then(|packet| packet.from).unwrap_or(Side::Client);
        entries.push(chunk(from, bytes));
    }
    entries.push(Entry::Close(Close { at, connection: 1, by: Some(Side::Client), reason: None }));
    let by = Some(format!("hexmq {} build", env!("CARGO_PKG_VERSION")));
    let head = Head { by, created: Some(at), masked: false };
    let recording = Recording { head, entries, ..Recording::default() };
    let written = File::create(file).and_then(|file| write_pcapng(&recording, BufWriter::new(file)));
    written.map_err(|error| {
        wrong(format!("cannot write {}", file.display()), error, "a place that may be written to")
    })
}

fn is_connect(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|byte| byte >> 4 == 1)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
