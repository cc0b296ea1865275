//! The transcripts as dialogues: only those that break a rule on purpose may be blamed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hexmq_notation::{Action, Transcript, parse_sent};
use hexmq_wire::Version;
use hexmq_workbench::recording::Timestamp;
use hexmq_workbench::{DialogueFinding, Dialogues, Severity, Side};

/// What somebody in the transcripts does wrong on purpose: file, case, codes.
const ON_PURPOSE: &[(&str, &str, &[&str])] = &[
    ("v3/connect.mqtt", "a second CONNECT", &["second_connect"]),
    ("v3/connect.mqtt", "another packet first", &["first_packet_not_connect"]),
    ("v4/connect.mqtt", "DISCONNECT before CONNECT", &["first_packet_not_connect"]),
    ("v4/connect.mqtt", "PINGREQ before CONNECT", &["first_packet_not_connect"]),
    ("v4/connect.mqtt", "SUBSCRIBE before CONNECT", &["first_packet_not_connect"]),
    ("v4/connect.mqtt", "a second CONNECT", &["second_connect"]),
    ("v4/connect.mqtt", "a second CONNECT publishes the will", &["second_connect"]),
    ("v4/connect.mqtt", "another packet before CONNECT", &["first_packet_not_connect"]),
    ("v4/disconnect.mqtt", "nothing is answered after DISCONNECT", &["after_disconnect", "after_disconnect"]),
    ("v4/keep-alive.mqtt", "the longest Keep Alive", &["keep_alive_exceeded"]),
    ("v4/publish.mqtt", "DUP is not passed on", &["dup_on_first"]),
    ("v4/qos.mqtt", "PUBACK for a QoS 2 message", &["acknowledgement_of_other_kind"]),
    ("v4/qos.mqtt", "PUBACK for an identifier nobody knows", &["acknowledgement_for_nothing"]),
    ("v4/qos.mqtt", "PUBCOMP for an identifier nobody knows", &["acknowledgement_for_nothing"]),
    ("v4/qos.mqtt", "PUBREC for an identifier nobody knows", &["acknowledgement_for_nothing"]),
    ("v4/qos.mqtt", "PUBREL for an identifier nobody knows", &["acknowledgement_for_nothing"]),
    ("v4/redelivery.mqtt", "in a clean session the identifier is forgotten", &["dup_on_first"]),
    ("v5/auth.mqtt", "AUTH of length 0 lacks its method", &["auth_unasked"]),
    ("v5/auth.mqtt", "AUTH without a method in CONNECT", &["auth_unasked"]),
    ("v5/auth.mqtt", "re-authentication without a method in CONNECT", &["auth_unasked"]),
    ("v5/connect.mqtt", "PUBLISH before CONNECT", &["first_packet_not_connect"]),
    ("v5/connect.mqtt", "a second CONNECT", &["second_connect"]),
    ("v5/connect.mqtt", "another packet before CONNECT", &["first_packet_not_connect"]),
    ("v5/disconnect.mqtt", "the server does not answer DISCONNECT", &["after_disconnect"]),
    (
        "v5/flow-control.mqtt",
        "the client exceeds the server's Receive Maximum",
        &["receive_maximum_exceeded"],
    ),
    (
        "v5/flow-control.mqtt",
        "the client stays within the server's Receive Maximum",
        &["repeated_in_connection"],
    ),
    ("v5/flow-control.mqtt", "the quota does not grow above its start", &["acknowledgement_for_nothing"]),
    ("v5/keep-alive.mqtt", "supervision begins when the CONNECT is accepted", &["keep_alive_exceeded"]),
    ("v5/keep-alive.mqtt", "the longest Keep Alive", &["keep_alive_exceeded"]),
    ("v5/packet-size.mqtt", "a packet above the server's maximum", &["maximum_packet_size_exceeded"]),
    (
        "v5/packet-size.mqtt",
        "no Reason String in acknowledgements where it would not fit",
        &["acknowledgement_for_nothing", "acknowledgement_for_nothing"],
    ),
    ("v5/publish.mqtt", "DUP is not passed on", &["dup_on_first", "dup_on_first"]),
    (
        "v5/qos.mqtt",
        "PUBACK and PUBCOMP for unknown identifiers are survived",
        &["acknowledgement_for_nothing"],
    ),
    ("v5/qos.mqtt", "PUBREC for an unknown identifier", &["acknowledgement_for_nothing"]),
    ("v5/qos.mqtt", "PUBREL for an unknown identifier", &["acknowledgement_for_nothing"]),
    (
        "v5/qos.mqtt",
        "a QoS 2 PUBLISH repeated before PUBREL is delivered once",
        &["repeated_in_connection", "repeated_in_connection"],
    ),
    (
        "v5/request-response.mqtt",
        "no words when problem information is not wanted",
        &["acknowledgement_for_nothing", "acknowledgement_for_nothing"],
    ),
    ("v5/topic-alias.mqtt", "an alias above the maximum", &["topic_alias_above_maximum"]),
    ("v5/topic-alias.mqtt", "an alias where none is allowed", &["topic_alias_above_maximum"]),
    ("v5/topic-alias.mqtt", "an alias without a mapping", &["topic_alias_unknown"]),
    ("v5/topic-alias.mqtt", "mappings end with the connection", &["topic_alias_unknown"]),
];

fn transcripts() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts");
    let mut files: Vec<PathBuf> = Vec::new();
    for version in ["v3", "v4", "v5"] {
        let folder = std::fs::read_dir(root.join(version)).expect("transcripts");
        files.extend(folder.map(|entry| entry.expect("an entry").path()));
    }
    files.sort();
    let name = |path: &Path| path.strip_prefix(&root).expect("inside").to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).expect("text"))).collect()
}

/// The bytes of an expected packet: what is left open is left out.
fn expected(line: &str, version: Version) -> Option<Vec<u8>> {
    let packet = line.split_once('<')?.1.trim_start_matches('~');
    let packet = packet.split(" #").next().unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    for word in packet.split_whitespace() {
        match word.split_once("..") {
            _ if word == "..." || word.ends_with("=*") => {}
            Some((low, high)) if low.contains('=') && high.parse::<u64>().is_ok() => {
                words.push(low.to_owned())
            }
            _ => words.push(word.to_owned()),
        }
    }
    if words.first().is_some_and(|word| word == "CONNACK")
        && packet.contains("...")
        && !packet.contains("topic_alias_maximum")
    {
        // What the server always says.
        words.push("topic_alias_maximum=64".to_owned());
    }
    parse_sent(&words.join(" "), version).ok()
}

/// The packets in some bytes.
fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Ok(hexmq_wire::FrameStatus::Whole { length }) = hexmq_wire::scan_frame(bytes, u32::MAX) {
        let (frame, rest) = bytes.split_at(length);
        frames.push(frame);
        bytes = rest;
    }
    frames
}

/// A case on its way through the dialogues.
#[derive(Default)]
struct Play {
    dialogues: Dialogues,
    /// The connections that are open, by their names in the transcript.
    numbers: BTreeMap<String, u64>,
    opened: u64,
    clock: u64,
    findings: Vec<DialogueFinding>,
    packets: usize,
}

impl Play {
    fn packet(&mut self, connection: &str, from: Side, frame: &[u8]) {
        self.packets += 1;
        let at = Some(Timestamp(self.clock));
        self.findings.extend(self.dialogues.packet(self.numbers[connection], from, at, frame));
    }

    fn lost(&mut self, connection: &str) {
        if let Some(number) = self.numbers.get(connection) {
            self.dialogues.lost(*number, Side::Server);
        }
    }

    fn step(&mut self, action: &Action, line: &str) {
        if let Action::Open { connection, .. } | Action::Send { connection, .. } = action
            && !self.numbers.contains_key(connection)
        {
            self.opened += 1;
            self.numbers.insert(connection.clone(), self.opened);
            self.dialogues.open(self.opened);
        }
        match action {
            Action::Send { connection, bytes, .. } => {
                for frame in frames(bytes) {
                    self.packet(connection, Side::Client, frame);
                }
            }
            Action::Expect { connections, expected: expectation, .. } => {
                let known: Vec<&String> =
                    connections.iter().filter(|name| self.numbers.contains_key(*name)).collect();
                match (known.as_slice(), expected(line, expectation.version())) {
                    ([connection], Some(bytes)) if connections.len() == 1 => {
                        self.packet(connection, Side::Server, &bytes);
                    }
                    // Which one gets it, or what exactly, the transcript does not say.
                    (several, _) => several.iter().for_each(|connection| self.lost(connection)),
                }
            }
            Action::Anything { connection } => self.lost(connection),
            Action::Closed { connection } | Action::Leave { connection, .. } => {
                if let Some(number) = self.numbers.remove(connection) {
                    self.findings.extend(self.dialogues.close(number, Some(Timestamp(self.clock))));
                }
            }
            Action::Wait(time) => self.clock += time.as_nanos() as u64,
            _ => {}
        }
    }
}

#[test]
fn transcripts_are_blamed_for_what_they_do_on_purpose_only() {
    let mut blamed: BTreeMap<(String, String), Vec<&'static str>> = BTreeMap::new();
    let mut packets = 0;
    for (file, text) in transcripts() {
        let lines: Vec<&str> = text.lines().collect();
        let transcript = Transcript::parse(&file, &text).expect("a transcript");
        for case in &transcript.cases {
            let mut play = Play::default();
            for step in &case.steps {
                play.step(&step.action, lines[step.line - 1]);
            }
            packets += play.packets;
            let bad = play.findings.iter().filter(|finding| finding.severity() >= Severity::Suspicion);
            let codes: Vec<&str> = bad.map(|finding| finding.rule.name()).collect();
            if !codes.is_empty() {
                blamed.insert((file.clone(), case.name.clone()), codes);
            }
        }
    }
    assert!(packets > 1000, "{packets} packets");
    let on_purpose: BTreeMap<(String, String), Vec<&str>> = ON_PURPOSE
        .iter()
        .map(|(file, case, codes)| (((*file).to_owned(), (*case).to_owned()), codes.to_vec()))
        .collect();
    assert_eq!(blamed, on_purpose);
}
