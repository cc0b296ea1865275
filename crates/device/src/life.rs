//! The life of a command: what may happen to it, and what then becomes of it.
//!
//! `Created → Sent → Acked → Answered`; from any of the first three also to `TimedOut`, and from `Created` to
//! `Refused`. A device that answers late has answered: an answer is true whenever it comes, and the last one
//! counts.

use crate::{Answered, Command, CommandState};

/// The longest time a command is kept for a device, in seconds: 31 days.
pub const VALIDITY_MAX_S: u32 = 31 * 86_400;

/// Something happens to a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// It was handed to the connection of its device.
    Sent {
        /// What an answer will carry.
        correlation: Option<String>,
        /// How long an answer is waited for, in milliseconds; `None`: as long as it is valid.
        answer_ms: Option<i64>,
    },
    /// It cannot be handed over now: the device is away, does not listen or has too much waiting.
    NotSent {
        /// Stable name: `offline`, `not_subscribed`, `full` …
        reason: &'static str,
    },
    /// It will never be handed over.
    Impossible {
        /// Stable name.
        reason: String,
    },
    /// The device has it.
    Acked,
    /// The device has answered.
    Answered(Answered),
    /// Nothing; time has passed.
    Time,
}

impl Command {
    /// What happens at `now_ms`; whether that changes anything.
    pub fn happens(&mut self, happening: Happening, now_ms: i64) -> bool {
        match happening {
            Happening::Sent { correlation, answer_ms } => self.sent(correlation, answer_ms, now_ms),
            Happening::NotSent { reason } => {
                let over = self.state == CommandState::Created && now_ms >= self.deadline_ms;
                over && self.ends(CommandState::Refused, reason)
            }
            Happening::Impossible { reason } => {
                self.state == CommandState::Created && self.ends(CommandState::Refused, &reason)
            }
            Happening::Acked => {
                let acked = self.state == CommandState::Sent;
                if acked {
                    self.state = CommandState::Acked;
                }
                acked
            }
            Happening::Answered(answered) => self.answered(answered, now_ms),
            Happening::Time => {
                let over = !self.state.is_final() && now_ms >= self.deadline_ms;
                let reason = if self.state == CommandState::Created { "not_sent" } else { "no_answer" };
                over && self.ends(CommandState::TimedOut, reason)
            }
        }
    }

    /// Whether it is handed over when its device signs in at `now_ms`: because it waits, or because it is to be
    /// sent again until it is answered.
    pub fn goes_out(&self, now_ms: i64) -> bool {
        let waits = match self.state {
            CommandState::Created => true,
            CommandState::Sent | CommandState::Acked => self.again,
            CommandState::Answered | CommandState::TimedOut | CommandState::Refused => false,
        };
        waits && now_ms < self.deadline_ms
    }

    fn sent(&mut self, correlation: Option<String>, answer_ms: Option<i64>, now_ms: i64) -> bool {
        if self.state.is_final() {
            return false;
        }
        self.state = CommandState::Sent;
        self.sent_at_ms = Some(now_ms);
        self.correlation = correlation.or_else(|| self.correlation.take());
        let validity_s = self.deadline_ms.saturating_sub(self.created_at_ms);
        self.deadline_ms = match (answer_ms, self.again) {
            (Some(wait), false) => now_ms.saturating_add(wait),
            (Some(wait), true) => self.deadline_ms.max(now_ms.saturating_add(wait)),
            // Who sends at once or not at all has said nothing of how long an answer may take.
            (None, _) if validity_s <= 0 => {
                now_ms.saturating_add(i64::from(VALIDITY_MAX_S).saturating_mul(1000))
            }
            (None, _) => self.deadline_ms,
        };
        true
    }

    fn answered(&mut self, answered: Answered, now_ms: i64) -> bool {
        self.state = CommandState::Answered;
        self.reason = None;
        self.reply = Some(answered.payload);
        self.reply_code = answered.code;
        self.reply_data = answered.data;
        self.answered_at_ms = Some(now_ms);
        true
    }

    fn ends(&mut self, state: CommandState, reason: &str) -> bool {
        self.state = state;
        self.reason = Some(reason.to_owned());
        true
    }
}
