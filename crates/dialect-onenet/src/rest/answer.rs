//! What is answered: the envelope, and the numbers of what is wrong.

use hexmq_device::port::{PortError, PortErrorKind, RestResponse};
use serde_json::{Value as Json, json};

/// What a call comes to.
pub(super) type Reply = Result<Answer, Fault>;

/// What a call returns.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// Nothing but that it is done.
    Done,
    /// `data`.
    Data(Json),
    /// Bytes without the envelope.
    Bytes(Vec<u8>),
    /// An envelope of its own.
    Own(Json),
}

/// What is wrong. Clients only tell 0 from the rest; 1, 3, 7 and 10 are the vendor's, the others its habit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) errno: u16,
    pub(super) error: String,
}

impl Fault {
    fn new(errno: u16, error: impl Into<String>) -> Fault {
        Fault { errno, error: error.into() }
    }

    /// Firmware looks for these two words.
    pub(super) fn auth_failed() -> Fault {
        Fault::new(1, "auth failed")
    }

    /// A parameter or the body is missing or wrong.
    pub(super) fn wrong(error: impl Into<String>) -> Fault {
        Fault::new(3, error)
    }

    /// What is named is not there.
    pub(super) fn missing(error: impl Into<String>) -> Fault {
        Fault::new(4, error)
    }

    /// The device did not answer in time.
    pub(super) fn no_answer() -> Fault {
        Fault::new(5, "command response timeout")
    }

    /// It is there already.
    pub(super) fn exists(error: impl Into<String>) -> Fault {
        Fault::new(6, error)
    }

    /// The server's side cannot.
    pub(super) fn internal(error: impl Into<String>) -> Fault {
        Fault::new(7, error)
    }

    /// Not here.
    pub(super) fn not_offered(error: impl Into<String>) -> Fault {
        Fault::new(8, error)
    }

    pub(super) fn offline(device: &str) -> Fault {
        Fault::new(10, format!("device not online: {device}"))
    }
}

impl From<PortError> for Fault {
    fn from(error: PortError) -> Fault {
        match error.kind {
            PortErrorKind::NotFound => Fault::missing(error.message),
            PortErrorKind::Conflict => Fault::exists(error.message),
            PortErrorKind::Invalid => Fault::wrong(error.message),
            PortErrorKind::Forbidden => Fault::auth_failed(),
            PortErrorKind::Offline => Fault::new(10, error.message),
            PortErrorKind::Full | PortErrorKind::Unavailable => Fault::internal(error.message),
        }
    }
}

/// HTTP 200 whatever it is. No header but the media type: firmware reads the whole answer into 320 bytes.
pub(super) fn response(reply: Reply) -> RestResponse {
    let body = match reply {
        Ok(Answer::Bytes(bytes)) => return whole("application/octet-stream", bytes),
        Ok(Answer::Own(json)) => json,
        Ok(Answer::Done) => json!({"errno": 0, "error": "succ"}),
        Ok(Answer::Data(data)) => json!({"errno": 0, "error": "succ", "data": data}),
        Err(Fault { errno, error }) => json!({"errno": errno, "error": error}),
    };
    whole("application/json", body.to_string().into_bytes())
}

fn whole(content_type: &str, body: Vec<u8>) -> RestResponse {
    RestResponse { status: 200, content_type: content_type.to_owned(), headers: Vec::new(), body }
}
