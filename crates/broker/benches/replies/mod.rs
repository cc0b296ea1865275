//! A subscriber that acknowledges whatever it gets.

use hexmq_broker::ConnId;

use crate::world::Bench;

/// The replies of subscribers, with the memory they need.
#[derive(Default)]
pub(crate) struct Replies {
    received: Vec<u8>,
    replies: Vec<u8>,
}

impl Replies {
    /// Reads what is on its way to a client, replies and reads again until there is nothing more.
    /// Gives the messages among it.
    pub(crate) fn reply(&mut self, bench: &mut Bench, conn: ConnId) -> u32 {
        let mut messages = 0;
        loop {
            std::mem::swap(&mut self.received, &mut bench.world.outputs[conn.slot as usize]);
            if self.received.is_empty() {
                return messages;
            }
            let mut rest = self.received.as_slice();
            while let [first, length, ..] = *rest {
                assert!(length < 0x80, "packets are short here");
                let (packet, others) = rest.split_at(2 + usize::from(length));
                rest = others;
                messages += u32::from(first >> 4 == 3);
                self.replies.extend(reply_to(packet).into_iter().flatten());
            }
            self.received.clear();
            if !self.replies.is_empty() {
                bench.receive(conn, &self.replies);
                self.replies.clear();
            }
        }
    }
}

/// PUBACK or PUBREC to a PUBLISH, PUBCOMP to a PUBREL.
fn reply_to(packet: &[u8]) -> Option<[u8; 4]> {
    let behind_topic = || 4 + usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let (reply, identifier) = match (packet[0] >> 4, packet[0] >> 1 & 3) {
        (3, 1) => (0x40, behind_topic()),
        (3, 2) => (0x50, behind_topic()),
        (6, _) => (0x70, 2),
        _ => return None,
    };
    Some([reply, 2, packet[identifier], packet[identifier + 1]])
}
