//! Topic Aliases of 5.0 (section 3.3.2.3.4). They live as long as the network connection: the
//! owner makes new tables for a new connection. [V5 MQTT-3.3.2-7]

use std::fmt;

/// Aliases the other side sets in the PUBLISH packets it sends to us.
///
/// Memory: up to `maximum` topic names; nothing until the first alias is set.
#[derive(Clone, Debug, Default)]
pub struct AliasesIn {
    /// Index 0 is alias 1; an empty name is an alias not yet set.
    names: Vec<Box<str>>,
    maximum: u16,
}

/// Why an alias cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasError {
    /// A Topic Alias of 0 is not permitted. [V5 MQTT-3.3.2-8]
    Zero,
    /// Greater than the Topic Alias Maximum we announced. [V5 MQTT-3.3.2-9, V5 MQTT-3.3.2-11]
    AboveMaximum {
        /// The announced maximum.
        maximum: u16,
    },
    /// Topic names are not empty.
    EmptyTopicName,
}

impl fmt::Display for AliasError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AliasError::Zero => f.write_str("a topic alias is never 0"),
            AliasError::AboveMaximum { maximum } => {
                write!(f, "the topic alias is greater than the announced maximum of {maximum}")
            }
            AliasError::EmptyTopicName => f.write_str("a topic alias cannot stand for an empty topic name"),
        }
    }
}

impl std::error::Error for AliasError {}

impl AliasesIn {
    /// For a Topic Alias Maximum of `maximum` that we announced; 0 accepts none.
    pub const fn new(maximum: u16) -> AliasesIn {
        AliasesIn { names: Vec::new(), maximum }
    }

    /// The announced Topic Alias Maximum.
    pub const fn maximum(&self) -> u16 {
        self.maximum
    }

    /// The alias stands for this name from now on; an older name is forgotten.
    /// [V5 U-3.3.2.3.4-2, V5 U-3.3.2.3.4-4, V5 U-3.3.4-4]
    pub fn set(&mut self, alias: u16, topic_name: &str) -> Result<(), AliasError> {
        let Some(index) = usize::from(alias).checked_sub(1) else { return Err(AliasError::Zero) };
        if alias > self.maximum {
            return Err(AliasError::AboveMaximum { maximum: self.maximum });
        }
        if topic_name.is_empty() {
            return Err(AliasError::EmptyTopicName);
        }
        if index >= self.names.len() {
            self.names.resize_with(index + 1, Box::default);
        }
        match self.names.get_mut(index) {
            // Set again to the same name, as senders do: nothing to allocate.
            Some(name) if **name == *topic_name => {}
            Some(name) => *name = topic_name.into(),
            None => {}
        }
        Ok(())
    }

    /// The name the alias stands for, if it was set.
    /// [V5 U-3.3.2.3.4-3]
    pub fn get(&self, alias: u16) -> Option<&str> {
        let index = usize::from(alias).checked_sub(1)?;
        self.names.get(index).map(|name| &**name).filter(|name| !name.is_empty())
    }
}

/// Aliases we set in the PUBLISH packets we send. First come, first served: a name keeps its alias
/// for the connection, and names that come after the table is full go without one.
///
/// Memory: up to `maximum` topic names; nothing until the first alias is assigned. A search
/// compares some log₂(`maximum`) names.
#[derive(Clone, Debug, Default)]
pub struct AliasesOut {
    /// Sorted by name.
    names: Vec<(Box<str>, u16)>,
    maximum: u16,
}

/// How a PUBLISH is to name its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasUse {
    /// Send the topic name and this alias: the receiver learns it.
    New(u16),
    /// Send an empty topic name and this alias.
    Known(u16),
    /// Send the topic name without an alias.
    None,
}

impl AliasesOut {
    /// For a Topic Alias Maximum of `maximum` that the receiver announced, or less if the owner
    /// wants to spend less memory. With 0 no alias is ever sent. [V5 MQTT-3.1.2-26, V5 MQTT-3.1.2-27]
    pub const fn new(maximum: u16) -> AliasesOut {
        AliasesOut { names: Vec::new(), maximum }
    }

    /// The largest alias that will be assigned.
    pub const fn maximum(&self) -> u16 {
        self.maximum
    }

    /// The alias for a topic name, assigned now if there is room. After [`AliasUse::New`] the
    /// PUBLISH must really be sent, or the receiver will not know the alias;
    /// [`AliasesOut::look_up`] asks without assigning.
    pub fn assign(&mut self, topic_name: &str) -> AliasUse {
        if self.maximum == 0 {
            return AliasUse::None;
        }
        match self.place(topic_name) {
            Ok(alias) => AliasUse::Known(alias),
            Err(place) => match u16::try_from(self.names.len() + 1) {
                Ok(alias) if alias <= self.maximum => {
                    self.names.insert(place, (topic_name.into(), alias));
                    AliasUse::New(alias)
                }
                _ => AliasUse::None,
            },
        }
    }

    /// The alias the receiver already knows for this name.
    pub fn look_up(&self, topic_name: &str) -> Option<u16> {
        self.place(topic_name).ok()
    }

    fn place(&self, topic_name: &str) -> Result<u16, usize> {
        match self.names.binary_search_by(|(name, _)| (**name).cmp(topic_name)) {
            Ok(index) => self.names.get(index).map(|&(_, alias)| alias).ok_or(index),
            Err(index) => Err(index),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// [V5 MQTT-3.3.2-8, V5 MQTT-3.3.2-10, V5 MQTT-3.3.2-11]
    #[test]
    fn each_alias_up_to_the_maximum_is_accepted() {
        let mut aliases = AliasesIn::new(3);
        assert_eq!(aliases.get(3), None);
        (1..=3).for_each(|alias| assert_eq!(aliases.set(alias, "a/b"), Ok(())));
        assert_eq!(aliases.get(3), Some("a/b"));
        assert_eq!(aliases.set(0, "a"), Err(AliasError::Zero));
        assert_eq!(aliases.set(4, "a"), Err(AliasError::AboveMaximum { maximum: 3 }));
        assert_eq!(aliases.set(1, ""), Err(AliasError::EmptyTopicName));
        assert_eq!((aliases.get(0), aliases.get(4)), (None, None));
    }

    #[test]
    fn an_alias_can_be_given_to_another_name() {
        let mut aliases = AliasesIn::new(9);
        aliases.set(9, "old").unwrap();
        assert_eq!(aliases.get(8), None, "those below are not set by it");
        aliases.set(9, "new").unwrap();
        assert_eq!(aliases.get(9), Some("new"));
    }

    /// [V5 MQTT-3.1.2-27]
    #[test]
    fn a_maximum_of_0_means_none() {
        assert_eq!(AliasesOut::new(0).assign("a"), AliasUse::None);
        assert_eq!(AliasesIn::new(0).set(1, "a"), Err(AliasError::AboveMaximum { maximum: 0 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// What one side sends, the other understands, whatever the maximum.
        #[test]
        fn the_other_side_understands(maximum in 0..8_u16, names in prop::collection::vec("[a-e]{1,2}", 0..80)) {
            let mut sender = AliasesOut::new(maximum);
            let mut receiver = AliasesIn::new(maximum);
            let mut assigned = 0;
            for name in &names {
                let known = sender.look_up(name);
                match sender.assign(name) {
                    AliasUse::New(alias) => {
                        assigned += 1;
                        assert_eq!((alias, known), (assigned, None), "first come, first served");
                        receiver.set(alias, name).unwrap();
                    }
                    AliasUse::Known(alias) => {
                        assert_eq!(known, Some(alias));
                        assert_eq!(receiver.get(alias), Some(&**name));
                    }
                    AliasUse::None => assert_eq!(assigned, maximum),
                }
            }
        }
    }
}
