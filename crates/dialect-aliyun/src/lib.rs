//! The dialect of Aliyun IoT Platform as functions without I/O.
//!
//! [`connect`] reads what a CONNECT says of a device and [`sign`] checks it; [`register`] is how a
//! device gets its secret; [`subdevice`] how a gateway signs for others; [`topic`] knows which topic
//! means what and [`alink`] what its JSON must hold. Facts are those of the vendor's documentation and
//! of its device libraries.
//!
//! [`Aliyun`] is all of it as the platform asks for it, [`Api`] the vendor's HTTP registration, [`quirks`] what
//! can be switched, [`codes`] the vendor's numbers.
//!
//! Not here: who is registered, thing models, what becomes of a property.

pub mod alink;
mod aliyun;
mod api;
pub mod codes;
pub mod connect;
mod diagnosis;
mod downlink;
pub mod quirks;
pub mod register;
mod reply;
mod rules;
pub mod sign;
mod sign_in;
pub mod subdevice;
pub mod topic;
mod uplink;

pub use aliyun::Aliyun;
pub use api::Api;
