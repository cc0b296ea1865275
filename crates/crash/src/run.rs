//! A run: the cast plays, the server is killed at random moments, and in the end it must have kept its word.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cast::everybody;
use crate::ground::Ground;
use crate::history::Event;
use crate::random::Random;
use crate::server::{Recipe, Server};
use crate::stage::Stage;

/// A start that takes longer has failed.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// The end waits so long for anything new to come.
const END_PATIENCE: Duration = Duration::from_secs(40);
/// How long everybody plays where nothing is to be killed.
const CALM: Duration = Duration::from_secs(10);
/// When all is there the end goes on a little, to see what should not come.
const AFTERMATH: Duration = Duration::from_millis(1_500);

/// What is run.
pub(crate) struct Plan {
    pub(crate) kills: u64,
    pub(crate) seed: u64,
    pub(crate) recipe: Recipe,
    pub(crate) port: u16,
    /// Where the log of the server goes.
    pub(crate) folder: PathBuf,
}

/// What the server does now.
enum Phase {
    Down { until: Instant },
    Starting { server: Server, since: Instant, kill_at: Option<Instant> },
    Serving { server: Server, kill_at: Option<Instant> },
}

/// The run.
struct Run<'a> {
    plan: &'a Plan,
    ground: &'a mut dyn Ground,
    random: Random,
    stage: Stage,
    kills: u64,
    /// Kills that follow at once.
    in_a_row: u64,
    address: SocketAddr,
}

/// Plays the plan; the stage with its checker tells what was found.
///
/// # Errors
/// The server does not start, ends by itself, or the machine does not play along.
pub(crate) fn run(plan: &Plan, ground: &mut dyn Ground) -> Result<Stage, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.port));
    let mut run = Run {
        plan,
        ground,
        random: Random::new(plan.seed),
        stage: Stage::new(everybody(plan.seed), address),
        kills: 0,
        in_a_row: 0,
        address,
    };
    let mut state = Phase::Down { until: Instant::now() };
    while run.kills < plan.kills {
        state = run.step(state)?;
    }
    while !matches!(state, Phase::Serving { .. }) {
        state = run.step(state)?;
    }
    let calm = Instant::now();
    while plan.kills == 0 && calm.elapsed() < CALM {
        state = run.step(state)?;
    }
    run.end(state)?;
    Ok(run.stage)
}

impl Run<'_> {
    fn log(&self) -> PathBuf {
        log_of(&self.plan.folder)
    }

    /// One turn of everything.
    fn step(&mut self, state: Phase) -> Result<Phase, String> {
        self.stage.turn(!matches!(state, Phase::Down { .. }))?;
        let now = Instant::now();
        match state {
            Phase::Down { until } if now < until => Ok(state),
            Phase::Down { .. } => self.start(now),
            Phase::Starting { mut server, since, kill_at } => {
                if kill_at.is_some_and(|kill_at| now >= kill_at) {
                    return self.kill(server);
                }
                if server.poll_ready().map_err(|error| self.with_log(&error))? {
                    self.stage.tell(&Event::Ready);
                    let kill_at = kill_at.or_else(|| self.next_kill(now));
                    return Ok(Phase::Serving { server, kill_at });
                }
                if now > since + START_PATIENCE {
                    return Err(self.with_log("the server did not become ready"));
                }
                Ok(Phase::Starting { server, since, kill_at })
            }
            Phase::Serving { mut server, kill_at } => {
                if kill_at.is_some_and(|kill_at| now >= kill_at) {
                    return self.kill(server);
                }
                server.poll_alive().map_err(|error| self.with_log(&error))?;
                Ok(Phase::Serving { server, kill_at })
            }
        }
    }

    fn start(&mut self, now: Instant) -> Result<Phase, String> {
        let server = Server::start(&self.plan.recipe, self.ground.data(), self.address, &self.log())?;
        // Some do not get to the end of their start. The first one must, so that there is something to lose.
        let is_cut_short = self.kills > 0 && self.kills < self.plan.kills && self.random.percent(15);
        let kill_at = is_cut_short.then(|| now + Duration::from_micros(self.random.below(40_000)));
        Ok(Phase::Starting { server, since: now, kill_at })
    }

    /// When a server that has just become ready is killed; `None` once there were enough kills.
    fn next_kill(&mut self, now: Instant) -> Option<Instant> {
        if self.kills >= self.plan.kills {
            return None;
        }
        if self.in_a_row > 0 {
            self.in_a_row -= 1;
            return Some(now + Duration::from_micros(self.random.below(60_000)));
        }
        if self.random.percent(8) {
            self.in_a_row = self.random.between(2, 4);
        }
        // The first life is long enough for everybody to connect and subscribe.
        let longest_ms = if self.kills == 0 { 2_500 } else { 1_200 };
        Some(now + Duration::from_micros(self.random.between(20_000, longest_ms * 1_000)))
    }

    fn kill(&mut self, server: Server) -> Result<Phase, String> {
        server.kill()?;
        self.kills += 1;
        self.stage.server_died();
        self.ground.after_kill(&mut self.random)?;
        if self.kills.is_multiple_of(20) {
            let totals = self.stage.checker.totals();
            eprintln!(
                "{:>4} kills, {} messages acknowledged, {} deliveries, {} violations",
                self.kills,
                totals.acknowledged,
                totals.delivered,
                self.stage.checker.counts().values().sum::<u64>()
            );
        }
        let down = if self.random.percent(70) { 0 } else { self.random.below(80_000) };
        Ok(Phase::Down { until: Instant::now() + Duration::from_micros(down) })
    }

    /// Everybody comes and takes what is theirs.
    fn end(&mut self, mut state: Phase) -> Result<(), String> {
        self.stage.is_ending = true;
        let mut seen = self.progress();
        let mut since = Instant::now();
        while !self.stage.is_over() {
            state = self.step(state)?;
            if self.progress() != seen {
                (seen, since) = (self.progress(), Instant::now());
            }
            if since.elapsed() > END_PATIENCE {
                eprintln!("nothing new came; not done: {}", self.stage.unfinished().join(", "));
                break;
            }
        }
        let over = Instant::now();
        while over.elapsed() < AFTERMATH {
            state = self.step(state)?;
        }
        self.stage.checker.conclude();
        match state {
            Phase::Serving { server, .. } | Phase::Starting { server, .. } => server.kill(),
            Phase::Down { .. } => Ok(()),
        }
    }

    /// Something that moves while there is anything new: probes and reconnections do not count.
    fn progress(&self) -> (u64, u64, u64, usize) {
        let totals = self.stage.checker.totals();
        (totals.acknowledged, totals.delivered, totals.wills, self.stage.checker.backlog())
    }

    fn with_log(&self, error: &str) -> String {
        let log = std::fs::read(self.log()).unwrap_or_default();
        let tail = log.get(log.len().saturating_sub(2_000)..).unwrap_or_default();
        format!("{error}\n{}", String::from_utf8_lossy(tail))
    }
}

/// Where the server's log is.
pub(crate) fn log_of(folder: &Path) -> PathBuf {
    folder.join("server.log")
}
