//! Random commits, failures, cleaning and power cuts: what is found afterwards is what was handed over, up to some commit
//! that is not earlier than the last one that was safe.

mod model;

use hexmq_broker::ShardId;
use hexmq_session::Wall;
use hexmq_store::sim::{SimDisk, Troubles};
use hexmq_store::{Cleaned, Mode, Options, Store};

use model::load::{Random, commit};
use model::{Model, Picture, differ, look};

struct Run {
    random: Random,
    mode: Mode,
    options: Options,
    disk: SimDisk,
    store: Store<SimDisk>,
    /// As of the commit that was safe when it was looked at last.
    base: Model,
    /// As of the last commit.
    model: Model,
    /// Commits since `base`, and where each ends.
    commits: Vec<(Vec<u8>, u64)>,
    numbers: (u64, u64),
    safe: u64,
    kills_only: bool,
    steps: String,
}

impl Run {
    fn new(seed: u64, mode: Mode) -> Run {
        let mut random = Random(seed);
        let disk = SimDisk::new(random.next());
        let options = Options {
            segment_bytes: 512 + random.below(4000),
            slack_bytes: random.below(6000),
            reserve_bytes: 0,
            ..Options::new(mode, random.next(), Wall(5))
        };
        let (store, _) = Store::open(disk.clone(), options).expect("an empty disk");
        let (base, model) = (Model::default(), Model::default());
        Run {
            random,
            mode,
            options,
            disk,
            store,
            base,
            model,
            commits: Vec::new(),
            numbers: (1, 2),
            safe: 0,
            kills_only: false,
            steps: String::new(),
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..=49 => self.append(),
            50..=64 => {
                self.steps.push('w');
                let _ = self.store.make_safe();
                self.safe = self.store.safe();
            }
            65..=69 => {
                self.steps.push('f');
                let _ = self.store.flush();
                self.safe = self.store.safe();
            }
            70..=85 => self.clean(),
            86..=89 => self.trouble(),
            90..=93 => self.compare(),
            94..=95 => self.close(),
            _ => self.cut(),
        }
    }

    fn append(&mut self) {
        let commit = commit(&mut self.random, &self.model, &mut self.numbers);
        self.steps.push('a');
        let shard = ShardId(self.random.below(3) as u16);
        let end = self.store.append(shard, &commit).expect("whole records");
        self.model.apply(&commit);
        self.commits.push((commit, end));
    }

    fn clean(&mut self) {
        let pressed = self.random.one_of(3);
        self.steps.push('c');
        if let Ok(Cleaned::Damaged(damage)) = self.store.clean_step(pressed) {
            panic!("{damage}");
        }
        self.safe = self.store.safe();
    }

    fn trouble(&mut self) {
        self.steps.push('t');
        let mut troubles = Troubles::default();
        match self.random.below(8) {
            0 => troubles.sync_fails_of = 2,
            1 => troubles.write_fails_of = 3,
            2 => (troubles.sync_fails_of, troubles.write_fails_of) = (4, 4),
            3 => troubles.read_fails_of = 3,
            4 => troubles.bytes_max = 1 + self.random.below(40_000),
            5 => troubles.read_only = true,
            _ => {}
        }
        // Where only the process may end, nobody tries again what a sync could not do.
        self.kills_only |= self.mode == Mode::Process && troubles.sync_fails_of != 0;
        self.disk.trouble(troubles);
    }

    /// Nothing has ended: everything handed over is there.
    fn compare(&mut self) {
        self.steps.push('=');
        self.disk.trouble(Troubles::default());
        // What could not be read before is read with the next commit.
        self.append();
        same(&look(&mut self.store), &self.model.picture());
    }

    fn close(&mut self) {
        self.steps.push('x');
        self.disk.trouble(Troubles::default());
        self.store.close().expect("a disk without troubles");
        // The log goes on in the place of the mark that says that it was closed.
        self.safe = self.commits.last().map_or(0, |(_, end)| *end);
        let disk = if self.kills_only { self.disk.kill() } else { self.disk.crash(self.random.next()) };
        self.reopen(disk, true);
    }

    fn cut(&mut self) {
        self.steps.push('!');
        let power = self.mode == Mode::Disk || !self.kills_only && self.random.one_of(2);
        if power && self.mode == Mode::Process {
            // Only what was synced is safe against this.
            self.safe = self.store.figures().synced;
        }
        // The process may end and the power go later: what the system shows in between is not all on the disk.
        let power = power && !self.random.one_of(3);
        let disk = if power { self.disk.crash(self.random.next()) } else { self.disk.kill() };
        self.reopen(disk, false);
    }

    fn reopen(&mut self, disk: SimDisk, clean: bool) {
        let (mut store, opened) = match Store::open(disk.clone(), self.options) {
            Ok(opened) => opened,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(opened.lost, 0);
        if clean {
            assert_eq!(opened.cut, None);
        }
        let end = store.end();
        assert!(end >= self.safe, "{end} is before {}", self.safe);
        let (mut base, mut model) = (self.base.clone(), self.base.clone());
        let safe = store.safe();
        // A power cut may come next, which the mode perhaps does not promise anything for.
        let sure = store.figures().synced;
        self.commits.retain(|(commit, at)| {
            if *at <= end {
                model.apply(commit);
            }
            if *at <= sure {
                base.apply(commit);
            }
            *at <= end && *at > sure
        });
        same(&look(&mut store), &model.picture());
        assert!(opened.numbers.next_serial >= model.next_serial);
        assert!(opened.numbers.next_version >= model.next_version);
        // A server goes on from these.
        self.numbers = (opened.numbers.next_serial, (opened.numbers.next_version + 3) & !1);
        self.safe = safe;
        (self.base, self.model, self.disk, self.store) = (base, model, disk, store);
    }
}

fn same(found: &Picture, expected: &Picture) {
    if let Some(difference) = differ(found, expected) {
        panic!("{difference}");
    }
}

fn run(seed: u64, mode: Mode, steps: usize) {
    let mut run = Run::new(seed, mode);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for _ in 0..steps {
            run.step();
        }
        run.close();
    }));
    if let Err(panic) = outcome {
        eprintln!("seed {seed}, {mode:?}: {}", run.steps);
        std::panic::resume_unwind(panic);
    }
}

/// More with `HEXMQ_SEEDS=5000`, others with `HEXMQ_SEED=12345`.
fn seeds(count: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("HEXMQ_SEED").unwrap_or(0);
    first..first + number("HEXMQ_SEEDS").unwrap_or(count)
}

#[test]
fn after_a_power_cut_what_was_safe_is_there() {
    for seed in seeds(16) {
        run(seed, Mode::Disk, 250);
    }
}

#[test]
fn after_a_kill_what_was_written_is_there() {
    for seed in seeds(8) {
        run(seed, Mode::Process, 250);
    }
}
