//! The vendors' own HTTP APIs: functions from requests to answers over the platform.

use crate::port::Platform;

/// A request of the vendor's own HTTP API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestRequest {
    /// `GET`, `POST` …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Decoded names and values, in order.
    pub query: Vec<(String, String)>,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl RestRequest {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The first query parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(parameter, _)| parameter == name).map(|(_, value)| value.as_str())
    }
}

/// The answer to a [`RestRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestResponse {
    /// HTTP status.
    pub status: u16,
    /// Media type.
    pub content_type: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A vendor's HTTP API: a function from requests to answers over the platform.
pub trait VendorApi: Send + Sync + 'static {
    /// The answer; `None` if the path is not of this vendor.
    fn answer(&self, request: &RestRequest, platform: &dyn Platform) -> Option<RestResponse>;
}
