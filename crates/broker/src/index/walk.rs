//! Matching a topic: all nodes that agree with it so far go down one level together, so the text
//! of each level is hashed at most once, and the walk ends when nothing is left that agrees.

use super::Match;
use super::levels::split_level;
use super::record::Kind;
use super::tree::{NONE, Tree, group_of};
use crate::ids::Namespace;

/// Nodes kept without memory of their own. Two or three are common: a level and its `+`.
const FEW: usize = 16;

/// The nodes reached at one depth.
struct Reached {
    few: [u32; FEW],
    len: usize,
    more: Vec<u32>,
}

impl Tree {
    /// [V4 MQTT-4.7.3-4, V5 MQTT-4.7.3-4, V5 U-4.7.1.2-1, V5 U-4.7.1.3-1, V5 U-4.7.3-1, V5 U-4.7.3-2]
    /// [V5 U-4.7.3-3, V5 U-4.7.3-4]
    pub(super) fn matches(&self, namespace: Namespace, topic: &str, visit: &mut impl FnMut(Match<'_>)) {
        let Some(root) = self.root(namespace) else { return };
        let mut here = Reached::new();
        let mut next = Reached::new();
        here.push(root);
        // A leading wildcard does not see topics that begin with '$'.
        // [V4 MQTT-4.7.2-1, V5 MQTT-4.7.2-1]
        let mut wild = !topic.starts_with('$');
        let mut rest = Some(topic.as_bytes());
        while let Some(levels) = rest {
            let text;
            (text, rest) = split_level(levels);
            let mut text_hash = None;
            next.clear();
            for id in here.iter() {
                let Some(node) = self.node(id) else { continue };
                if wild {
                    self.visit_list(node.below, visit);
                    if node.plus != NONE {
                        next.push(node.plus);
                    }
                }
                if node.children > 0
                    && let Some(child) =
                        self.child(id, text, || *text_hash.get_or_insert_with(|| self.levels.hash(text)))
                {
                    next.push(child);
                }
            }
            std::mem::swap(&mut here, &mut next);
            if here.is_empty() {
                return;
            }
            wild = true;
        }
        for node in here.iter().filter_map(|id| self.node(id)) {
            self.visit_list(node.exact, visit);
            // `a/#` matches `a` too. [V4 MQTT-4.7.1-2, V5 MQTT-4.7.1-1]
            self.visit_list(node.below, visit);
        }
    }

    #[inline]
    pub(super) fn visit_list(&self, head: u32, visit: &mut impl FnMut(Match<'_>)) {
        let mut at = head;
        while at != NONE
            && let Some(record) = self.record(at)
        {
            match record.kind() {
                Kind::Plain => visit(Match::Plain(&record.entry())),
                Kind::Group(_) => {
                    if let Some(group) = group_of(&self.groups, &record) {
                        visit(Match::Shared(group));
                    }
                }
            }
            at = record.next;
        }
    }
}

impl Reached {
    fn new() -> Reached {
        Reached { few: [0; FEW], len: 0, more: Vec::new() }
    }

    fn clear(&mut self) {
        self.len = 0;
        self.more.clear();
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn push(&mut self, node: u32) {
        match self.few.get_mut(self.len) {
            Some(place) => {
                *place = node;
                self.len += 1;
            }
            None => self.more.push(node),
        }
    }

    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.few.iter().take(self.len).chain(&self.more).copied()
    }
}
