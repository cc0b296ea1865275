//! How costs grow: each series is one load in several sizes, on a fresh server of ours each, and what a
//! publish, a connection or a delivery costs must not follow the size. And one load on more and more shards: what is
//! handled in a second should follow those.

use std::thread::available_parallelism;

use rustix::process::{Resource, getrlimit};
use serde_json::{Value, json};

use super::subject::{load, serve_with};
use crate::arguments::Arguments;
use crate::place::Profile;

/// Descriptors that server and generator need for other things than the clients counted.
const DESCRIPTORS_BESIDE: u64 = 300;

/// From so many processors on four shards have what they need: one each, one for the generator, one for the rest.
const PROCESSORS_FOR_FOUR: usize = 6;

/// One load in several sizes.
struct Series {
    name: &'static str,
    /// Arguments of `hexmq bench`; `{}` is the size.
    load: &'static str,
    sizes: &'static [u64],
    of: Of,
    /// Settings of the server beyond those of every bench.
    server: &'static [&'static str],
    /// The first is the one that must not grow, or must with more shards.
    columns: &'static [Column],
}

/// What there is more and more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Things,
    /// Each is a descriptor of the server and of the generator.
    Clients,
    /// The load is the same.
    Shards,
}

struct Column {
    key: &'static str,
    heading: &'static str,
    decimals: usize,
    /// One of what is shown, in what is reported.
    unit: f64,
}

const fn column(key: &'static str, heading: &'static str, decimals: usize) -> Column {
    Column { key, heading, decimals, unit: 1.0 }
}

const fn mib(key: &'static str, heading: &'static str) -> Column {
    Column { key, heading, decimals: 1, unit: 1_048_576.0 }
}

const PUBLISH: &[Column] = &[
    column("cpu_us_per_publish", "CPU µs/publish", 2),
    column("deliveries_per_publish", "deliveries", 2),
    column("deliveries_per_read", "per write", 1),
    column("bytes_per_subscription", "B/subscription", 0),
];

const OVERLOAD: &[Column] = &[
    column("latency_p99_during_us", "p99 during, µs", 0),
    column("latency_p99_before_us", "p99 before, µs", 0),
    column("published_per_s", "published/s", 0),
    column("received", "received", 0),
    column("dropped_by_its_own_count", "counted dropped", 0),
    mib("resident_before_bytes", "MiB before"),
    mib("peak_growth_bytes", "+ at its peak"),
    mib("after_growth_bytes", "+ after"),
];

const FILTERS: &[u64] = &[1_000, 10_000, 100_000, 1_000_000];

const fn series(name: &'static str, load: &'static str, sizes: &'static [u64]) -> Series {
    Series { name, load, sizes, of: Of::Things, server: &[], columns: PUBLISH }
}

const SERIES: &[Series] = &[
    series("publish among subscriptions", "subscriptions --filters {}", FILTERS),
    series("publish to 64 hot topics among them", "subscriptions --filters {} --hot 64", FILTERS),
    series("publish to topics never seen before", "subscriptions --filters {} --fresh", FILTERS),
    Series {
        name: "connect beside others held",
        load: "connect --held {}",
        sizes: &[100, 1_000, 5_000, 10_000, 19_000],
        of: Of::Clients,
        server: &[],
        columns: &[
            column("cpu_us_per_connection", "CPU µs/connect", 1),
            column("connections_per_s", "per second", 0),
        ],
    },
    Series {
        name: "fan-out",
        load: "fan-out --clients {} --messages 500000",
        sizes: &[10, 100, 1_000, 5_000],
        of: Of::Clients,
        server: &[],
        columns: &[
            column("cpu_us_per_message", "CPU µs/delivery", 2),
            column("messages_per_s", "deliveries/s", 0),
        ],
    },
    Series {
        name: "idle connections",
        load: "idle --clients {}",
        sizes: &[1_000, 5_000, 19_000],
        of: Of::Clients,
        server: &[],
        columns: &[
            column("bytes_per_connection", "B/connection", 0),
            column("cpu_us_per_connection", "CPU µs to connect, subscribe", 1),
        ],
    },
    Series {
        name: "# over retained messages",
        load: "handout --messages {}",
        sizes: &[10_000, 100_000, 1_000_000],
        of: Of::Things,
        server: &["--retained-messages=2000000"],
        columns: &[
            column("latency_p99_during_us", "p99 during, µs", 0),
            column("latency_p99_before_us", "p99 before, µs", 0),
            column("latency_p50_during_us", "p50 during, µs", 0),
            column("latency_p50_before_us", "p50 before, µs", 0),
            column("handout_wall_s", "handed out in s", 2),
            column("handed_out_per_s", "per second", 0),
            mib("peak_bytes", "+ MiB at its peak"),
        ],
    },
    Series {
        name: "overload, QoS 0",
        load: "overload --qos 0 --messages {}",
        sizes: &[1_000_000, 4_000_000],
        of: Of::Things,
        server: &["--sys-interval=1s"],
        columns: OVERLOAD,
    },
    Series {
        name: "overload, QoS 1",
        load: "overload --qos 1 --messages {}",
        sizes: &[500_000, 2_000_000],
        of: Of::Things,
        server: &["--sys-interval=1s"],
        columns: OVERLOAD,
    },
    Series {
        name: "cores",
        load: "ingest",
        sizes: &[1, 2, 4],
        of: Of::Shards,
        server: &[],
        columns: &[
            column("messages_per_s", "messages/s", 0),
            column("cpu_us_per_message", "CPU µs/message", 2),
            column("processors", "processors", 2),
            column("kernel_share", "kernel", 2),
            column("generator_cpu_us_per_message", "generator's µs", 2),
            column("generator_processors", "its processors", 2),
            column("delivered", "delivered", 0),
        ],
    },
];

/// One size of a series: the command, and what came of it.
struct Run {
    size: u64,
    shards: u64,
    flags: String,
    report: Value,
}

/// `cargo xtask bench --growth`.
pub(super) fn run(mut arguments: Arguments) -> Result<(), String> {
    let as_json = arguments.switch("--json");
    let shards = arguments.number("--shards", 1)?;
    let share = arguments.number("--share", 1)?.max(1);
    let only = arguments.value("--only")?.unwrap_or_default();
    arguments.finish()?;
    let wanted: Vec<&Series> = SERIES.iter().filter(|series| series.name.contains(&only)).collect();
    if wanted.is_empty() {
        let names: Vec<_> = SERIES.iter().map(|series| series.name).collect();
        return Err(format!("--only {only:?} is in no name: {}", names.join(", ")));
    }
    super::build()?;
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    for series in wanted {
        let mut runs = Vec::new();
        for size in series.sizes_in(share, available_parallelism().map_or(1, usize::from)) {
            match series.run(size, shards) {
                Ok(run) => runs.push(run),
                Err(failure) => failures.push(format!("{}, {size}: {failure}", series.name)),
            }
        }
        if as_json {
            all.extend(runs.iter().map(|run| run.as_json(series)));
        } else {
            series.print(&runs, shards);
        }
    }
    if as_json {
        println!("{}", json!({ "growth": all }));
    }
    failures.iter().for_each(|failure| eprintln!("{failure}"));
    if failures.is_empty() { Ok(()) } else { Err(format!("{} runs failed", failures.len())) }
}

impl Series {
    /// Its sizes where all loads are so many times smaller, on a machine with so many processors.
    fn sizes_in(&self, share: u64, processors: usize) -> Vec<u64> {
        let sizes = self.sizes.iter().copied();
        match self.of {
            Of::Shards => sizes.filter(|shards| *shards <= 2 || processors >= PROCESSORS_FOR_FOUR).collect(),
            Of::Things | Of::Clients => sizes.map(|size| (size / share).max(1)).collect(),
        }
    }

    fn run(&self, size: u64, shards: u64) -> Result<Run, String> {
        let shards = if self.of == Of::Shards { size } else { shards };
        let flags = self.load.replace("{}", &size.to_string());
        eprintln!("hexmq bench {flags}, {shards} shards");
        if self.of == Of::Clients {
            let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
            enough_descriptors(size, most)?;
        }
        let mut server = serve_with(Profile::Release, shards, self.server)?;
        let words: Vec<&str> = flags.split_whitespace().collect();
        let report = load(Profile::Release, server.address("mqtt")?, server.pid(), &words)?;
        server.stop()?;
        Ok(Run { size, shards, flags, report })
    }

    fn print(&self, runs: &[Run], shards: u64) {
        let shards = if self.of == Of::Shards { "N".to_owned() } else { shards.to_string() };
        println!("\n{}: hexmq bench {} --pid PID", self.name, self.load.replace("{}", "N"));
        println!("  (hexmq serve --ephemeral --shards {shards} {})", self.server.join(" "));
        let headings: Vec<String> =
            self.columns.iter().map(|column| format!("{:>w$}", column.heading, w = column.width())).collect();
        println!("{:>10}  {}  {:>8}", "N", headings.join("  "), "growth");
        for run in runs {
            let cells: Vec<String> = self.columns.iter().map(|column| column.cell(&run.report)).collect();
            let growth =
                self.growth(runs, run).map_or_else(|| "-".to_owned(), |growth| format!("{growth:.2}"));
            println!("{:>10}  {}  {growth:>8}", run.size, cells.join("  "));
        }
    }

    /// The first figure, against that of the first size.
    fn growth(&self, runs: &[Run], run: &Run) -> Option<f64> {
        let key = self.columns.first()?.key;
        Some(run.report[key].as_f64()? / runs.first()?.report[key].as_f64()?)
    }
}

impl Column {
    fn width(&self) -> usize {
        self.heading.chars().count().max(9)
    }

    fn cell(&self, report: &Value) -> String {
        let value = report[self.key].as_f64().map(|value| value / self.unit);
        let text = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.*}", self.decimals));
        format!("{text:>w$}", w = self.width())
    }
}

impl Run {
    fn as_json(&self, series: &Series) -> Value {
        json!({ "series": series.name, "size": self.size, "load": self.flags, "shards": self.shards,
            "server": series.server.join(" "), "report": self.report })
    }
}

/// Server and generator each need one for each client.
fn enough_descriptors(clients: u64, most: u64) -> Result<(), String> {
    if clients + DESCRIPTORS_BESIDE <= most {
        return Ok(());
    }
    Err(format!("left out: a process may have only {most} descriptors (ulimit -Hn)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_has_a_name_of_its_own_and_growing_sizes() {
        for (place, series) in SERIES.iter().enumerate() {
            let is_in_load = series.load.contains("{}");
            assert!(is_in_load != (series.of == Of::Shards) && !series.columns.is_empty(), "{}", series.name);
            assert!(series.sizes.is_sorted(), "{}", series.name);
            assert!(SERIES.iter().skip(place + 1).all(|other| other.name != series.name), "{}", series.name);
        }
    }

    #[test]
    fn growth_is_told_against_the_first_size() {
        let run = |size: u64, us: f64| Run {
            size,
            shards: 1,
            flags: String::new(),
            report: json!({ "cpu_us_per_publish": us, "deliveries_per_publish": 2.5 }),
        };
        let runs = [run(1, 2.0), run(10, 3.0)];
        assert_eq!(SERIES[0].growth(&runs, &runs[1]), Some(1.5));
        assert_eq!(SERIES[0].columns[1].cell(&runs[0].report).trim(), "2.50");
        assert_eq!(SERIES[0].columns[3].cell(&runs[0].report).trim(), "-");
    }

    #[test]
    fn there_are_as_many_shards_as_the_machine_has_processors_for() {
        let cores = SERIES.iter().find(|series| series.name == "cores").expect("it is there");
        for (processors, shards) in [(1, &[1, 2][..]), (2, &[1, 2]), (5, &[1, 2]), (6, &[1, 2, 4])] {
            // A smaller load has no fewer shards.
            assert_eq!(cores.sizes_in(10, processors), shards);
        }
        assert_eq!(SERIES[0].sizes_in(10, 1), [100, 1_000, 10_000, 100_000]);
    }

    #[test]
    fn too_few_descriptors_are_told_before_the_run() {
        assert!(enough_descriptors(19_000, 20_000).is_ok());
        assert!(enough_descriptors(19_000, 1_024).is_err_and(|error| error.contains("descriptors")));
    }
}
