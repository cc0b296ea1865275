//! `-D COMMAND IDENTIFIER VALUE`: MQTT 5 properties from the command line.

use std::str::FromStr;

use hexmq_wire::{PacketType, Place, PropertiesBuf, Property, PropertyId, PropertyType};

use super::argv::SEPARATOR;

/// The packets of a client that take properties from the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Connect,
    Will,
    Publish,
    Subscribe,
    Unsubscribe,
    Disconnect,
}

impl Command {
    fn place(self) -> Place {
        match self {
            Command::Connect => Place::Packet(PacketType::Connect),
            Command::Will => Place::Will,
            Command::Publish => Place::Packet(PacketType::Publish),
            Command::Subscribe => Place::Packet(PacketType::Subscribe),
            Command::Unsubscribe => Place::Packet(PacketType::Unsubscribe),
            Command::Disconnect => Place::Packet(PacketType::Disconnect),
        }
    }

    fn parse(name: &str) -> Option<Command> {
        Some(match name.to_ascii_lowercase().as_str() {
            "connect" => Command::Connect,
            "will" => Command::Will,
            "publish" => Command::Publish,
            "subscribe" => Command::Subscribe,
            "unsubscribe" => Command::Unsubscribe,
            "disconnect" => Command::Disconnect,
            _ => return None,
        })
    }
}

/// One `-D`, judged.
#[derive(Clone, Debug)]
pub(crate) struct GivenProperty {
    command: Command,
    id: PropertyId,
    encoded: PropertiesBuf,
}

impl FromStr for GivenProperty {
    type Err = String;

    fn from_str(text: &str) -> Result<GivenProperty, String> {
        let mut values = text.splitn(3, SEPARATOR);
        let (Some(command), Some(identifier), Some(value)) = (values.next(), values.next(), values.next())
        else {
            return Err("it takes a command, a property and its value".into());
        };
        let command = Command::parse(command).ok_or_else(|| {
            format!("`{command}` is none of connect, will, publish, subscribe, unsubscribe, disconnect")
        })?;
        let id = PropertyId::from_name(&identifier.replace('-', "_"))
            .ok_or_else(|| format!("there is no property `{identifier}`"))?;
        // In PUBLISH it is for the server alone. [V5 MQTT-3.3.4-6]
        let only_server = command == Command::Publish && id == PropertyId::SubscriptionIdentifier;
        if only_server || !id.row().allowed.contains(command.place()) {
            return Err(format!("`{identifier}` does not belong in {command:?}"));
        }
        let mut encoded = PropertiesBuf::new();
        encoded.push(parse(id, value)?).map_err(|error| error.to_string())?;
        Ok(GivenProperty { command, id, encoded })
    }
}

fn parse(id: PropertyId, value: &str) -> Result<Property<'_>, String> {
    let name = id.name().replace('_', "-");
    match id.row().ty {
        PropertyType::Utf8StringPair => {
            let (name, value) =
                value.split_once(SEPARATOR).ok_or("user-property takes a name and a value")?;
            Ok(Property::UserProperty(name, value))
        }
        PropertyType::Utf8String | PropertyType::BinaryData => {
            Property::from_bytes(id, value.as_bytes()).ok_or_else(|| format!("`{name}` takes a string"))
        }
        _ => {
            let number = value.parse().ok().filter(|number| allowed(id, *number));
            number
                .and_then(|number| Property::from_number(id, number))
                .ok_or_else(|| format!("`{value}` is not a value for `{name}`"))
        }
    }
}

/// Values that have the right number of bits and that the standard forbids all the same.
fn allowed(id: PropertyId, number: u32) -> bool {
    match id {
        PropertyId::ReceiveMaximum | PropertyId::MaximumPacketSize | PropertyId::TopicAlias => number != 0,
        PropertyId::SubscriptionIdentifier => (1..=268_435_455).contains(&number),
        PropertyId::PayloadFormatIndicator
        | PropertyId::RequestProblemInformation
        | PropertyId::RequestResponseInformation => number <= 1,
        _ => true,
    }
}

/// All `-D` of a command line.
#[derive(Clone, Debug)]
pub(crate) struct PropertyList<'a>(pub(crate) &'a [GivenProperty]);

impl PropertyList<'_> {
    /// The properties for one packet, in the order given.
    pub(crate) fn of(&self, command: Command) -> Result<PropertiesBuf, String> {
        let mut properties = PropertiesBuf::new();
        for (index, given) in self.0.iter().enumerate().filter(|(_, given)| given.command == command) {
            let before = self.0.get(..index).unwrap_or_default();
            let repeated = before.iter().any(|other| other.command == command && other.id == given.id);
            // A client never repeats one of those that only a server may repeat.
            if repeated && given.id != PropertyId::UserProperty {
                return Err(format!("`{}` is given twice", given.id.name().replace('_', "-")));
            }
            for property in given.encoded.as_properties().iter() {
                properties.push(property).map_err(|error| error.to_string())?;
            }
        }
        Ok(properties)
    }

    /// Whether the packet has this property.
    pub(crate) fn has(&self, command: Command, id: PropertyId) -> bool {
        self.0.iter().any(|given| given.command == command && given.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(values: &[&str]) -> Result<GivenProperty, String> {
        values.join(&SEPARATOR.to_string()).parse()
    }

    #[test]
    fn values_are_judged_by_type_and_place() {
        assert!(given(&["publish", "content-type", "text/plain"]).is_ok());
        assert!(given(&["CONNECT", "receive-maximum", "65535"]).is_ok());
        assert!(given(&["connect", "user-property", "a", "b"]).is_ok());
        for wrong in [
            &["connect", "receive-maximum", "65536"][..],
            &["connect", "receive-maximum", "0"],
            &["connect", "content-type", "x"],
            &["publish", "subscription-identifier-available", "1"],
            &["publish", "subscription-identifier", "1"],
            &["publish", "nonsense", "1"],
            &["puback", "user-property", "a", "b"],
            &["connect", "user-property", "a"],
            &["subscribe", "subscription-identifier", "268435456"],
        ] {
            assert!(given(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_user_properties_are_repeated() {
        let user = given(&["publish", "user-property", "a", "b"]).unwrap();
        let content = given(&["publish", "content-type", "x"]).unwrap();
        let list = [user.clone(), user, content.clone()];
        let properties = PropertyList(&list).of(Command::Publish).unwrap();
        assert_eq!(properties.as_properties().user_properties().count(), 2);
        assert!(PropertyList(&[content.clone(), content]).of(Command::Publish).is_err());
        assert!(PropertyList(&list).of(Command::Connect).unwrap().is_empty());
    }
}
