//! The steps of a long run: each is announced, timed and remembered; the end says all in one table.

use std::time::Instant;

/// How a step ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It did what it is for; the text says how much, and may be empty.
    Done(String),
    /// It could not run here, and why.
    Skipped(String),
}

struct Row {
    name: &'static str,
    seconds: f64,
    result: Result<Outcome, String>,
}

/// A run in progress.
pub(crate) struct Steps {
    started: Instant,
    rows: Vec<Row>,
    closing: Vec<String>,
}

impl Steps {
    /// Nothing done yet.
    pub(crate) fn new() -> Steps {
        Steps { started: Instant::now(), rows: Vec::new(), closing: Vec::new() }
    }

    /// Does one step. A failure is printed and remembered; `false` tells the caller, who may stop.
    pub(crate) fn step(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<Outcome, String>,
    ) -> bool {
        println!("\n==> {name}");
        let begun = Instant::now();
        let result = work();
        let seconds = begun.elapsed().as_secs_f64();
        match &result {
            Ok(Outcome::Done(text)) if text.is_empty() => println!("    {name}: done in {seconds:.1} s"),
            Ok(Outcome::Done(text)) => println!("    {name}: {text}, in {seconds:.1} s"),
            Ok(Outcome::Skipped(why)) => println!("    {name}: SKIPPED after {seconds:.1} s: {why}"),
            Err(error) => println!("    {name}: FAILED after {seconds:.1} s\n{error}"),
        }
        let good = result.is_ok();
        self.rows.push(Row { name, seconds, result });
        good
    }

    /// Lines of a test runner that are repeated at the very end.
    pub(crate) fn close_with(&mut self, lines: impl IntoIterator<Item = String>) {
        self.closing.extend(lines);
    }

    /// Prints the table and the closing lines; the error says how many steps failed.
    pub(crate) fn finish(self) -> Result<(), String> {
        println!("\n==> summary");
        for row in &self.rows {
            let (mark, text) = match &row.result {
                Ok(Outcome::Done(text)) => ("ok", text.as_str()),
                Ok(Outcome::Skipped(why)) => ("skipped", why.as_str()),
                Err(error) => ("FAILED", error.lines().next().unwrap_or_default()),
            };
            println!("    {:<28} {:>7.1} s  {:<8} {}", row.name, row.seconds, mark, text);
        }
        println!("    {:<28} {:>7.1} s", "all", self.started.elapsed().as_secs_f64());
        for line in &self.closing {
            println!("{line}");
        }
        let failed: Vec<_> = self.rows.iter().filter(|row| row.result.is_err()).map(|row| row.name).collect();
        if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
    }
}
