//! Where the instructions of one scenario are spent.

use std::collections::BTreeMap;
use std::fs;

use super::count::{self, Job};
use crate::place;

/// Functions that are listed.
const FUNCTIONS: usize = 30;

/// Prints the functions in which the scenario spends most, what they call left out and what was inlined into
/// them counted in.
pub(super) fn run(name: &str) -> Result<(), String> {
    let jobs = count::jobs(name)?;
    let job = jobs.iter().find(|job| job.name() == name).or(match jobs.as_slice() {
        [job] => Some(job),
        _ => None,
    });
    let Some(job) = job else {
        let names: Vec<String> = jobs.iter().map(Job::name).collect();
        return Err(format!("one scenario, please, of: {}", names.join(", ")));
    };
    let file = place::tools().join("callgrind.out");
    fs::create_dir_all(place::tools()).map_err(|error| error.to_string())?;
    let counted = job.run(&file)?;
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    println!("{}: {counted:.1} instructions per operation, by function\n", job.name());
    for (function, instructions) in by_function(&text).into_iter().take(FUNCTIONS) {
        let each = instructions as f64 / job.operations as f64;
        println!("{each:>9.1} {:>6.1} %  {function}", each / counted * 100.0);
    }
    println!("\ncallgrind_annotate {} shows lines", file.display());
    Ok(())
}

/// What each function costs itself, the dearest first.
fn by_function(text: &str) -> Vec<(&str, u64)> {
    let mut costs: BTreeMap<&str, u64> = BTreeMap::new();
    let mut function = "";
    let mut is_call = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            function = name;
        } else if line.starts_with("calls=") {
            // The next line is the cost of what is called.
            is_call = true;
        } else if let Some(cost) = cost(line)
            && !std::mem::take(&mut is_call)
        {
            *costs.entry(function).or_default() += cost;
        }
    }
    let mut costs: Vec<(&str, u64)> = costs.into_iter().collect();
    costs.sort_by_key(|&(_, cost)| std::cmp::Reverse(cost));
    costs
}

/// The second number of `LINE COST`.
fn cost(line: &str) -> Option<u64> {
    let (line, cost) = line.split_once(' ')?;
    line.parse::<u64>().ok()?;
    cost.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::by_function;

    #[test]
    fn a_function_is_charged_with_what_it_does_itself() {
        let text = "version: 1\npositions: line\nevents: Ir\nfl=a.rs\nfn=outer\n3 10\nfi=b.rs\n9 5\nfe=a.rs\n\
                    cfn=inner\ncalls=2 7\n4 100\n5 1\n\nfn=inner\n7 100\n\ntotals: 116\n";
        assert_eq!(by_function(text), [("inner", 100), ("outer", 16)]);
    }
}
