//! Lines of devices' logs.

use hexmq_device::{DeviceRef, Direction, Downlink, LOG_BYTES_MAX, LogLine, Refused, UplinkError};

use crate::core::{Core, lock};
use crate::keeper::Effects;

/// The same thing noticed of the same device is told once in so many milliseconds.
const NOTICE_AGAIN_MS: i64 = 60_000;

pub(crate) fn line(device: &DeviceRef, at_ms: i64, direction: Direction, stage: &'static str) -> LogLine {
    LogLine {
        device: device.clone(),
        at_ms,
        direction,
        stage,
        topic: None,
        bytes: Vec::new(),
        meaning: None,
        error: None,
    }
}

/// At most [`LOG_BYTES_MAX`] of them.
pub(crate) fn shortened(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().take(LOG_BYTES_MAX).collect()
}

/// A stage of a message that came.
pub(crate) fn up(device: &DeviceRef, at_ms: i64, stage: &'static str, topic: &str, bytes: &[u8]) -> LogLine {
    let line = line(device, at_ms, Direction::Up, stage);
    LogLine { topic: Some(topic.to_owned()), bytes: shortened(bytes), ..line }
}

/// A stage of a message that goes.
pub(crate) fn down(device: &DeviceRef, at_ms: i64, stage: &'static str, downlink: &Downlink) -> LogLine {
    LogLine {
        topic: Some(downlink.topic.clone()),
        bytes: shortened(&downlink.payload),
        meaning: Some(downlink.meaning.clone()),
        ..line(device, at_ms, Direction::Down, stage)
    }
}

pub(crate) fn uplink_error(error: &UplinkError) -> String {
    format!("{} at byte {}: {}", error.rule, error.offset, error.message)
}

pub(crate) fn rejected(device: &DeviceRef, at_ms: i64, refused: &Refused) -> LogLine {
    let error = Some(format!("{}: {}", refused.rule, refused.message));
    LogLine { error, ..line(device, at_ms, Direction::Up, "rejected") }
}

impl Core {
    /// Keeps a line that no uplink stands for.
    pub(crate) fn log(&self, line: LogLine) {
        self.keeper.push(Effects { log: vec![line], ..Effects::default() }, &self.settings);
    }

    /// Tells what a device does that is odd, unless that was told a moment ago.
    pub(crate) fn notice(&self, device: &DeviceRef, rule: &'static str, message: &str) {
        let now_ms = self.now_ms();
        let key = (device.clone(), rule);
        {
            let mut noticed = lock(&self.noticed);
            if noticed.get(&key).is_some_and(|at_ms| now_ms.saturating_sub(at_ms) < NOTICE_AGAIN_MS) {
                return;
            }
            noticed.put(key, now_ms);
        }
        let error = Some(format!("{rule}: {message}"));
        self.log(LogLine { error, ..line(device, now_ms, Direction::Up, "quirk") });
    }

    pub(crate) fn noticed(&self, number: u32, device: &str, rule: &'static str, message: String) {
        if let Some(row) = self.table().by_number(number) {
            self.notice(&DeviceRef::new(&*row.product.id, device), rule, &message);
        }
    }
}
