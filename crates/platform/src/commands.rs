//! Commands on their way.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use hexmq_device::life::{Happening, VALIDITY_MAX_S};
use hexmq_device::port::{NewCommand, PortError, PortErrorKind, PortResult, Sent};
use hexmq_device::{
    Answered, Command, CommandState, DeviceRef, Direction, Downlink, LogLine, Order, Validation,
};
use serde_json::{Value as Json, json};

use crate::cloud::Handed;
use crate::core::{Core, count, lock};
use crate::keeper::{Effects, LateAnswer};
use crate::live::{AWAIT_MS, FIRST_WORD};
use crate::loglines::{down, line, up};
use crate::random;

/// A command that its device does not take yet is tried again after so long, doubled up to [`RETRY_MAX_MS`].
const RETRY_MS: i64 = 250;
const RETRY_MAX_MS: i64 = 30_000;

impl Core {
    /// Keeps a new command and sends it if its device is here.
    pub(crate) fn new_command(self: &Arc<Self>, device: &DeviceRef, new: NewCommand) -> PortResult<Command> {
        let row = self.row(&device.product)?;
        self.stored_device(device)?;
        if row.product.validation == Validation::Refuse {
            self.check_order(&row, &new.order)?;
        }
        let now_ms = self.now_ms();
        let command = created(device, new, now_ms)?;
        self.commands.insert(command.clone(), now_ms)?;
        self.history.put_command(&command).inspect_err(|_| self.commands.forget(&command.id))?;
        self.tell_command(&command);
        let (word, heard) = sync_channel(1);
        self.send_command(&command.id, Some(word));
        // The first word comes at once, or the shard is in trouble and the state stays as it is.
        let _ = heard.recv_timeout(FIRST_WORD);
        Ok(self.commands.get(&command.id).unwrap_or(command))
    }

    pub(crate) fn find_command(&self, id: &str) -> PortResult<Command> {
        if let Some(command) = self.commands.get(id) {
            return Ok(command);
        }
        let command = self.history.command(id)?;
        command.ok_or_else(|| {
            PortError::new(PortErrorKind::NotFound, "unknown_command", format!("there is no command {id}"))
        })
    }

    pub(crate) fn wait_for_command(&self, id: &str, patience_ms: u64) -> PortResult<Command> {
        let until = Instant::now() + Duration::from_millis(patience_ms.min(3_600_000));
        loop {
            let command = self.find_command(id)?;
            let left = until.saturating_duration_since(Instant::now());
            if command.state.is_final() || left.is_zero() || self.bell.has_rung() {
                return Ok(command);
            }
            let inner = lock(&self.commands.inner);
            // It may have changed since it was looked at.
            let is_same = inner.live.get(id).is_none_or(|live| live.command == command);
            if is_same {
                // Now and then it is looked for in the data base: it may not be in memory.
                drop(self.commands.changed.wait_timeout(inner, left.min(Duration::from_secs(1))));
            }
        }
    }

    /// Commands of which memory knows more than the data base.
    pub(crate) fn as_they_are(&self, commands: &mut [Command]) {
        let inner = lock(&self.commands.inner);
        for command in commands {
            if let Some(live) = inner.live.get(&command.id) {
                command.clone_from(&live.command);
            }
        }
    }

    /// Sends a command, or sends it again. `word` hears when it is clear whether that is possible now.
    pub(crate) fn send_command(self: &Arc<Self>, id: &str, word: Option<SyncSender<()>>) {
        let Some(command) = self.commands.get(id) else { return };
        let told = |word: Option<SyncSender<()>>| {
            if let Some(word) = word {
                // Whoever waited may have gone.
                let _ = word.try_send(());
            }
        };
        let sign_in = self.sign_in_of(&command.device);
        if !self.commands.begins(id, sign_in) {
            return told(word);
        }
        let (route, downlink) = match self.downlink_of(&command) {
            Ok(ready) => ready,
            Err(reason) => {
                self.commands.tried(id, None);
                self.happens(id, Happening::Impossible { reason });
                return told(word);
            }
        };
        let token = self.commands.expect(id, &downlink);
        let (core, id, sent) = (Arc::clone(self), id.to_owned(), downlink.clone());
        let done = Box::new(move |outcome| {
            // First what came of it: the first attempt is under way until then, whatever the deadline.
            core.command_sent(&id, &sent, outcome);
            core.commands.tried(&id, (outcome == Sent::Sent).then_some(sign_in));
            told(word);
        });
        self.send(route.0, &route.1, &downlink, token, done);
    }

    /// Whose connection a command goes to, and as what.
    fn downlink_of(&self, command: &Command) -> Result<((u32, String), Downlink), String> {
        let row = self.row(&command.device.product).map_err(|error| error.code.to_owned())?;
        let order = Order::of_json(&command.order).ok_or_else(|| "unreadable_order".to_owned())?;
        let number = self.next_number();
        let downlink = row.dialect.downlink(&row.product, &command.device, &order, &command.id, number);
        let mut downlink = downlink.map_err(|error| {
            let line = line(&command.device, self.now_ms(), Direction::Down, "refused");
            self.log(LogLine { error: Some(format!("{}: {}", error.code, error.message)), ..line });
            error.code.to_owned()
        })?;
        // The dialect says how much its devices take, the caller how much it wants.
        downlink.qos = downlink.qos.min(command.qos);
        let route = self.route(&command.device).map_err(|error| error.code.to_owned())?;
        Ok((route, downlink))
    }

    fn command_sent(self: &Arc<Self>, id: &str, downlink: &Downlink, sent: Sent) {
        let Some(command) = self.commands.get(id) else { return };
        let reason = match sent {
            Sent::Sent => {
                self.log(down(&command.device, self.now_ms(), "sent", downlink));
                let answer_ms = self.answer_ms(&command);
                let correlation = downlink.correlation.clone();
                self.happens(id, Happening::Sent { correlation, answer_ms });
                return;
            }
            Sent::Offline => "offline",
            Sent::NotSubscribed => "not_subscribed",
            Sent::Full => "full",
        };
        let is_over = self.happens(id, Happening::NotSent { reason });
        // Who is away gets it at the next sign-in; who has come meanwhile, now.
        let is_here = sent != Sent::Offline || self.is_here(&command.device);
        if is_here && !is_over && !command.state.is_final() {
            let mut inner = lock(&self.commands.inner);
            let Some(live) = inner.live.get_mut(id) else { return };
            live.tries = live.tries.saturating_add(1);
            live.touched_ms = self.now_ms();
            let wait_ms = (RETRY_MS << live.tries.min(10)).min(RETRY_MAX_MS) / 2;
            let at_ms = self.now_ms().saturating_add(wait_ms);
            inner.agenda.push(Reverse((at_ms, id.to_owned())));
        }
    }

    /// How long an answer is waited for: as the caller or else the dialect says.
    fn answer_ms(&self, command: &Command) -> Option<i64> {
        if let Some(seconds) = command.order.get("answer_s").and_then(Json::as_i64) {
            return Some(seconds.saturating_mul(1000));
        }
        self.row(&command.device.product).ok().and_then(|row| row.dialect.answer_wait_ms())
    }

    /// Something happens to a command in memory; whether that changes it. What it becomes is kept and told.
    pub(crate) fn happens(&self, id: &str, happening: Happening) -> bool {
        let now_ms = self.now_ms();
        let changed = {
            let mut inner = lock(&self.commands.inner);
            let Some(live) = inner.live.get_mut(id) else { return false };
            let before = live.command.state;
            if !live.command.happens(happening, now_ms) {
                return false;
            }
            (live.is_written, live.touched_ms) = (false, now_ms);
            let command = live.command.clone();
            // What lies further ahead is found in the data base when its time has come.
            if !command.state.is_final() && command.deadline_ms.saturating_sub(now_ms) < AWAIT_MS {
                inner.agenda.push(Reverse((command.deadline_ms, command.id.clone())));
            }
            // Under the lock, so that a later change is not written before this one.
            self.keeper.command(command.clone());
            self.count_end(&command, before);
            command
        };
        self.commands.changed.notify_all();
        self.command_changed(&changed);
        true
    }

    fn count_end(&self, command: &Command, before: CommandState) {
        match command.state {
            CommandState::Answered if before != CommandState::Answered => count(&self.counts.answered, 1),
            CommandState::TimedOut => count(&self.counts.timed_out, 1),
            CommandState::Refused => count(&self.counts.refused, 1),
            _ => {}
        }
    }

    fn command_changed(&self, command: &Command) {
        let stage = match command.state {
            CommandState::TimedOut => Some("timed_out"),
            CommandState::Refused => Some("refused"),
            CommandState::Acked => Some("acked"),
            _ => None,
        };
        if let Some(stage) = stage {
            let reason = command.reason.as_ref().map(|reason| format!("{reason}: command {}", command.id));
            let meaning = Some(format!("command {}", command.id));
            let line = line(&command.device, self.now_ms(), Direction::Down, stage);
            self.log(LogLine { meaning, error: reason, ..line });
        }
        self.tell_command(command);
    }

    pub(crate) fn acked(&self, token: u64) {
        let id = lock(&self.commands.inner).by_token.remove(&token);
        if let Some(id) = id {
            self.happens(&id, Happening::Acked);
        }
    }

    /// A device answers; the command is in memory or looked up by the keeper.
    pub(crate) fn device_answered(
        &self,
        effects: &mut Effects,
        device: &DeviceRef,
        answered: Answered,
        uplink: &Handed,
    ) {
        let line = up(device, uplink.received_at_ms, "answered", &uplink.topic, &answered.payload);
        let meaning = Some(format!("answer {}", answered.correlation));
        effects.log.push(LogLine { meaning, ..line });
        let key = (device.clone(), answered.correlation.clone());
        let id = lock(&self.commands.inner).by_correlation.get(&key).cloned();
        match id {
            Some(id) => {
                self.happens(&id, Happening::Answered(answered));
            }
            None => effects.answers.push(LateAnswer {
                device: device.clone(),
                answered,
                at_ms: uplink.received_at_ms,
            }),
        }
    }

    /// An answer to a command that is not in memory. An answer to nothing is only in the log.
    pub(crate) fn late_answer(&self, late: &LateAnswer) -> PortResult<()> {
        let LateAnswer { device, answered, at_ms } = late;
        let Some(mut command) = self.history.command_for(device, &answered.correlation)? else {
            return Ok(());
        };
        if self.commands.get(&command.id).is_some() {
            self.happens(&command.id, Happening::Answered(answered.clone()));
            return Ok(());
        }
        let before = command.state;
        command.happens(Happening::Answered(answered.clone()), *at_ms);
        self.history.put_command(&command)?;
        self.count_end(&command, before);
        self.command_changed(&command);
        self.commands.changed.notify_all();
        Ok(())
    }

    /// Brings a command of the data base into memory and sends it.
    pub(crate) fn send_stored(self: &Arc<Self>, command: Command) {
        let id = command.id.clone();
        if self.commands.insert(command, self.now_ms()).is_ok() {
            self.send_command(&id, None);
        }
    }

    /// Looks at commands whose time has come.
    pub(crate) fn watch_commands(self: &Arc<Self>, now_ms: i64) {
        for id in self.commands.due(now_ms) {
            if self.commands.is_begun(&id, now_ms) {
                self.commands.remind(&id, now_ms.saturating_add(RETRY_MS));
                continue;
            }
            self.happens(&id, Happening::Time);
            if self.commands.get(&id).is_some_and(|command| {
                command.state == CommandState::Created && self.is_here(&command.device)
            }) {
                self.send_command(&id, None);
            }
        }
    }

    /// Ends commands of the data base whose time is over.
    pub(crate) fn end_overdue(&self, now_ms: i64) -> PortResult<()> {
        for mut command in self.history.open_commands(None, now_ms, 500)? {
            if self.commands.get(&command.id).is_some() {
                self.commands.remind(&command.id, now_ms);
                continue;
            }
            let before = command.state;
            if command.happens(Happening::Time, now_ms) {
                self.history.put_command(&command)?;
                self.count_end(&command, before);
                self.command_changed(&command);
            }
        }
        Ok(())
    }

    /// Waits a little, or until something has happened to a command.
    pub(crate) fn await_agenda(&self) {
        drop(self.commands.changed.wait_timeout(lock(&self.commands.inner), Duration::from_millis(100)));
    }
}

/// A command as it begins.
fn created(device: &DeviceRef, new: NewCommand, now_ms: i64) -> PortResult<Command> {
    let NewCommand { order, qos, timeout_s, answer_s, again } = new;
    if timeout_s > VALIDITY_MAX_S {
        let message = format!("a command is valid for at most {VALIDITY_MAX_S} seconds, which are 31 days");
        return Err(PortError::new(PortErrorKind::Invalid, "timeout_too_long", message));
    }
    let mut order = order.to_json();
    if let (Some(seconds), Json::Object(members)) = (answer_s, &mut order) {
        members.insert("answer_s".to_owned(), json!(seconds));
    }
    Ok(Command {
        id: random::uuid()?,
        device: device.clone(),
        order,
        state: CommandState::Created,
        reason: None,
        qos: qos.min(2),
        again,
        correlation: None,
        reply: None,
        reply_code: None,
        reply_data: None,
        created_at_ms: now_ms,
        sent_at_ms: None,
        answered_at_ms: None,
        deadline_ms: now_ms.saturating_add(i64::from(timeout_s) * 1000),
    })
}
