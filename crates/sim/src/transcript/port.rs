//! The world of one shard: everything it does to it is kept until the stage takes it.

use std::collections::BTreeMap;

use hexmq_broker::{
    Answer, AuthStep, Batch, CloseReason, ConnId, Event, HoldId, Partial, Permit, Question, Refusal, ShardId,
    Sink,
};
use hexmq_notation::User;

/// Effects of one shard.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) outputs: BTreeMap<(u32, u32), Output>,
    pub(super) lanes: Vec<Batch>,
    /// Answers that are given after the call has returned.
    pub(super) answers: Vec<(HoldId, Answer)>,
    users: Vec<User>,
    allow_anonymous: bool,
}

/// Effects on one connection.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Taken by the network already.
    pub(super) written: Vec<u8>,
    pub(super) bytes: Vec<u8>,
    /// The client does not read: the network takes nothing.
    pub(super) stalled: bool,
    pub(super) closing: bool,
    pub(super) resumed: bool,
    /// What the framer holds, told before every call.
    pub(super) partial: Partial,
}

impl Port {
    pub(super) fn new(shards: u16, users: &[User], allow_anonymous: bool) -> Port {
        Port {
            outputs: BTreeMap::new(),
            lanes: (0..shards).map(|_| Batch::default()).collect(),
            answers: Vec::new(),
            users: users.to_vec(),
            allow_anonymous,
        }
    }

    pub(super) fn of(&mut self, conn: ConnId) -> &mut Output {
        self.outputs.entry((conn.slot, conn.generation)).or_default()
    }

    fn decide(&self, user_name: Option<&str>, password: Option<&[u8]>, loopback: bool) -> Answer {
        let admit = Answer::Admit { permit: Permit::default(), data: None };
        let anonymous_allowed = loopback || self.allow_anonymous;
        match user_name {
            // Without users there is nothing to compare with: credentials then count as none.
            Some(_) if self.users.is_empty() && anonymous_allowed => admit,
            Some(name) => {
                let fits = |user: &User| user.name == name && Some(user.password.as_bytes()) == password;
                if self.users.iter().any(fits) {
                    admit
                } else {
                    Answer::Refuse(Refusal::BadUserNameOrPassword)
                }
            }
            None if anonymous_allowed => admit,
            None => Answer::Refuse(Refusal::AnonymousNotAllowed),
        }
    }
}

impl Sink for Port {
    /// Whoever asks finds an empty buffer where that is allowed: a driver may write at any time.
    fn output(&mut self, conn: ConnId) -> &mut Vec<u8> {
        let output = self.of(conn);
        if !output.stalled {
            output.written.append(&mut output.bytes);
        }
        &mut output.bytes
    }

    fn output_len(&self, conn: ConnId) -> usize {
        self.outputs.get(&(conn.slot, conn.generation)).map_or(0, |output| output.bytes.len())
    }

    fn close(&mut self, conn: ConnId, _reason: CloseReason) {
        self.of(conn).closing = true;
    }

    fn resume(&mut self, conn: ConnId) {
        self.of(conn).resumed = true;
    }

    fn partial(&self, conn: ConnId) -> Partial {
        self.outputs.get(&(conn.slot, conn.generation)).map(|output| output.partial).unwrap_or_default()
    }

    fn forward(&mut self, to: ShardId) -> &mut Batch {
        // A shard outside the server cannot be named by a shard of it; its batch is never taken.
        let at = usize::from(to.0);
        if self.lanes.len() <= at {
            self.lanes.resize_with(at + 1, Batch::default);
        }
        &mut self.lanes[at]
    }

    fn congested(&self, _to: ShardId) -> bool {
        false
    }

    /// Who has a user name is answered later, as by a server that computes a password hash.
    fn ask(&mut self, hold: HoldId, question: Question<'_>) -> Option<Answer> {
        match question {
            Question::WhoIs { user_name, password, peer, .. } => {
                let answer = self.decide(user_name, password, peer.loopback);
                if user_name.is_none() {
                    return Some(answer);
                }
                self.answers.push((hold, answer));
                None
            }
            Question::Authenticate { step, method: "scripted", data, .. } => {
                let answer = scripted(data);
                if step != AuthStep::Continue {
                    return Some(answer);
                }
                // The other way in which an authority may answer.
                self.answers.push((hold, answer));
                None
            }
            Question::Authenticate { .. } => Some(Answer::Refuse(Refusal::BadAuthenticationMethod)),
        }
    }

    fn tell(&mut self, _event: Event<'_>) {}
}

/// The Authentication Method `scripted`, which only this runner knows: the client says what it
/// wants to happen.
fn scripted(data: Option<&[u8]>) -> Answer {
    match data {
        Some(b"admit") => Answer::Admit { permit: Permit::default(), data: Some((*b"welcome").into()) },
        Some(b"refuse") => Answer::Refuse(Refusal::NotAuthorized),
        _ => Answer::Challenge { data: (*b"prove it").into() },
    }
}
