//! What an uplink means, and what is done about it.

use std::sync::Arc;
use std::time::Duration;

use hexmq_device::port::{PortError, PortErrorKind, PortResult};
use hexmq_device::{
    Ask, DeviceRef, Direction, Downlink, Event, LogLine, ModelFault, NewEvent, NewPoint, Outcome, Point,
    Problem, ProblemKind, Request, Understood, Uplink, UplinkError, Validation, model,
};
use serde_json::json;

use crate::cloud::Handed;
use crate::core::{Core, count, is_passing};
use crate::keeper::Effects;
use crate::loglines::{line, shortened, up, uplink_error};
use crate::table::Row;

/// One uplink while it is decided.
pub(crate) struct Reading<'a> {
    pub(crate) row: &'a Arc<Row>,
    /// Whose connection it came on.
    pub(crate) device: &'a DeviceRef,
    pub(crate) uplink: &'a Handed,
    pub(crate) effects: &'a mut Effects,
    /// What goes back, in order.
    pub(crate) replies: &'a mut Vec<Downlink>,
    /// Whether the platform stops.
    pub(crate) stops: &'a dyn Fn() -> bool,
}

impl Core {
    /// Reads and decides an uplink, and answers it; false if the platform stops before it is decided.
    pub(crate) fn understand(
        self: &Arc<Self>,
        uplink: &Handed,
        effects: &mut Effects,
        replies: &mut Vec<Downlink>,
        stops: &dyn Fn() -> bool,
    ) -> bool {
        let Some(row) = self.table().by_number(uplink.number).cloned() else {
            // The product has been removed since, and everything of it with it.
            return true;
        };
        let device = DeviceRef::new(&*row.product.id, &*uplink.device);
        let at_ms = uplink.received_at_ms;
        let asked = Uplink {
            product: &row.product,
            device: &device,
            topic: &uplink.topic,
            payload: &uplink.payload,
            qos: uplink.qos,
            received_at_ms: at_ms,
        };
        effects.log.push(up(&device, at_ms, "received", &uplink.topic, &uplink.payload));
        let mut reading = Reading { row: &row, device: &device, uplink, effects, replies, stops };
        match row.dialect.uplink(&asked) {
            Ok(understood) => self.decide(&mut reading, understood),
            Err(error) => {
                self.not_understood(&mut reading, error);
                true
            }
        }
    }

    fn not_understood(self: &Arc<Self>, reading: &mut Reading<'_>, error: UplinkError) {
        count(&self.counts.uplinks_refused, 1);
        let line = reading.line("refused");
        reading.effects.log.push(LogLine { error: Some(uplink_error(&error)), ..line });
        reading.replies.extend(error.replies);
    }

    fn decide(self: &Arc<Self>, reading: &mut Reading<'_>, understood: Understood) -> bool {
        let Understood { meaning, requests, replies, notices } = understood;
        let line = reading.line("understood");
        reading.effects.log.push(LogLine { meaning: Some(meaning), ..line });
        for (rule, message) in notices {
            self.notice(reading.device, rule, &message);
        }
        reading.replies.extend(replies);
        for request in requests {
            let Request { device, ask, receipt } = request;
            let Some(outcome) = self.allowed_outcome(reading, &device, ask) else { return false };
            if let Outcome::Refused(problem) = &outcome {
                let line = line_of(&device, reading.uplink.received_at_ms, problem);
                reading.effects.log.push(line);
            }
            reading.replies.extend(receipt.and_then(|receipt| reading.row.dialect.reply(&receipt, &outcome)));
        }
        true
    }

    /// What comes of a request; `None` if the platform stops before that is known.
    fn allowed_outcome(
        self: &Arc<Self>,
        reading: &mut Reading<'_>,
        device: &DeviceRef,
        ask: Ask,
    ) -> Option<Outcome> {
        if let Ask::PostAll(posts) = ask {
            return self.post_all(reading, posts);
        }
        // Values wait for the data base; everything else is refused while it is away.
        let waits = matches!(ask, Ask::Post { .. } | Ask::Answered(_));
        match self.speaks_for(reading, device, waits)? {
            Ok(()) => Some(self.outcome(reading, device, ask)),
            Err(problem) => Some(Outcome::Refused(problem)),
        }
    }

    /// Whether the device of a connection may speak for this one: for itself, and for those bound to it. `None` if the
    /// platform stops before that is known.
    fn speaks_for(
        &self,
        reading: &Reading<'_>,
        device: &DeviceRef,
        waits: bool,
    ) -> Option<Result<(), Problem>> {
        if device == reading.device {
            return Some(Ok(()));
        }
        loop {
            match self.gateway_of(device) {
                Ok(Some(gateway)) if gateway == *reading.device => return Some(Ok(())),
                Ok(_) => {
                    let message = format!("{device} is not bound to {}", reading.device);
                    return Some(Err(Problem::new(ProblemKind::NotBound, message)));
                }
                Err(error) if waits && is_passing(&error) => {
                    if (reading.stops)() || self.bell.rings_within(Duration::from_millis(200)) {
                        return None;
                    }
                }
                Err(error) => return Some(Err(problem(&error))),
            }
        }
    }

    fn outcome(self: &Arc<Self>, reading: &mut Reading<'_>, device: &DeviceRef, ask: Ask) -> Outcome {
        match ask {
            Ask::Post { points, events } => self.post_of(reading, device, points, events),
            // Whose they are was looked at before.
            Ask::PostAll(_) => Outcome::Done,
            Ask::Answered(answered) => {
                self.device_answered(reading.effects, device, answered, reading.uplink);
                Outcome::Done
            }
            Ask::Log(lines) => {
                let line = line(device, reading.uplink.received_at_ms, Direction::Up, "device_log");
                reading.effects.log.push(LogLine { meaning: Some(lines.to_string()), ..line });
                Outcome::Done
            }
            Ask::Raw { topic, payload } => {
                self.tell_raw(device, reading.uplink, &topic, &payload);
                Outcome::Done
            }
            Ask::Note { name, params } => {
                let event = NewEvent { id: name.to_owned(), params, at_ms: None };
                self.keep_events(reading, device, vec![event]);
                Outcome::Done
            }
            Ask::Found(devices) => {
                let found: Vec<_> = devices.iter().map(DeviceRef::to_json).collect();
                let params = json!({"devices": found});
                let event = NewEvent { id: "topology_found".to_owned(), params, at_ms: None };
                self.keep_events(reading, device, vec![event]);
                Outcome::Done
            }
            Ask::FirmwareProgress { module, step, text } => {
                let params = json!({"module": module, "step": step, "text": text});
                let event = NewEvent { id: "firmware_progress".to_owned(), params, at_ms: None };
                self.keep_events(reading, device, vec![event]);
                settled(self.firmware_progress(device, &module, step, &text))
            }
            other => self.asked_of_registry(device, other).unwrap_or_else(Outcome::Refused),
        }
    }

    fn post_all(
        self: &Arc<Self>,
        reading: &mut Reading<'_>,
        posts: Vec<(DeviceRef, Vec<NewPoint>, Vec<NewEvent>)>,
    ) -> Option<Outcome> {
        let (mut faults, mut refusal) = (Vec::new(), None);
        for (device, points, events) in posts {
            match self.speaks_for(reading, &device, true)? {
                Err(problem) => {
                    reading.effects.log.push(line_of(
                        reading.device,
                        reading.uplink.received_at_ms,
                        &problem,
                    ));
                    refusal = refusal.or(Some(problem));
                }
                Ok(()) => match self.post_of(reading, &device, points, events) {
                    Outcome::Posted(more) => faults.extend(more),
                    Outcome::Refused(problem) => refusal = refusal.or(Some(problem)),
                    _ => {}
                },
            }
        }
        Some(refusal.map_or(Outcome::Posted(faults), Outcome::Refused))
    }

    /// Keeps what a device posts, judged by the thing model of its product.
    fn post_of(
        &self,
        reading: &mut Reading<'_>,
        device: &DeviceRef,
        points: Vec<NewPoint>,
        events: Vec<NewEvent>,
    ) -> Outcome {
        let row = if device.product == reading.row.product.id {
            Arc::clone(reading.row)
        } else {
            match self.row(&device.product) {
                Ok(row) => row,
                Err(error) => return Outcome::Refused(problem(&error)),
            }
        };
        let at_ms = reading.uplink.received_at_ms;
        let (points, events, faults) = judge(&row, points, events, at_ms);
        for fault in &faults {
            let error = Some(format!("model: {}: {}", fault.identifier, fault.message));
            let line = line(device, at_ms, Direction::Up, "model");
            reading.effects.log.push(LogLine { error, ..line });
        }
        if row.model.is_none() {
            self.learn(&row.product.id, &points, &events);
        }
        if !points.is_empty() {
            let stored = format!("{} values", points.len());
            let line = line(device, at_ms, Direction::Up, "stored");
            reading.effects.log.push(LogLine { meaning: Some(stored), ..line });
        }
        let points = points.into_iter().map(|point| of_device(device, point, at_ms)).collect::<Vec<_>>();
        self.tell_points(device, &points, Some(reading.uplink));
        reading.effects.points.extend(points);
        self.keep_events(reading, device, events);
        let is_refused = row.product.validation == Validation::Refuse;
        Outcome::Posted(if is_refused { faults } else { Vec::new() })
    }

    fn keep_events(&self, reading: &mut Reading<'_>, device: &DeviceRef, events: Vec<NewEvent>) {
        let received_at_ms = reading.uplink.received_at_ms;
        for NewEvent { id, params, at_ms } in events {
            let at_ms = at_ms.unwrap_or(received_at_ms);
            let event = Event { device: device.clone(), id, params, at_ms, received_at_ms };
            self.tell_event(&event, Some((reading.uplink, reading.effects.events.len())));
            reading.effects.events.push(event);
        }
    }

    /// Answers on the connection the uplink came on.
    pub(crate) fn answer(self: &Arc<Self>, uplink: &Handed, replies: Vec<Downlink>) {
        let Some(row) = self.table().by_number(uplink.number).cloned() else { return };
        let (device, at_ms) = (DeviceRef::new(&*row.product.id, &*uplink.device), self.now_ms());
        for reply in replies {
            let (core, device, sent) = (Arc::clone(self), device.clone(), reply.clone());
            let done = Box::new(move |outcome| core.log_reply(&device, at_ms, &sent, outcome));
            self.send(uplink.number, &uplink.device, &reply, None, done);
        }
    }
}

impl Reading<'_> {
    fn line(&self, stage: &'static str) -> LogLine {
        up(self.device, self.uplink.received_at_ms, stage, &self.uplink.topic, &self.uplink.payload)
    }
}

/// What is kept of a post, and what is wrong with it.
fn judge(
    row: &Row,
    mut points: Vec<NewPoint>,
    mut events: Vec<NewEvent>,
    now_ms: i64,
) -> (Vec<NewPoint>, Vec<NewEvent>, Vec<ModelFault>) {
    let validation = row.product.validation;
    if validation == Validation::Off {
        return (points, events, Vec::new());
    }
    let mut faults = Vec::new();
    let keeps_all = validation == Validation::Report;
    points.retain(|point| {
        let fault = model::too_late(&point.id, point.at_ms, now_ms)
            .or_else(|| row.model.as_ref().and_then(|model| model.judge_point(point)));
        let is_right = fault.is_none();
        faults.extend(fault);
        keeps_all || is_right
    });
    events.retain(|event| {
        let before = faults.len();
        faults.extend(model::too_late(&event.id, event.at_ms, now_ms));
        if let Some(model) = &row.model {
            faults.extend(model.judge_event(event));
        }
        keeps_all || faults.len() == before
    });
    (points, events, faults)
}

fn of_device(device: &DeviceRef, point: NewPoint, received_at_ms: i64) -> Point {
    let NewPoint { id, value, at_ms } = point;
    Point { device: device.clone(), id, value, at_ms: at_ms.unwrap_or(received_at_ms), received_at_ms }
}

fn line_of(device: &DeviceRef, at_ms: i64, problem: &Problem) -> LogLine {
    let error = Some(format!("{}: {}", name(problem.kind), problem.message));
    LogLine { error, bytes: shortened(&[]), ..line(device, at_ms, Direction::Up, "refused") }
}

/// The stable name of a kind of problem.
pub(crate) const fn name(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::BadRequest => "bad_request",
        ProblemKind::Forbidden => "forbidden",
        ProblemKind::UnknownProduct => "unknown_product",
        ProblemKind::UnknownDevice => "unknown_device",
        ProblemKind::DeviceDisabled => "device_disabled",
        ProblemKind::BadSignature => "bad_signature",
        ProblemKind::AlreadyActive => "already_active",
        ProblemKind::RegistrationOff => "registration_off",
        ProblemKind::NotBound => "not_bound",
        ProblemKind::BoundElsewhere => "bound_elsewhere",
        ProblemKind::NotSignedIn => "not_signed_in",
        ProblemKind::TooMany => "too_many",
        ProblemKind::OldVersion => "old_version",
        ProblemKind::Missing => "missing",
        ProblemKind::Unavailable => "unavailable",
    }
}

/// An error of a port in the words of a dialect.
pub(crate) fn problem(error: &PortError) -> Problem {
    let kind = match (error.kind, error.code) {
        (PortErrorKind::NotFound, "unknown_product") => ProblemKind::UnknownProduct,
        (PortErrorKind::NotFound, "unknown_device") => ProblemKind::UnknownDevice,
        (PortErrorKind::NotFound, _) => ProblemKind::Missing,
        (PortErrorKind::Forbidden, "bad_signature") => ProblemKind::BadSignature,
        (PortErrorKind::Forbidden, _) => ProblemKind::Forbidden,
        (PortErrorKind::Conflict, "bound_elsewhere") => ProblemKind::BoundElsewhere,
        (PortErrorKind::Conflict, _) => ProblemKind::OldVersion,
        (PortErrorKind::Invalid, _) => ProblemKind::BadRequest,
        (PortErrorKind::Full, _) => ProblemKind::TooMany,
        (PortErrorKind::Offline, _) => ProblemKind::NotSignedIn,
        (PortErrorKind::Unavailable, _) => ProblemKind::Unavailable,
    };
    Problem::new(kind, error.message.clone())
}

/// Done, or why not.
pub(crate) fn settled(result: PortResult<()>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Refused(problem(&error)),
    }
}
