//! The head of a file or a case: what server it wants.

use hexmq_wire::Version;

/// Settings, users and marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// `set NAME = VALUE`, those of the file first.
    pub settings: Vec<Setting>,
    /// `user NAME PASSWORD`.
    pub users: Vec<User>,
    /// Time jumps nobody can wait for.
    pub slow: bool,
    /// Needs something only the core runner has.
    pub core_only: bool,
}

/// One setting. Names of the server are not judged here: the runner knows them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// As in `hexmq serve --print-config`, or one of the run's own.
    pub name: String,
    /// As written.
    pub value: String,
    /// Line, from 1.
    pub line: usize,
}

/// A user of the server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    /// User Name.
    pub name: String,
    /// Password.
    pub password: String,
}

/// Settings of the run, not of the server.
const OF_THE_RUN: [&str; 3] = ["shards", "segment", "version"];

impl Head {
    /// The value of a setting; the last one wins.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().rev().find(|setting| setting.name == name).map(|setting| setting.value.as_str())
    }

    /// The settings of the server that count, each once, in the order they were first written.
    pub fn server_settings(&self) -> Vec<&Setting> {
        let mut found: Vec<&Setting> = Vec::new();
        for setting in self.settings.iter().filter(|setting| !OF_THE_RUN.contains(&setting.name.as_str())) {
            match found.iter_mut().find(|other| other.name == setting.name) {
                Some(earlier) => *earlier = setting,
                None => found.push(setting),
            }
        }
        found
    }

    /// Shards of the server; 1 unless set.
    pub fn shards(&self) -> u16 {
        self.setting("shards").and_then(|value| value.parse().ok()).unwrap_or(1)
    }

    /// Bytes of the pieces in which packets are sent; `None`: each in one piece.
    pub fn segment(&self) -> Option<usize> {
        self.setting("segment").and_then(|value| value.parse().ok())
    }

    /// How to read a connection whose CONNECT is not recognised; 3.1.1 unless set.
    pub fn version(&self) -> Version {
        self.setting("version")
            .and_then(|value| value.parse().ok())
            .and_then(Version::from_level)
            .unwrap_or(Version::V4)
    }

    /// Whether the run's own setting has a value it can have.
    pub(super) fn is_valid(setting: &Setting) -> bool {
        match setting.name.as_str() {
            "shards" => setting.value.parse().is_ok_and(|shards: u16| (1..=64).contains(&shards)),
            "segment" => setting.value.parse().is_ok_and(|bytes: usize| bytes > 0),
            "version" => setting.value.parse().ok().and_then(Version::from_level).is_some(),
            _ => true,
        }
    }
}
