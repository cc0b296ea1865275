//! What a server said then and now.

/// Lines that are compared in full; beyond, one after the other.
const TABLE_MAX: usize = 4_000_000;

/// What differs, in order: `- PACKET` was recorded and is missing now, `+ PACKET` is new.
pub(super) fn differences(recorded: &[String], now: &[String]) -> Vec<String> {
    let (then_words, now_words) = (plain(recorded), plain(now));
    let begin = then_words.iter().zip(&now_words).take_while(|(a, b)| a == b).count();
    let (a, b) = (rest(&then_words, begin), rest(&now_words, begin));
    let mut out = Vec::new();
    if a.len().saturating_mul(b.len()) > TABLE_MAX {
        for (sign, lines, from) in [('-', recorded, begin), ('+', now, begin)] {
            out.extend(lines.iter().skip(from).map(|line| format!("{sign} {line}")));
        }
        return out;
    }
    let common = common(a, b);
    let width = b.len() + 1;
    let at = |i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let same = a.get(i).is_some() && a.get(i) == b.get(j);
        if same {
            (i, j) = (i + 1, j + 1);
        } else if j >= b.len() || i < a.len() && at(i + 1, j) >= at(i, j + 1) {
            out.extend(recorded.get(begin + i).map(|line| format!("- {line}")));
            i += 1;
        } else {
            out.extend(now.get(begin + j).map(|line| format!("+ {line}")));
            j += 1;
        }
    }
    out
}

fn rest(lines: &[String], from: usize) -> &[String] {
    lines.get(from..).unwrap_or_default()
}

/// For each place in both the length of the longest row of lines that both have from there on.
fn common(a: &[String], b: &[String]) -> Vec<u32> {
    let width = b.len() + 1;
    let mut table = vec![0u32; (a.len() + 1) * width];
    for (i, left) in a.iter().enumerate().rev() {
        for (j, right) in b.iter().enumerate().rev() {
            let get = |i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
            let best = if left == right { get(i + 1, j + 1) + 1 } else { get(i + 1, j).max(get(i, j + 1)) };
            if let Some(cell) = table.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    table
}

/// Without what a server is free to choose.
fn plain(lines: &[String]) -> Vec<String> {
    const CHOSEN: [&str; 2] = ["pid=", "assigned_client_identifier="];
    let plain = |line: &String| {
        let words = line.split(' ').filter(|word| !CHOSEN.iter().any(|chosen| word.starts_with(chosen)));
        words.collect::<Vec<_>>().join(" ")
    };
    lines.iter().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::differences;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn only_what_differs_is_told() {
        let then = lines(&["CONNACK 0x00", "SUBACK pid=1 codes=0x01", "PUBLISH pid=1 topic=a", "PINGRESP"]);
        assert!(differences(&then, &then).is_empty());
        let now = lines(&[
            "CONNACK 0x00",
            "SUBACK pid=1 codes=0x80",
            "PUBLISH pid=9 topic=a",
            "PINGRESP",
            "PINGRESP",
        ]);
        assert_eq!(
            differences(&then, &now),
            ["- SUBACK pid=1 codes=0x01", "+ SUBACK pid=1 codes=0x80", "+ PINGRESP"]
        );
        assert_eq!(differences(&then, &[]).len(), 4);
        assert_eq!(differences(&[], &then).len(), 4);
        assert!(differences(&[], &[]).is_empty());
    }

    #[test]
    fn very_long_ones_are_told_too() {
        let then: Vec<String> = (0..3000).map(|n| format!("a{n}")).collect();
        let now: Vec<String> = (0..3000).map(|n| format!("b{n}")).collect();
        assert_eq!(differences(&then, &now).len(), 6000);
    }
}
