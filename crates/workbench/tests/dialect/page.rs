//! The page that lists what is said by the rules of clouds.

use std::path::Path;

/// The names in the sources of the dialects and of their layers, against the tables of the page.
#[test]
fn every_code_is_in_the_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/dialects.md")).expect("the page");
    let told: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(code, _)| code))
        .collect();
    let mut codes = Vec::new();
    for folder in ["crates/dialect-onenet/src", "crates/dialect-aliyun/src", "crates/workbench/src/dialect"] {
        collect_codes(&root.join(folder), &mut codes);
    }
    assert!(codes.len() > 60, "the names are where they were: {codes:?}");
    for code in &codes {
        assert!(told.contains(&code.as_str()), "{code} is not in the page");
    }
    for code in &told {
        assert!(codes.iter().any(|it| it == code), "{code} is in the page only");
    }
}

fn collect_codes(folder: &Path, codes: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect_codes(&path, codes);
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("a source");
        for line in source.lines() {
            let is_rule =
                (line.contains("Rule::") || line.contains("NoticeKind::")) && line.contains(" => \"");
            // What a dialect answers itself, an order it cannot say or a diagnosis, is no finding in a packet.
            let is_finding =
                line.contains("code: \"") && !folder.to_string_lossy().contains("crates/dialect-");
            let is_own = is_finding || line.contains("\", Severity::") || line.contains("found.push((\"");
            if is_rule || is_own {
                // What names a field stands before the code; of a pair pushed the code is the first.
                let quoted: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
                let is_code =
                    |word: &&&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                let code = if line.contains("found.push") { quoted.first() } else { quoted.last() };
                codes.extend(code.filter(is_code).map(|code| (*code).to_owned()));
            }
        }
    }
}
