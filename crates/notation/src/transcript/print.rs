//! Writing transcripts: a printed case reads back to the same case.

use std::fmt;

use super::{Action, Case, Departure, Expectation, Origin, Step};
use crate::print_hex;
use crate::text::write_text;

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expectation::Packet(pattern) => write!(f, "{pattern}"),
            Expectation::Bytes { bytes, .. } => f.write_str(&print_hex(bytes)),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.action {
            Action::Open { connection, origin: Origin::Loopback } => write!(f, "{connection} @ loopback"),
            Action::Open { connection, origin: Origin::Remote } => write!(f, "{connection} @ remote"),
            Action::Send { connection, packet: Some(packet), .. } => write!(f, "{connection} > {packet}"),
            Action::Send { connection, bytes, .. } => write!(f, "{connection} > {}", print_hex(bytes)),
            Action::Expect { connections, any_order, expected } => {
                let operator = if *any_order { "<~" } else { "<" };
                write!(f, "{} {operator} {expected}", connections.join("|"))
            }
            Action::Nothing { connection } => write!(f, "{connection} < nothing"),
            Action::Anything { connection } => write!(f, "{connection} < anything"),
            Action::Closed { connection } => write!(f, "{connection} ! closed"),
            Action::Leave { connection, departure: Departure::Drop } => write!(f, "{connection} ~ drop"),
            Action::Leave { connection, departure: Departure::Close } => write!(f, "{connection} ~ close"),
            Action::Reading { connection, on: false } => write!(f, "{connection} ~ stall"),
            Action::Reading { connection, on: true } => write!(f, "{connection} ~ resume"),
            Action::Wait(duration) if duration.subsec_millis() == 0 => write!(f, "+{}s", duration.as_secs()),
            Action::Wait(duration) => write!(f, "+{}ms", duration.as_millis()),
            Action::StopServer => f.write_str("server ~ stop"),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "=== {}", self.name)?;
        for setting in &self.head.settings {
            let mut value = String::new();
            write_text(&mut value, &setting.value);
            writeln!(f, "set {} = {value}", setting.name)?;
        }
        for user in &self.head.users {
            let (mut name, mut password) = (String::new(), String::new());
            write_text(&mut name, &user.name);
            write_text(&mut password, &user.password);
            writeln!(f, "user {name} {password}")?;
        }
        for (mark, word) in [(self.head.slow, "slow"), (self.head.core_only, "core-only")] {
            if mark {
                writeln!(f, "{word}")?;
            }
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}
