//! What the kernel knows about a process, and the descriptors we need ourselves.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A process of this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process(pub(super) u32);

impl Process {
    /// This one.
    pub(super) fn own() -> Process {
        Process(std::process::id())
    }

    /// Resident memory in bytes.
    pub(super) fn resident_bytes(self) -> Result<u64, String> {
        self.memory("VmRSS:")
    }

    /// Resident memory at its largest since [`Process::reset_peak`].
    pub(super) fn peak_bytes(self) -> Result<u64, String> {
        self.memory("VmHWM:")
    }

    /// Lets the kernel measure the peak from now on. Where it may not, the peak is that of the whole life.
    pub(super) fn reset_peak(self) {
        let _ = fs::write(format!("/proc/{}/clear_refs", self.0), "5");
    }

    fn memory(self, name: &str) -> Result<u64, String> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let kibibytes: Option<u64> = line.trim().strip_suffix("kB").and_then(|size| size.trim().parse().ok());
        kibibytes.map(|size| size * 1024).ok_or_else(|| format!("process {} has no memory", self.0))
    }

    /// CPU time of all its threads, user and system, in nanoseconds: from the scheduler where the
    /// kernel keeps such statistics, otherwise in ticks of 10 ms.
    pub(super) fn cpu_ns(self) -> Result<u64, String> {
        self.scheduled_ns().map_or_else(|| self.ticks_ns(), Ok)
    }

    fn scheduled_ns(self) -> Option<u64> {
        let mut total = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0)).ok()? {
            let schedstat = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            total += schedstat.split_whitespace().next()?.parse::<u64>().ok()?;
        }
        (total > 0).then_some(total)
    }

    fn ticks_ns(self) -> Result<u64, String> {
        let Ticks { user, kernel } = self.ticks()?;
        Ok((user + kernel) * (1_000_000_000 / rustix::param::clock_ticks_per_second()))
    }

    /// CPU time of all its threads, also of those that ended, in the clock ticks of [`ticks_per_s`].
    pub(super) fn ticks(self) -> Result<Ticks, String> {
        Ticks::in_stat(&self.read("stat")?).ok_or_else(|| format!("process {} has no CPU time", self.0))
    }

    fn read(self, name: &str) -> Result<String, String> {
        let path = format!("/proc/{}/{name}", self.0);
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    }
}

/// CPU time in clock ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticks {
    pub(super) user: u64,
    pub(super) kernel: u64,
}

impl Ticks {
    /// `utime` and `stime` of `/proc/PID/stat`, fields 14 and 15.
    fn in_stat(stat: &str) -> Option<Ticks> {
        // The name in brackets may hold spaces and brackets; behind the last one comes field 3.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace().skip(11);
        let mut next = || fields.next()?.parse().ok();
        Some(Ticks { user: next()?, kernel: next()? })
    }

    /// Those since then.
    pub(super) fn since(self, earlier: Ticks) -> Ticks {
        Ticks {
            user: self.user.saturating_sub(earlier.user),
            kernel: self.kernel.saturating_sub(earlier.kernel),
        }
    }
}

/// The unit of [`Ticks`]: 100 in a second on Linux, however often the kernel looks.
pub(super) fn ticks_per_s() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// Each client is a descriptor: asks for as many as the machine gives.
pub(super) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn our_own_process_uses_memory_and_time() {
        let own = Process::own();
        assert!(own.resident_bytes().unwrap() > 4096);
        let mut sum = 0_u64;
        while own.cpu_ns().unwrap() == 0 || own.ticks_ns().unwrap() == 0 {
            sum = (0..100_000).fold(sum, |sum, number| sum.rotate_left(7) ^ number);
        }
        assert!(own.ticks_ns().unwrap() > 0, "{sum}");
    }

    #[test]
    fn user_and_kernel_time_are_behind_the_name_whatever_it_is() {
        let fields = "S 1 2 3 0 -1 4194304 90 0 0 0 714 2093 5 6 20 0 3 0 99 12345 678";
        for name in ["hexmq", "a b) (c", ") 1 2 3 4 5 6 7 8 9 10 11 12 13"] {
            let ticks = Ticks::in_stat(&format!("4711 ({name}) {fields}\n")).unwrap();
            assert_eq!(ticks, Ticks { user: 714, kernel: 2093 }, "{name}");
            assert_eq!(ticks.since(Ticks { user: 14, kernel: 3000 }), Ticks { user: 700, kernel: 0 });
        }
        for stat in ["", "1 (x", "1 (x) S 1 2 3 0 -1 0 0 0 0 0 714", "1 (x) S 1 2 3 0 -1 0 0 0 0 0 714 -"] {
            assert_eq!(Ticks::in_stat(stat), None, "{stat}");
        }
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(Process(u32::MAX).cpu_ns().is_err());
        assert!(Process(u32::MAX).ticks().is_err());
        assert!(Process(u32::MAX).resident_bytes().is_err());
    }
}
