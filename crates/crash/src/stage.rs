//! All members of the cast with their sockets, in one loop.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hexmq_wire::{ControlPacket, Frame, Leniency, NoTrace, decode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cast::{Member, Scene, Stay};
use crate::checker::Checker;
use crate::device::{Heard, Io};
use crate::history::Event;
use crate::link::Link;

/// The longest a turn waits for the network.
const TURN: Duration = Duration::from_millis(2);
/// More waiting for one subscriber than this, and publishers pause.
const CROWDED: usize = 4_000;

/// The stage.
pub(crate) struct Stage {
    members: Vec<Member>,
    links: Vec<Option<Link>>,
    pub(crate) checker: Checker,
    address: SocketAddr,
    begun: Instant,
    /// In the end nobody publishes and everybody takes what is theirs.
    pub(crate) is_ending: bool,
}

impl Stage {
    pub(crate) fn new(members: Vec<Member>, address: SocketAddr) -> Stage {
        let names: Vec<_> = members.iter().map(|member| member.device.name.clone()).collect();
        Stage {
            links: members.iter().map(|_| None).collect(),
            checker: Checker::new(&names),
            members,
            address,
            begun: Instant::now(),
            is_ending: false,
        }
    }

    /// Milliseconds since the beginning.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        let now_ms = self.now_ms();
        self.checker.tell(now_ms, event);
    }

    fn scene(&self) -> Scene {
        let is_crowded = self.checker.backlog() > CROWDED;
        Scene { now_ms: self.now_ms(), is_ending: self.is_ending, is_crowded }
    }

    /// One turn: everybody does what it is time for, then the network is served. Where `may_connect` is not
    /// given nobody tries.
    pub(crate) fn turn(&mut self, may_connect: bool) -> Result<(), String> {
        let scene = self.scene();
        for place in 0..self.members.len() {
            self.act(place, &scene, may_connect);
        }
        self.wait()?;
        let scene = self.scene();
        for place in 0..self.members.len() {
            self.hear(place, &scene, false);
        }
        Ok(())
    }

    fn act(&mut self, place: usize, scene: &Scene, may_connect: bool) {
        let (Some(member), Some(link)) = (self.members.get_mut(place), self.links.get_mut(place)) else {
            return;
        };
        let mut nowhere = Vec::new();
        let mut io = Io { out: &mut nowhere, checker: &mut self.checker, now_ms: scene.now_ms };
        let Some(open) = link else {
            if may_connect && member.role.wants_connection(scene, &io, &member.device) {
                *link = Link::open(self.address);
                if let Some(link) = link {
                    io.out = &mut link.output;
                    member.role.connected(&mut member.device, scene, &mut io);
                }
            }
            return;
        };
        io.out = &mut open.output;
        member.device.tick(&mut io);
        let stay = member.role.tick(&mut member.device, scene, &mut io);
        let alive = open.flush();
        let is_over = match stay {
            Stay::Yes => !alive,
            Stay::Drop => true,
            // A DISCONNECT the kernel does not take at once is one that was never sent, or sent in part: the
            // server may go either way, and so does the checker.
            Stay::Close => true,
        };
        if is_over {
            self.lose(place, scene);
        }
    }

    fn wait(&self) -> Result<(), String> {
        let mut descriptors: Vec<PollFd<'_>> = self
            .links
            .iter()
            .flatten()
            .map(|link| {
                let wants =
                    if link.output.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
                PollFd::from_borrowed_fd(link.descriptor(), wants)
            })
            .collect();
        let timeout = Timespec { tv_sec: 0, tv_nsec: TURN.subsec_nanos().into() };
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(format!("poll: {error}")),
        }
    }

    /// Reads what came for a member and lets it answer. With `is_last` there is nobody to answer to.
    fn hear(&mut self, place: usize, scene: &Scene, is_last: bool) {
        let (Some(member), Some(Some(link))) = (self.members.get_mut(place), self.links.get_mut(place))
        else {
            return;
        };
        let mut alive = link.fill();
        loop {
            let frame = match link.next_packet() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    let what = format!("bytes that are no packet: {error}");
                    self.checker
                        .tell(scene.now_ms, &Event::Nonsense { client: member.device.id, what: &what });
                    alive = false;
                    break;
                }
            };
            let mut io = Io { out: &mut link.output, checker: &mut self.checker, now_ms: scene.now_ms };
            let packet =
                decode(Frame::new(&frame), member.device.version, &Leniency::default(), &mut NoTrace);
            let heard = match packet {
                Ok(packet) => receive(member, &packet, scene, &mut io),
                Err(fault) => {
                    let what = format!("a packet it cannot read: {fault}");
                    io.tell(&Event::Nonsense { client: member.device.id, what: &what });
                    alive = false;
                    break;
                }
            };
            alive &= !matches!(heard, Heard::SentAway(_));
        }
        if !is_last {
            alive &= link.flush();
        }
        if !alive {
            self.lose(place, scene);
        }
    }

    fn lose(&mut self, place: usize, scene: &Scene) {
        let (Some(member), Some(link)) = (self.members.get_mut(place), self.links.get_mut(place)) else {
            return;
        };
        *link = None;
        self.checker.tell(scene.now_ms, &Event::Lost { client: member.device.id });
        member.device.lost();
        member.role.lost(scene);
    }

    /// The server is dead. What it had sent is still in our sockets and counts.
    pub(crate) fn server_died(&mut self) {
        let scene = self.scene();
        for place in 0..self.members.len() {
            self.hear(place, &scene, true);
        }
        self.tell(&Event::Killed);
        for (member, link) in self.members.iter_mut().zip(&mut self.links) {
            if link.take().is_some() {
                member.device.lost();
                member.role.lost(&scene);
            }
        }
    }

    /// Whether everybody is done and everything has come.
    pub(crate) fn is_over(&mut self) -> bool {
        let now_ms = self.now_ms();
        let mut nowhere = Vec::new();
        let io = Io { out: &mut nowhere, checker: &mut self.checker, now_ms };
        self.members.iter().all(|member| member.role.is_done(&member.device, &io))
            && self.checker.is_settled()
    }

    /// Those who are not done.
    pub(crate) fn unfinished(&mut self) -> Vec<String> {
        let now_ms = self.now_ms();
        let mut nowhere = Vec::new();
        let io = Io { out: &mut nowhere, checker: &mut self.checker, now_ms };
        let unfinished = self.members.iter().filter(|member| !member.role.is_done(&member.device, &io));
        unfinished.map(|member| member.device.name.clone()).collect()
    }
}

fn receive(member: &mut Member, packet: &ControlPacket<'_>, scene: &Scene, io: &mut Io<'_>) -> Heard {
    let heard = member.device.receive(packet, io);
    member.role.heard(&heard, &mut member.device, scene, io);
    heard
}
