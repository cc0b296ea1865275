//! How far a large file is, on a terminal.

use std::io::Write;
use std::time::{Duration, Instant};

use hexmq_workbench::Language;

/// Files that are read in the blink of an eye need no bar.
const WORTH_A_BAR: u64 = 32 << 20;
const EVERY: Duration = Duration::from_millis(100);

/// A bar on standard error, or nothing.
pub(super) struct Progress {
    length: Option<u64>,
    language: Language,
    started: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// For a file of this length; without one nothing is shown.
    pub(super) fn new(length: Option<u64>, language: Language) -> Progress {
        let length = length.filter(|&length| length >= WORTH_A_BAR);
        Progress { length, language, started: Instant::now(), shown: None }
    }

    /// So many bytes are read. Goes on always.
    pub(super) fn at(&mut self, bytes: u64) -> bool {
        if let Some(length) = self.length {
            let now = Instant::now();
            if self.shown.is_none_or(|shown| now - shown >= EVERY) {
                self.shown = Some(now);
                let line = line(bytes, length, now - self.started, self.language);
                // What cannot be shown is not worth ending for.
                let _ = write!(std::io::stderr(), "\r{line}");
            }
        }
        true
    }

    /// Takes the bar away.
    pub(super) fn clear(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(std::io::stderr(), "\r{:60}\r", "");
        }
    }
}

fn line(bytes: u64, length: u64, elapsed: Duration, language: Language) -> String {
    const CELLS: u64 = 20;
    let part = bytes.min(length);
    let cells = (part * CELLS / length.max(1)) as usize;
    let percent = part * 100 / length.max(1);
    let bar = format!("{}{}", "#".repeat(cells), ".".repeat(CELLS as usize - cells));
    let of = length >> 20;
    let speed = part as f64 / 1e6 / elapsed.as_secs_f64().max(0.001);
    match language {
        Language::English => format!("[{bar}] {percent:3} % of {of} MiB, {speed:.0} MB/s "),
        Language::Chinese => format!("[{bar}] {percent:3} %，共 {of} MiB，{speed:.0} MB/s "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_and_never_overflows() {
        let line = |bytes| super::line(bytes, 100 << 20, Duration::from_secs(1), Language::English);
        assert!(line(0).starts_with("[....................]   0 %"));
        assert!(line(50 << 20).starts_with("[##########..........]  50 %"));
        assert!(line(200 << 20).starts_with("[####################] 100 %"));
    }
}
