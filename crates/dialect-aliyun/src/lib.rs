//! The dialect of Aliyun IoT Platform as functions without I/O.
//!
//! [`connect`] reads what a CONNECT says of a device and [`sign`] checks it; [`register`] is how a
//! device gets its secret; [`subdevice`] how a gateway signs for others; [`topic`] knows which topic
//! means what and [`alink`] what its JSON must hold. Facts are those of the vendor's documentation and
//! of its device libraries.
//!
//! Not here: who is registered, thing models, what becomes of a property.

pub mod alink;
pub mod connect;
pub mod register;
pub mod sign;
pub mod subdevice;
pub mod topic;
