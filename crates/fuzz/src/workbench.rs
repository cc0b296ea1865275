//! The workbench: whatever the bytes are, every one is told once, what is offered as a repair decodes
//! clean, and nobody is accused who did nothing.

use hexmq_wire::Version;
use hexmq_workbench::recording::Timestamp;
use hexmq_workbench::{
    Dialogues, Field, Language, Layout, LintRule, Options, Outcome, Packet, Severity, Side, explain, render,
};

use crate::bytes::Bytes;
use crate::valid::{Dice, packet};

const VERSIONS: [Option<Version>; 4] = [None, Some(Version::V3), Some(Version::V4), Some(Version::V5)];
const SIDES: [Option<Side>; 3] = [None, Some(Side::Client), Some(Side::Server)];

/// Bytes as a stream; the first one chooses how to read it.
pub fn explained(input: &[u8]) {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let choice = usize::from(choice);
    let language = if choice & 0x80 == 0 { Language::English } else { Language::Chinese };
    let options = Options { from: SIDES[choice / 4 % 3], version: VERSIONS[choice % 4], language };
    let explanation = explain(bytes, &options);
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    for packet in &explanation.packets {
        pieces.push((packet.offset, packet.length));
        check_packet(packet, &options);
    }
    pieces.extend(explanation.skipped.iter().map(|stray| (stray.offset, stray.length)));
    pieces.extend(explanation.rest.iter().map(|rest| (rest.offset, rest.length)));
    pieces.sort_unstable();
    let end = pieces.iter().fold(0, |at, &(offset, length)| {
        assert_eq!(at, offset, "no byte is told twice or not at all");
        offset + length
    });
    assert_eq!(end, bytes.len());
    let page = render(bytes, &explanation, &Layout { width: 80, colour: true, language, whole: true });
    assert!(!page.is_empty());
    assert!(explanation.to_json().is_object());
}

fn check_packet(packet: &Packet, options: &Options) {
    let end = packet.offset + packet.length;
    check_spans(&packet.fields, packet.offset, end);
    for finding in &packet.findings {
        // A length that is wrong may stand in bytes that the packet as framed leaves out.
        let end = end + packet.forgotten;
        assert!(finding.offset >= packet.offset && finding.offset + finding.length <= end, "{finding:?}");
        assert!(!finding.message.is_empty());
        let Some(repair) = &finding.repair else { continue };
        let again = explain(repair, &Options { version: Some(packet.version), ..*options });
        assert_eq!(again.packets.len(), 1, "{finding:?}");
        for left in again.findings() {
            assert!(LintRule::from_name(left.code).is_some(), "{finding:?} leaves {left:?}");
        }
    }
}

fn check_spans(fields: &[Field], first: usize, end: usize) {
    for field in fields {
        assert!(field.offset >= first && field.offset + field.length <= end, "{field:?} in {first}..{end}");
        check_spans(&field.fields, first, end);
    }
}

/// Bytes as packets of some connections, with sides and times in front of each.
pub fn dialogue(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let mut dialogues = Dialogues::new();
    let mut clock = 0u64;
    while !bytes.is_empty() {
        let choice = bytes.byte();
        let connection = u64::from(choice & 3);
        clock += u64::from(bytes.byte()) * 1_000_000_000;
        let at = (choice & 4 == 0).then_some(Timestamp(clock));
        let from = if choice & 8 == 0 { Side::Client } else { Side::Server };
        let before = dialogues.dialogue(connection).map_or(0, |dialogue| dialogue.packets());
        let findings = match choice >> 4 {
            0 => {
                dialogues.open(connection);
                Vec::new()
            }
            1 => dialogues.close(connection, at),
            2 => {
                dialogues.lost(connection, from);
                Vec::new()
            }
            _ => {
                let length = bytes.below(64);
                let frame = bytes.take(length);
                dialogues.packet(connection, from, at, frame)
            }
        };
        for finding in findings {
            assert!(finding.packet <= before, "{finding:?} speaks of a packet to come");
            assert!(!finding.message(Language::English).is_empty());
            assert!(!finding.message(Language::Chinese).is_empty());
        }
    }
}

/// Packets that break no rule, three in a row from one side: nothing is said against them.
pub fn valid_packets(input: &[u8]) {
    let mut dice = Dice::new(input);
    let version = [Version::V3, Version::V4, Version::V5][dice.below(3)];
    let from_client = dice.below(2) == 0;
    let mut stream = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..3 {
        stream.extend(packet(&mut dice, version, from_client));
        ends.push(stream.len());
    }
    let side = if from_client { Side::Client } else { Side::Server };
    let options = Options { from: Some(side), version: Some(version), ..Options::default() };
    accuses_nobody(&stream, &ends, &options);
    // Each look costs; every so often is often enough.
    if dice.below(8) == 0 {
        accuses_nobody(&stream, &ends, &Options { from: None, ..options });
        cut_off(&stream, dice.below(stream.len()), &options);
    }
}

/// The packets are found where they are, and nothing is said against them.
fn accuses_nobody(stream: &[u8], ends: &[usize], options: &Options) {
    let explanation = explain(stream, options);
    let found: Vec<usize> = explanation.packets.iter().map(|packet| packet.offset + packet.length).collect();
    assert_eq!(found, ends, "{stream:02x?}");
    let accusation = explanation.findings().chain(explanation.dialect_findings()).next();
    assert!(accusation.is_none(), "{accusation:?} in {stream:02x?}");
    assert_eq!(explanation.outcome(), Outcome::Clean, "{stream:02x?}");
}

/// The same cut off somewhere: it needs more bytes, and that is no fault.
fn cut_off(stream: &[u8], at: usize, options: &Options) {
    let (there, _) = stream.split_at(at);
    let explanation = explain(there, options);
    let accusation = explanation.findings().chain(explanation.dialect_findings()).next();
    assert!(accusation.is_none(), "{accusation:?} in {there:02x?}");
    assert!(explanation.skipped.is_empty(), "{there:02x?}");
    if let Some(rest) = &explanation.rest {
        assert!(rest.needs.is_some(), "{there:02x?}");
        let begun = rest.begun.iter().flat_map(|packet| &packet.findings);
        for finding in begun.filter(|finding| finding.severity == Severity::Fault) {
            assert!(LintRule::from_name(finding.code).is_some(), "{finding:?} in {there:02x?}");
        }
    }
}
