//! How the server reads: packets out of bytes, as they came together, and what is noted of them.

use hexmq_broker::Flow;
use hexmq_wire::{Fed, Frame, FrameError, Framer, Frames, PacketIdentifier, PacketType};

/// Why reading stopped.
pub(super) enum Stop {
    Flow(Flow),
    /// The session lives on another shard.
    Home(usize),
}

/// What was noted of the packets that were read.
#[derive(Default)]
pub(super) struct Heard {
    /// A packet was handled.
    pub(super) any: bool,
    /// A DISCONNECT among them keeps the Will from being published.
    pub(super) bye: bool,
    /// SUBSCRIBE and UNSUBSCRIBE packets before the first PUBLISH.
    pub(super) changes: Vec<PacketIdentifier>,
    /// The packet that showed that the session lives elsewhere.
    pub(super) first: Vec<u8>,
}

impl Heard {
    /// Gives the whole packets of `unread` to `receive`, unless the first one belongs `elsewhere`.
    pub(super) fn feed(
        &mut self,
        framer: &mut Framer,
        unread: &[u8],
        maximum_packet_size: u32,
        elsewhere: impl FnOnce(Frame<'_>) -> Option<usize>,
        receive: impl FnOnce(&mut Frames<'_>) -> Flow,
    ) -> Result<Fed<Stop>, FrameError> {
        let mut input = unread;
        let begun = framer.complete(&mut input)?;
        let mut frames = Frames::behind(begun.as_deref(), input, maximum_packet_size);
        let consumed = |frames: &Frames<'_>| unread.len() - frames.rest().len();
        let mut ahead = frames.clone();
        if let Some(first) = ahead.next()
            && let Some(home) = elsewhere(first)
        {
            self.first = first.bytes.to_vec();
            return Ok(Fed { consumed: consumed(&ahead), stopped: Some(Stop::Home(home)) });
        }
        let before = frames.clone();
        let flow = receive(&mut frames);
        self.note(before, &frames);
        if flow != Flow::Continue {
            return Ok(Fed { consumed: consumed(&frames), stopped: Some(Stop::Flow(flow)) });
        }
        frames.status()?;
        framer.keep(frames.rest());
        Ok(Fed { consumed: unread.len(), stopped: None })
    }

    /// Notes the packets that were taken.
    fn note(&mut self, mut before: Frames<'_>, after: &Frames<'_>) {
        self.any = !after.latest().is_empty();
        let mut published = false;
        while before.latest().is_empty() || before.rest().len() > after.rest().len() {
            let Some(frame) = before.next().filter(|_| self.any) else { return };
            self.bye |= is_goodbye(frame);
            published |= frame.packet_type() == Some(PacketType::Publish);
            if !published {
                self.changes.extend(change(frame));
            }
        }
    }
}

/// A DISCONNECT with which the Will is not published.
fn is_goodbye(frame: Frame<'_>) -> bool {
    frame.packet_type() == Some(PacketType::Disconnect) && frame.bytes.get(2).copied().unwrap_or(0) == 0
}

/// The Packet Identifier of a SUBSCRIBE or an UNSUBSCRIBE.
fn change(frame: Frame<'_>) -> Option<PacketIdentifier> {
    let header = frame.header()?;
    let changes = matches!(header.packet_type, PacketType::Subscribe | PacketType::Unsubscribe);
    let identifier = frame.bytes.get(usize::from(header.size)..)?.first_chunk::<2>().filter(|_| changes)?;
    PacketIdentifier::new(u16::from_be_bytes(*identifier))
}
