//! What arrives in a shard's mailbox, and what the shard does with it.

use hexmq_broker::{Condition, ConnId, ShardId};

use crate::mailbox::Letter;
use crate::shard_loop::ShardLoop;

impl ShardLoop {
    pub(crate) fn receive_mail(&mut self) {
        let mailbox = self.mailbox().clone();
        if let Some(commit) = mailbox.take_safe()
            && let Some(commits) = &mut self.links.commits
        {
            commits.note_safe(commit);
            self.links.keep_promises();
        }
        for letter in mailbox.take_letters() {
            self.open_letter(letter);
        }
        self.carry_out();
        // A lane that was full is tried again when this turn's batches are posted.
        mailbox.take_room();
        for from in (0..self.shards).map(ShardId) {
            let Some((batches, newcomers, sender_waits)) = mailbox.take_lane(from) else { continue };
            for batch in batches {
                self.shard.forwarded(&batch, self.links.now, &mut self.links);
                mailbox.give_back(from, batch);
            }
            for newcomer in newcomers {
                self.admit(newcomer, false);
            }
            if sender_waits && let Some(sender) = self.mailboxes.get(usize::from(from.0)) {
                sender.tell_room();
            }
        }
    }

    /// While the store cannot write, nobody waits for ever: MQTT 5 publishers are told at once, others
    /// are given up after a while.
    fn store_changed(&mut self, condition: Condition) {
        let now = self.links.now;
        let Some(mut commits) = self.links.commits.take() else { return };
        commits.look();
        let mut refused: Vec<(ConnId, Vec<u8>)> = Vec::new();
        if condition == Condition::Stuck && commits.condition == Condition::Stuck {
            commits.reconsider(|conn, packet| {
                let refuses = self.shard.would_refuse(conn, packet);
                if refuses {
                    refused.push((conn, packet.to_vec()));
                }
                refuses
            });
            self.shard.store_stuck(commits.waiting(), now);
        }
        self.links.commits = Some(commits);
        for (conn, packet) in refused {
            self.shard.refuse_promised(conn, &packet, &mut self.links);
        }
    }

    fn open_letter(&mut self, letter: Letter) {
        let now = self.links.now;
        // Who asks may have given up waiting for the reply.
        match letter {
            Letter::Answer(hold, answer) => {
                self.shard.answered(hold, answer, now, &mut self.links);
                self.answered(hold.conn);
            }
            Letter::Tapes(taping, done) => {
                self.links.retape(&self.shard, taping);
                let _ = done.send(self.me);
            }
            Letter::Census(reply) => drop(reply.send((self.me, self.shard.census()))),
            Letter::Limits(limits) => {
                self.links.set_low_mark(crate::node::low_mark(&limits));
                self.shard.set_limits(limits);
            }
            Letter::Fetched(fetched) => self.shard.fetched(&fetched, now, &mut self.links),
            Letter::Condition(condition) => self.store_changed(condition),
            Letter::Order(order) => {
                self.orders.push_back(order);
                self.carry_out();
            }
            Letter::Stop => self.stop(),
        }
    }
}
