//! What a person sees, as files. `HEXMQ_UPDATE=1 cargo test -p hexmq-workbench` writes them anew;
//! the difference is then reviewed as text.

use std::path::Path;

use hexmq_workbench::{Language, Layout, Options, explain, parse_hex, render, width};

/// Name of the snapshot and the packets in it.
const PAGES: &[(&str, &str)] = &[
    (
        "connect",
        "10 25 00 04 4d 51 54 54 04 c2 00 78 00 09 39 30 31 35 30 35 38 32 34 00 06 34 39 31 36 34 34 00 06 31 32 33 \
         34 35 36",
    ),
    (
        "dialogue",
        "20 02 00 00 82 0e 00 01 00 09 6b 66 62 5f 74 6f 70 69 63 01 90 03 00 01 01 c0 00 d0 00 e0 00",
    ),
    ("qos_2", "35 11 00 09 6b 66 62 5f 74 6f 70 69 63 00 0a 31 32 33 34 50 02 00 0a 62 02 00 0a 70 02 00 0a"),
    ("unsubscribe", "a2 0d 00 01 00 09 6b 66 62 5f 74 6f 70 69 63 b0 02 00 01"),
    ("refused", "20 02 00 04"),
    ("wrong_flags", "80 0e 00 01 00 09 61 70 70 5f 74 6f 70 69 63 00"),
    ("wrong_length_in_decimal", "82 0a 00 01 00 51 61 62 63 2f 64 00"),
    ("cut_off", "10 25 00 04 4d 51 54 54 04 c2 00 78 00 09 39 30 31 35 30 35 38 32 34 00 06 34 39"),
    (
        "length_left_out",
        "10 00 04 4d 51 54 54 04 c2 00 78 00 09 39 30 31 35 30 35 38 32 34 00 06 34 39 31 36 34 34 00 06 31 32 33 34 35 \
         36",
    ),
    ("garbage", "0d 0a 00 20 02 00 00 00 00 c0 00"),
    ("line_end", "c0 00 0d 0a"),
    ("hex_as_text", "63 30 30 30"),
    (
        "length_too_large",
        "10 27 00 04 4d 51 54 54 04 c2 00 78 00 09 39 30 31 35 30 35 38 32 34 00 06 34 39 31 36 34 34 00 06 31 32 33 \
         34 35 36",
    ),
    ("no_identifier", "32 17 00 03 61 2f 62 7b 22 74 22 3a 32 33 2e 35 2c 22 6f 6e 22 3a 31 7d 0a"),
    (
        "session_present",
        "10 10 00 04 4d 51 54 54 04 02 00 78 00 04 64 65 76 31 20 02 01 00 82 06 00 01 00 01 61 00 90 03 00 01 01",
    ),
    (
        "connect_5",
        "10 31 00 04 4d 51 54 54 05 c6 00 3c 0f 11 00 00 01 2c 21 00 14 26 00 01 61 00 01 62 00 03 64 65 76 05 18 00 \
         00 00 05 00 01 77 00 01 78 00 01 75 00 01 70",
    ),
    ("connack_5", "20 13 01 00 10 12 00 02 69 64 24 01 13 00 1e 25 00 1f 00 01 6f"),
    ("disconnect_5", "e0 09 8e 07 1f 00 04 67 6f 6e 65"),
    (
        "long_payload",
        "30 77 00 03 24 64 70 03 00 6f \
         7b227265645f6c6564223a312c22677265656e5f6c6564223a312c2279656c6c6f775f6c6564223a312c22626c75655f6c6564223a312c\
         2274656d7065726174757265223a32332e352c2268756d6964697479223a36312c22627574746f6e223a302c22757074696d65223a317d0a",
    ),
    (
        "aliyun_connect",
        "10 65 00 04 4d 51 54 54 04 c2 00 3c 00 25 \
         443030317c7365637572656d6f64653d332c7369676e6d6574686f643d686d61636d64357c 00 10 4430303126693564726230744f356c69 \
         00 20 3539306538646163373337623137633535356435623231663831623630626534",
    ),
    (
        "aliyun_method",
        "30 90 01 00 2f 2f7379732f693564726230744f356c692f443030312f7468696e672f6576656e742f70726f70657274792f706f7374 \
         7b226d6574686f64223a227468696e672e6576656e742e70726f70657274792e70757374222c226964223a2230303031222c22706172616d73\
         223a7b22506f776572537769746368223a317d2c2276657273696f6e223a22312e302e30227d",
    ),
    ("onenet_length", "32 11 00 03 24 64 70 00 0a 03 00 40 7b 22 61 22 3a 31 7d"),
    (
        "onenet_floats",
        "30 20 00 03 24 64 70 87 11 08 0c 0d 1e 2d 00 01 00 02 00 00 08 42 66 66 a2 c1 24 37 00 01 00 00 c0 3f",
    ),
];

#[test]
fn the_terminal_shows_what_the_snapshots_show() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let update = std::env::var_os("HEXMQ_UPDATE").is_some();
    let mut different = Vec::new();
    for (language, suffix) in [(Language::English, "en"), (Language::Chinese, "zh")] {
        for (name, hex) in PAGES {
            let bytes = parse_hex(hex).expect("hex");
            let explanation = explain(&bytes, &Options { language, ..Options::default() });
            let layout = Layout { width: 100, colour: false, language, whole: false };
            let page = render(&bytes, &explanation, &layout);
            assert!(page.lines().all(|line| width(line) <= 100), "{name}: a line is too long:\n{page}");
            let file = directory.join(format!("{name}.{suffix}.txt"));
            if update {
                std::fs::write(&file, &page).expect("written");
            } else if std::fs::read_to_string(&file).unwrap_or_default() != page {
                different.push(format!("{}:\n{page}", file.display()));
            }
        }
    }
    assert!(different.is_empty(), "HEXMQ_UPDATE=1 accepts these pages:\n{}", different.join("\n"));
}

#[test]
fn colour_adds_nothing_but_escape_sequences() {
    for (name, hex) in PAGES {
        let bytes = parse_hex(hex).expect("hex");
        let explanation = explain(&bytes, &Options::default());
        let layout = Layout { width: 80, colour: false, language: Language::English, whole: true };
        let plain = render(&bytes, &explanation, &layout);
        let coloured = render(&bytes, &explanation, &Layout { colour: true, ..layout });
        assert!(coloured.contains("\x1b["), "{name}");
        assert_eq!(without_escapes(&coloured), plain, "{name}");
    }
}

fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, text)| text));
    }
    plain
}
