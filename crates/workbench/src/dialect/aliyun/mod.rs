//! Aliyun IoT Platform inside CONNECT and PUBLISH.

mod alink;
pub(super) mod connect;
pub(super) mod publish;

/// The vendor's rules, by what they are about.
pub(super) const SIGN_IN: &str = "Aliyun CONNECT";
pub(super) const SIGN: &str = "Aliyun signature";
pub(super) const TOPICS: &str = "Aliyun topics";
pub(super) const ALINK: &str = "Aliyun Alink JSON";
pub(super) const LIMITS: &str = "Aliyun limits";
