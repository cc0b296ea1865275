//! Looking ahead in what a connection sent: where most topics are new, the index walks for
//! several of them at once instead of waiting for the memory of each.

use hexmq_wire::{Frame, FrameStatus, PacketType, scan_frame};

use super::Shard;
use crate::ConnId;
use crate::index::TOGETHER;

/// Whether looking ahead is worth its while.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    /// Walks of the index there had been when it was judged last.
    walks: usize,
    /// Packets there had been then.
    packets: u64,
}

impl Outlook {
    /// Whether more than half of the packets since it was judged last needed a walk.
    fn is_new(&mut self, walks: usize, packets: u64) -> bool {
        let were_new = walks.wrapping_sub(self.walks) as u64;
        let are_new = were_new * 2 > packets.wrapping_sub(self.packets);
        *self = Outlook { walks, packets };
        are_new
    }
}

impl Shard {
    /// Prepares for packets of a connection that are received next: `bytes` begins with them. Says for how
    /// many packets, 1 or more, it need not be asked again.
    ///
    /// Changes nothing a client could see, whatever the bytes are.
    pub(super) fn look_ahead(&mut self, conn: ConnId, bytes: &[u8]) -> usize {
        if bytes.is_empty() {
            return TOGETHER;
        }
        let (walks, packets) = (self.cache.walks(), self.residents.census.packets_received);
        let are_new = self.outlook.is_new(walks, packets);
        if are_new { self.look_at_topics(conn, bytes).max(1) } else { TOGETHER }
    }

    /// How many packets were looked at.
    fn look_at_topics(&mut self, conn: ConnId, mut bytes: &[u8]) -> usize {
        let Some(connected) = self.connected(conn) else { return 0 };
        let namespace = connected.topics;
        let mut topics: [&[u8]; TOGETHER] = [&[]; TOGETHER];
        let (mut packets, mut found) = (0, 0);
        while packets < TOGETHER
            && let Ok(FrameStatus::Whole { length }) = scan_frame(bytes, u32::MAX)
            && let Some((frame, rest)) = bytes.split_at_checked(length)
        {
            packets += 1;
            bytes = rest;
            if let Some(topic) = topic_of(Frame::new(frame))
                && let Some(place) = topics.get_mut(found)
            {
                *place = topic;
                found += 1;
            }
        }
        if found > 1 {
            let topics = topics.get(..found).unwrap_or_default();
            self.cache.look_ahead(&self.shared.index, namespace, topics);
        }
        packets
    }
}

/// The bytes of the topic name of a PUBLISH; `None` for other packets and without one.
fn topic_of(frame: Frame<'_>) -> Option<&[u8]> {
    let header = frame.header().filter(|header| header.packet_type == PacketType::Publish)?;
    let body = frame.bytes.get(usize::from(header.size)..)?;
    let (length, body) = body.split_first_chunk()?;
    body.get(..usize::from(u16::from_be_bytes(*length))).filter(|topic| !topic.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_of_a_publish_is_found_and_of_nothing_else() {
        let publish = |bytes: &'static [u8]| topic_of(Frame::new(bytes));
        assert_eq!(publish(b"\x30\x05\x00\x03a/bx"), Some(&b"a/b"[..]));
        assert_eq!(publish(b"\x32\x07\x00\x03a/b\x00\x01"), Some(&b"a/b"[..]));
        assert_eq!(publish(b"\x30\x02\x00\x00"), None, "a Topic Alias stands for it");
        assert_eq!(publish(b"\x30\x03\x00\x09a"), None);
        assert_eq!(publish(b"\x30\x01\x00"), None);
        assert_eq!(publish(b"\x82\x05\x00\x03a/bx"), None);
        assert_eq!(publish(b""), None);
    }
}
