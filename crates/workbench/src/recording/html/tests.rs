//! The page holds the recording, and nothing of it can break the page.

use proptest::prelude::*;

use super::{is_html, read_html, write_html};
use crate::recording::{Chunk, Close, Entry, Head, Note, Open, Recording, Timestamp, Via};
use crate::{Language, Side};

fn page(recording: &Recording) -> String {
    let mut page = Vec::new();
    write_html(recording, Language::English, &mut page).expect("in memory");
    String::from_utf8(page).expect("UTF-8")
}

fn chunk(at: u64, from: Side, bytes: &[u8]) -> Entry {
    Entry::Bytes(Chunk { at: Timestamp(at), connection: 1, from, bytes: bytes.to_vec() })
}

fn recording(entries: Vec<Entry>) -> Recording {
    Recording {
        head: Head { by: Some("hexmq </script> test".to_owned()), ..Head::default() },
        entries,
        cut_off: false,
    }
}

/// A dialogue with everything that a page has to show.
fn dialogue() -> Recording {
    let open = Open {
        at: Timestamp(1),
        connection: 1,
        client: "192.0.2.7:5000".to_owned(),
        server: "192.0.2.1:1883".to_owned(),
        via: Via::Tcp,
    };
    let note = Note {
        at: Timestamp(6),
        connection: Some(1),
        text: "<b>refused</b>".to_owned(),
        reason: Some("not_authorized".to_owned()),
        ..Note::default()
    };
    recording(vec![
        Entry::Open(open),
        chunk(2, Side::Client, &[0x10, 0x10, 0, 4, 0x4D, 0x51, 0x54, 0x54, 4, 2]),
        chunk(3, Side::Client, &[0, 60, 0, 4, 0x64, 0x65, 0x76, 0x31]),
        chunk(4, Side::Server, &[0x20, 2, 1, 0]),
        chunk(5, Side::Client, b"\x30\x1b\0\x03a/b</script><img src=x>\x01&"),
        Entry::Note(note),
        chunk(7, Side::Client, &[0x82, 200]),
        Entry::Close(Close { at: Timestamp(9), connection: 1, by: Some(Side::Server), reason: None }),
    ])
}

#[test]
fn packets_are_explained_in_both_languages_and_read_back() {
    let recording = dialogue();
    let page = page(&recording);
    assert!(is_html(page.as_bytes()));
    assert_eq!(read_html(page.as_bytes(), usize::MAX).expect("read"), recording);
    for part in [
        "CONNECT",
        "dev1",
        "客户端",
        "href=\"#c1m1\"",
        "id=\"c1m1\"",
        // Only the dialogue shows this one.
        "session_present_after_clean_session",
        "closed by the server",
        "&lt;b&gt;refused&lt;/b&gt;",
        "not_authorized",
        "not whole",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn nothing_in_it_becomes_markup_or_comes_from_elsewhere() {
    let page = page(&dialogue());
    assert!(!page.contains("<img"), "a payload is text");
    assert!(!page.contains("<b>refused"), "a note is text");
    assert_eq!(page.matches("</script>").count(), 2, "the recording's and the page's own");
    for reference in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.replace("src=x", "").contains(reference), "{reference}");
    }
}

#[test]
fn a_page_without_a_recording_is_told_so() {
    for page in [
        "",
        "<!doctype html>\n<p>hello\n",
        "<script type=\"application/json\" id=\"hexmq-recording\">[\n{}\n",
    ] {
        let error = read_html(page.as_bytes(), usize::MAX).expect_err("nothing to read").to_string();
        assert!(error.contains("not a recording"), "{error}");
    }
    let endless = std::io::BufReader::new(std::io::Read::take(std::io::repeat(b'x'), 5_000_000));
    assert!(read_html(endless, usize::MAX).is_err());
    let mut broken = page(&dialogue());
    broken = broken.replacen("\"from\":\"client\"", "\"from\":\"nobody\"", 1);
    let error = read_html(broken.as_bytes(), usize::MAX).expect_err("broken").to_string();
    let line = broken.lines().position(|line| line.contains("nobody")).expect("a line") + 1;
    assert!(error.starts_with(&format!("line {line}: `from` is \"nobody\"")), "{error}");
    assert!(
        read_html(page(&dialogue()).as_bytes(), 100)
            .is_err_and(|error| error.to_string().contains("more than"))
    );
}

proptest! {
    #[test]
    fn any_traffic_gives_a_page_that_reads_back(
        chunks in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 1..60)), 0..8),
        text in "\\PC{0,20}|[<>&\"'\\x00-\\x1f/]{0,20}",
    ) {
        let mut entries = vec![Entry::Note(Note { text, ..Note::default() })];
        for (index, (client, bytes)) in chunks.iter().enumerate() {
            let from = if *client { Side::Client } else { Side::Server };
            entries.push(chunk(index as u64, from, bytes));
        }
        let recording = recording(entries);
        let page = page(&recording);
        prop_assert_eq!(page.matches("<script").count(), 2);
        prop_assert_eq!(read_html(page.as_bytes(), usize::MAX).expect("read"), recording);
    }
}
