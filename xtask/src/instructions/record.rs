//! The recorded counts, and what new ones say beside them.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::conditions::Conditions;
use super::count::Count;

/// Growth above this fails, a fall below it is told.
const TOLERANCE_PERCENT: f64 = 3.0;
/// A change of so few instructions per operation is neither.
const TOLERANCE_INSTRUCTIONS: f64 = 1.0;

const WRITE: &str = "`cargo xtask instructions --write`";

const HEAD: &str = "\
# Instructions per operation of the micro benches, counted by callgrind under these conditions. Growth of
# more than 3 % fails; `cargo xtask instructions --write` records anew, and the commit says why.
";

/// The recorded counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) conditions: Conditions,
    counts: Vec<Count>,
}

impl FromStr for Record {
    type Err = String;

    fn from_str(text: &str) -> Result<Record, String> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let mut record = Record { conditions: Conditions(String::new()), counts: Vec::new() };
        for (index, line) in lines {
            if let Some(conditions) = line.strip_prefix("conditions: ") {
                record.conditions = Conditions(conditions.to_owned());
                continue;
            }
            let entry =
                line.split_once(' ').and_then(|(name, number)| Some((name, number.trim().parse().ok()?)));
            let (name, instructions) = entry.ok_or_else(|| format!("{}: not `NAME NUMBER`", index + 1))?;
            record.counts.push(Count { name: name.to_owned(), instructions });
        }
        Ok(record)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{HEAD}conditions: {}\n\n", self.conditions)?;
        for Count { name, instructions } in &self.counts {
            writeln!(formatter, "{name:<40} {instructions:>9.1}")?;
        }
        Ok(())
    }
}

impl Record {
    /// With the new counts in place of those that `was_wanted`.
    pub(super) fn renewed(
        &self,
        conditions: Conditions,
        counted: &[Count],
        was_wanted: impl Fn(&str) -> bool,
    ) -> Record {
        let kept = self.counts.iter().filter(|count| !was_wanted(&count.name));
        let mut counts: Vec<Count> = kept.chain(counted).cloned().collect();
        counts.sort_by(|a, b| a.name.cmp(&b.name));
        Record { conditions, counts }
    }
}

/// What to make of one scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Same,
    Grown,
    Fallen,
    /// Counted, but not recorded.
    New,
    /// Recorded, but there is no such scenario.
    Gone,
}

#[derive(Clone, Debug)]
struct Row {
    name: String,
    recorded: Option<f64>,
    counted: Option<f64>,
    verdict: Verdict,
}

/// New counts beside the recorded ones, by name.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    rows: Vec<Row>,
}

impl Judgement {
    /// Of the scenarios that `are_wanted`.
    pub(super) fn new(record: &Record, counted: &[Count], are_wanted: impl Fn(&str) -> bool) -> Judgement {
        let mut both: BTreeMap<&str, (Option<f64>, Option<f64>)> = BTreeMap::new();
        for count in record.counts.iter().filter(|count| are_wanted(&count.name)) {
            both.entry(&count.name).or_default().0 = Some(count.instructions);
        }
        for count in counted {
            both.entry(&count.name).or_default().1 = Some(count.instructions);
        }
        let row = |(name, (recorded, counted)): (&str, _)| Row {
            name: name.to_owned(),
            recorded,
            counted,
            verdict: verdict(recorded, counted),
        };
        Judgement { rows: both.into_iter().map(row).collect() }
    }

    /// Those of which this is so.
    pub(super) fn only(&self, wanted: impl Fn(Verdict) -> bool) -> Judgement {
        Judgement { rows: self.rows.iter().filter(|row| wanted(row.verdict)).cloned().collect() }
    }

    /// A line for each: recorded, counted, per cent, what to make of it.
    pub(super) fn table(&self) -> String {
        let mut table = String::new();
        for row in &self.rows {
            let number =
                |number: Option<f64>| number.map_or("–".to_owned(), |number| format!("{number:.1}"));
            let word = match row.verdict {
                Verdict::Same => "",
                Verdict::Grown => "GROWN",
                Verdict::Fallen => "fallen",
                Verdict::New => "new",
                Verdict::Gone => "gone",
            };
            let percent = row.percent().map_or(String::new(), |percent| format!("{percent:+.1} %"));
            let (recorded, counted) = (number(row.recorded), number(row.counted));
            let line = format!("{:<40} {recorded:>9} → {counted:>9} {percent:>9}  {word}", row.name);
            // Writing to a String cannot fail.
            let _ = writeln!(table, "{}", line.trim_end());
        }
        table
    }

    /// A line that sums up; the error says what has grown, and what to do.
    pub(super) fn verdict(&self) -> Result<String, String> {
        let with = |verdict| self.rows.iter().filter(move |row| row.verdict == verdict);
        let mut faults: Vec<String> = with(Verdict::Grown).map(Row::growth).collect();
        if !faults.is_empty() {
            faults.push(format!("make it cheaper, or say in the commit why it is worth it, with {WRITE}"));
        }
        let unrecorded = faults.len();
        faults.extend(with(Verdict::New).map(|row| format!("{} is not recorded", row.name)));
        faults.extend(with(Verdict::Gone).map(|row| format!("{} is recorded, but there is none", row.name)));
        if faults.len() > unrecorded {
            faults.push(format!("{WRITE} records what there is"));
        }
        if !faults.is_empty() {
            return Err(faults.join("\n"));
        }
        let fallen = with(Verdict::Fallen).count();
        let most = self.rows.iter().filter_map(Row::percent).fold(0.0_f64, f64::max);
        let mut told = format!("{} paths, none grown by more than {most:.1} %", self.rows.len());
        if fallen > 0 {
            let _ = write!(told, "; {fallen} have fallen, and {WRITE} keeps it so");
        }
        Ok(told)
    }
}

impl Row {
    fn percent(&self) -> Option<f64> {
        let percent = (self.counted? / self.recorded? - 1.0) * 100.0;
        // What is shown as zero has no sign.
        Some(if percent.abs() < 0.05 { 0.0 } else { percent })
    }

    fn growth(&self) -> String {
        let (recorded, counted) = (self.recorded.unwrap_or_default(), self.counted.unwrap_or_default());
        format!(
            "{} has grown to {counted:.1} instructions per operation from {recorded:.1} ({:+.1} %, {TOLERANCE_PERCENT} % at most)",
            self.name,
            self.percent().unwrap_or_default()
        )
    }
}

fn verdict(recorded: Option<f64>, counted: Option<f64>) -> Verdict {
    let (recorded, counted) = match (recorded, counted) {
        (Some(recorded), Some(counted)) => (recorded, counted),
        (None, _) => return Verdict::New,
        (_, None) => return Verdict::Gone,
    };
    let tolerated = (recorded * TOLERANCE_PERCENT / 100.0).max(TOLERANCE_INSTRUCTIONS);
    if counted > recorded + tolerated {
        Verdict::Grown
    } else if counted < recorded - tolerated {
        Verdict::Fallen
    } else {
        Verdict::Same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions() -> Conditions {
        Conditions("rustc 1.95.0, avx2".to_owned())
    }

    fn counts(counts: &[(&str, f64)]) -> Vec<Count> {
        counts.iter().map(|&(name, instructions)| Count { name: name.to_owned(), instructions }).collect()
    }

    fn judged(recorded: &[(&str, f64)], counted: &[(&str, f64)]) -> Judgement {
        let record = Record { conditions: conditions(), counts: counts(recorded) };
        Judgement::new(&record, &counts(counted), |_| true)
    }

    #[test]
    fn growth_above_three_per_cent_fails_and_names_both_numbers() {
        assert!(judged(&[("a/b", 1000.0)], &[("a/b", 1030.0)]).verdict().is_ok());
        let error =
            judged(&[("a/b", 1000.0), ("a/c", 5.0)], &[("a/b", 1030.1), ("a/c", 5.0)]).verdict().unwrap_err();
        assert_eq!(
            error,
            "a/b has grown to 1030.1 instructions per operation from 1000.0 (+3.0 %, 3 % at most)\n\
             make it cheaper, or say in the commit why it is worth it, with `cargo xtask instructions --write`"
        );
    }

    #[test]
    fn one_instruction_is_no_growth() {
        assert!(judged(&[("a/b", 10.0)], &[("a/b", 11.0)]).verdict().is_ok());
        assert!(judged(&[("a/b", 10.0)], &[("a/b", 11.1)]).verdict().is_err());
    }

    #[test]
    fn a_fall_is_told() {
        let told =
            judged(&[("a/b", 100.0), ("a/c", 100.0)], &[("a/b", 90.0), ("a/c", 101.0)]).verdict().unwrap();
        assert_eq!(
            told,
            "2 paths, none grown by more than 1.0 %; 1 have fallen, and `cargo xtask instructions --write` keeps it so"
        );
    }

    #[test]
    fn what_is_not_recorded_and_what_is_not_there_fail() {
        let error = judged(&[("a/old", 1.0)], &[("a/new", 1.0)]).verdict().unwrap_err();
        assert_eq!(
            error,
            "a/new is not recorded\na/old is recorded, but there is none\n\
             `cargo xtask instructions --write` records what there is"
        );
    }

    #[test]
    fn a_table_shows_recorded_counted_and_per_cent() {
        let judged = judged(
            &[("a/b", 100.0), ("a/c", 99.9), ("a/gone", 7.0)],
            &[("a/b", 110.0), ("a/c", 99.88), ("a/new", 3.0)],
        );
        let line = |name: &str, rest: &str| format!("{name:<40} {rest}\n");
        assert_eq!(
            judged.table(),
            line("a/b", "    100.0 →     110.0   +10.0 %  GROWN")
                + &line("a/c", "     99.9 →      99.9    +0.0 %")
                + &line("a/gone", "      7.0 →         –            gone")
                + &line("a/new", "        – →       3.0            new")
        );
        assert_eq!(judged.only(|verdict| verdict == Verdict::Grown).table().lines().count(), 1);
    }

    #[test]
    fn a_record_reads_as_it_is_written() {
        let record = Record { conditions: conditions(), counts: counts(&[("a/b", 100.5), ("a/c", 7.0)]) };
        assert_eq!(record.to_string().parse::<Record>().unwrap(), record);
        assert_eq!("a/b 1\na/c x\n".parse::<Record>().unwrap_err(), "2: not `NAME NUMBER`");
    }

    #[test]
    fn recording_some_keeps_the_others() {
        let record =
            Record { conditions: conditions(), counts: counts(&[("a/b", 1.0), ("a/c", 2.0), ("d/e", 3.0)]) };
        let renewed = record
            .renewed(conditions(), &counts(&[("a/f", 4.0), ("a/b", 5.0)]), |name| name.starts_with("a/"));
        assert_eq!(renewed.counts, counts(&[("a/b", 5.0), ("a/f", 4.0), ("d/e", 3.0)]));
    }
}
