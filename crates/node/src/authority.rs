//! Who decides who may connect, and the threads where deciding may take its time.
//!
//! A password hash takes tens of milliseconds on purpose. It is computed on threads of its own,
//! behind a bounded queue, so that no turn of a shard waits for it.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use hexmq_broker::{Answer, HoldId, Question, Refusal, SessionKey};
use hexmq_wire::Connect;

use crate::mailbox::{Letter, Mailbox};

/// Knows the users.
pub trait Authority: Send + Sync + 'static {
    /// The session a CONNECT asks for; `None`: a plain client's, whose Client Identifier is sent or assigned.
    /// Called for every CONNECT, in the lobby and again at the session's home: it must neither wait nor
    /// compute for long.
    fn claim(&self, connect: &Connect<'_>) -> Option<SessionKey> {
        hexmq_broker::claim(connect)
    }

    /// Answers a question, or says how to find the answer. Called on a shard's thread: it must
    /// neither wait nor compute for long.
    fn decide(&self, question: &Question<'_>) -> Decision;
}

/// An answer, now or later.
pub enum Decision {
    /// The answer.
    Now(Answer),
    /// Run this on a thread where it may take long.
    Later(Box<dyn FnOnce() -> Answer + Send>),
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Decision::Later(_) => f.write_str("Later(…)"),
        }
    }
}

/// Questions that may wait; more are refused with "server unavailable".
const QUEUE_MAX: usize = 4096;

struct Job {
    mailbox: Arc<Mailbox>,
    hold: HoldId,
    work: Box<dyn FnOnce() -> Answer + Send>,
}

/// The queue in front of the deciding threads. They end when the last handle is gone.
#[derive(Clone)]
pub(crate) struct Desk {
    queue: SyncSender<Job>,
}

impl Desk {
    /// Starts so many threads.
    pub(crate) fn start(threads: usize) -> io::Result<(Desk, Vec<JoinHandle<()>>)> {
        let (queue, jobs) = sync_channel::<Job>(QUEUE_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        let handles: io::Result<Vec<_>> = (0..threads.max(1))
            .map(|n| {
                let jobs = Arc::clone(&jobs);
                std::thread::Builder::new().name(format!("hexmq-auth-{n}")).spawn(move || serve(&jobs))
            })
            .collect();
        Ok((Desk { queue }, handles?))
    }

    /// Has a question answered; the answer arrives in `mailbox`. `false`: no room.
    pub(crate) fn submit(
        &self,
        mailbox: &Arc<Mailbox>,
        hold: HoldId,
        work: Box<dyn FnOnce() -> Answer + Send>,
    ) -> bool {
        self.queue.try_send(Job { mailbox: Arc::clone(mailbox), hold, work }).is_ok()
    }
}

fn serve(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A fault in here must cost one client its answer, not the server this thread.
        let answer = catch_unwind(AssertUnwindSafe(job.work));
        let answer = answer.unwrap_or(Answer::Refuse(Refusal::ServerUnavailable));
        job.mailbox.send(Letter::Answer(job.hold, answer));
    }
}
