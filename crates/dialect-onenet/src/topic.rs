//! Which topic means what.
//!
//! The legacy access has `$dp`, `$creq/{id}` and `$crsp/{id}`; the accesses by token have everything
//! under `$sys/{product}/{device}/`. Answers of the platform end in `/reply`, answers of a device in
//! `_reply`.

use hexmq_device::Span;

/// A topic of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic<'a> {
    /// `$dp`: data points, up.
    DataPoints,
    /// `$creq/{id}`: a command, down.
    Command {
        /// The whole rest of the topic.
        id: &'a str,
    },
    /// `$crsp/{id}`: its answer, up.
    Answer {
        /// The whole rest of the topic.
        id: &'a str,
    },
    /// Under `$sys/{product}/{device}/`.
    System(System<'a>),
}

/// A topic of the accesses by token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct System<'a> {
    /// Product id.
    pub product: &'a str,
    /// Device name.
    pub device: &'a str,
    /// What follows.
    pub path: &'a str,
    /// What the path means; `None` for one that the platform does not know.
    pub entry: Option<&'static Entry>,
    /// What stands for the `+` of the entry: a service's or a command's identifier.
    pub identifier: Option<&'a str>,
}

/// Who publishes to a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The device.
    Up,
    /// The platform.
    Down,
}

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// `{"id","version","params"}`
    Request,
    /// `{"id","code","msg"}` and perhaps `data`.
    Reply,
    /// `{"id","dp":{stream:[{"v","t"}]}}`
    DataPoints,
    /// `{"id"}` or `{"id","err_code","err_msg"}`
    Verdict,
    /// Any bytes.
    Raw,
}

/// A path under `$sys/{product}/{device}/`.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Stable name in snake_case.
    pub name: &'static str,
    /// The path; `+` stands for one level.
    pub path: &'static str,
    /// Who publishes.
    pub direction: Direction,
    /// What the payload is.
    pub content: Content,
}

/// A request of the device with the platform's `/reply`, or of the platform with the device's
/// `_reply`.
macro_rules! entries {
    ($($name:literal $path:literal $direction:ident $content:ident;)*) => {
        /// Every path.
        pub static ENTRIES: &[Entry] = &[$(Entry {
            name: $name, path: $path, direction: Direction::$direction, content: Content::$content,
        },)*];
    };
}

entries! {
    "dp_post" "dp/post/json" Up DataPoints;
    "dp_accepted" "dp/post/json/accepted" Down Verdict;
    "dp_rejected" "dp/post/json/rejected" Down Verdict;
    "command_request" "cmd/request/+" Down Raw;
    "command_response" "cmd/response/+" Up Raw;
    "command_response_accepted" "cmd/response/+/accepted" Down Raw;
    "command_response_rejected" "cmd/response/+/rejected" Down Raw;
    "property_post" "thing/property/post" Up Request;
    "property_post_reply" "thing/property/post/reply" Down Reply;
    "property_set" "thing/property/set" Down Request;
    "property_set_reply" "thing/property/set_reply" Up Reply;
    "property_get" "thing/property/get" Down Request;
    "property_get_reply" "thing/property/get_reply" Up Reply;
    "event_post" "thing/event/post" Up Request;
    "event_post_reply" "thing/event/post/reply" Down Reply;
    "desired_get" "thing/property/desired/get" Up Request;
    "desired_get_reply" "thing/property/desired/get/reply" Down Reply;
    "desired_delete" "thing/property/desired/delete" Up Request;
    "desired_delete_reply" "thing/property/desired/delete/reply" Down Reply;
    "service_invoke" "thing/service/+/invoke" Down Request;
    "service_invoke_reply" "thing/service/+/invoke_reply" Up Reply;
    "pack_post" "thing/pack/post" Up Request;
    "pack_post_reply" "thing/pack/post/reply" Down Reply;
    "history_post" "thing/history/post" Up Request;
    "history_post_reply" "thing/history/post/reply" Down Reply;
    "sub_login" "thing/sub/login" Up Request;
    "sub_login_reply" "thing/sub/login/reply" Down Reply;
    "sub_logout" "thing/sub/logout" Up Request;
    "sub_logout_reply" "thing/sub/logout/reply" Down Reply;
    "topology_add" "thing/sub/topo/add" Up Request;
    "topology_add_reply" "thing/sub/topo/add/reply" Down Reply;
    "topology_delete" "thing/sub/topo/delete" Up Request;
    "topology_delete_reply" "thing/sub/topo/delete/reply" Down Reply;
    "topology_get" "thing/sub/topo/get" Up Request;
    "topology_get_reply" "thing/sub/topo/get/reply" Down Reply;
    "topology_get_result" "thing/sub/topo/get/result" Up Reply;
    "topology_change" "thing/sub/topo/change" Down Request;
    "topology_change_reply" "thing/sub/topo/change_reply" Up Reply;
    "sub_property_set" "thing/sub/property/set" Down Request;
    "sub_property_set_reply" "thing/sub/property/set_reply" Up Reply;
    "sub_property_get" "thing/sub/property/get" Down Request;
    "sub_property_get_reply" "thing/sub/property/get_reply" Up Reply;
    "sub_service_invoke" "thing/sub/service/invoke" Down Request;
    "sub_service_invoke_reply" "thing/sub/service/invoke_reply" Up Reply;
    "ota_inform" "ota/inform" Down Request;
    "ota_inform_reply" "ota/inform_reply" Up Reply;
}

impl<'a> Topic<'a> {
    /// What `topic` means to the platform; `None` for a topic between devices.
    pub fn parse(topic: &'a str) -> Option<Topic<'a>> {
        if topic == crate::dp::TOPIC {
            return Some(Topic::DataPoints);
        }
        if let Some(id) = topic.strip_prefix("$creq/") {
            return Some(Topic::Command { id });
        }
        if let Some(id) = topic.strip_prefix("$crsp/") {
            return Some(Topic::Answer { id });
        }
        let mut levels = topic.strip_prefix("$sys/")?.splitn(3, '/');
        let (product, device, path) = (levels.next()?, levels.next()?, levels.next()?);
        let found = ENTRIES.iter().find_map(|entry| Some((entry, identifier(entry.path, path)?)));
        let (entry, identifier) = found.map_or((None, None), |(entry, name)| (Some(entry), name));
        Some(Topic::System(System { product, device, path, entry, identifier }))
    }

    /// Who publishes to it; `None` for a path that the platform does not know.
    pub fn direction(&self) -> Option<Direction> {
        match self {
            Topic::DataPoints | Topic::Answer { .. } => Some(Direction::Up),
            Topic::Command { .. } => Some(Direction::Down),
            Topic::System(system) => system.entry.map(|entry| entry.direction),
        }
    }
}

impl System<'_> {
    /// Where product, device and path stand in the topic.
    pub fn spans(&self) -> [Span; 3] {
        const PREFIX: usize = "$sys/".len();
        let device = PREFIX + self.product.len() + 1;
        let path = device + self.device.len() + 1;
        [
            Span::new(PREFIX, self.product.len()),
            Span::new(device, self.device.len()),
            Span::new(path, self.path.len()),
        ]
    }
}

/// Whether `path` is of this form, and what stands for the `+`.
fn identifier<'a>(form: &str, path: &'a str) -> Option<Option<&'a str>> {
    let mut found = None;
    let mut levels = path.split('/');
    for wanted in form.split('/') {
        match levels.next()? {
            level if wanted == "+" && !level.is_empty() => found = Some(level),
            level if level == wanted => {}
            _ => return None,
        }
    }
    levels.next().is_none().then_some(found)
}
