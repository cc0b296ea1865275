//! Where handlers get the platform from, and how many of them may wait for it at once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use hexmq_device::port::{Platform, PortResult, VendorApi};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::Caller;
use crate::api::{BODY_BYTES_MAX, off_thread};
use crate::error::ApiError;
use crate::serve::Service;

/// Calls of the platform under way at once. Data bases that answer slowly hold these threads and no others.
const CALLS_MAX: usize = 32;
/// Requests that wait for an answer of a device at once.
const WAITS_MAX: usize = 24;
/// Request bodies of more than a MiB held at once.
const LARGE_MAX: usize = 2;
/// Threads for all that waits: the rest is for what does not ask the platform.
pub(crate) const THREADS: usize = CALLS_MAX + WAITS_MAX + 8;
/// A place is waited for so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// The platform and those who may ask it.
pub(crate) struct Desk {
    pub(crate) platform: Option<Arc<dyn Platform>>,
    pub(crate) vendors: Vec<Arc<dyn VendorApi>>,
    calls: Arc<Semaphore>,
    waits: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Desk {
    pub(crate) fn new(platform: Option<Arc<dyn Platform>>, vendors: Vec<Arc<dyn VendorApi>>) -> Desk {
        let places = |most| Arc::new(Semaphore::new(most));
        Desk {
            platform,
            vendors,
            calls: places(CALLS_MAX),
            waits: places(WAITS_MAX),
            large: places(LARGE_MAX),
        }
    }

    /// A place for a body of this length, if it is a large one or does not say how long it is.
    pub(crate) async fn large_if(
        &self,
        length: Option<usize>,
    ) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
        match length {
            Some(length) if length <= BODY_BYTES_MAX => Ok(None),
            _ => place(&self.large).await.map(Some),
        }
    }

    /// Asks the platform where waiting hurts nobody else.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        held(&self.calls, call).await
    }
}

/// Runs a call that holds a place.
async fn held<T: Send + 'static>(
    places: &Arc<Semaphore>,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let place = place(places).await?;
    off_thread(move || {
        // The place is held until the call is over, even if nobody waits for its result any more.
        let _place = place;
        call()
    })
    .await
}

async fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    match tokio::time::timeout(PATIENCE, Arc::clone(places).acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        _ => {
            let hint = "send fewer requests at once; /api/v1/status tells whether the data base answers";
            let message = "as many requests are under way as there may be";
            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message, hint))
        }
    }
}

/// What the router carries.
#[derive(Clone)]
pub(crate) struct Room {
    pub(crate) service: Arc<Service>,
    pub(crate) desk: Arc<Desk>,
}

impl FromRef<Room> for Arc<Service> {
    fn from_ref(room: &Room) -> Arc<Service> {
        Arc::clone(&room.service)
    }
}

impl FromRef<Room> for Arc<Desk> {
    fn from_ref(room: &Room) -> Arc<Desk> {
        Arc::clone(&room.desk)
    }
}

/// The platform as a handler sees it, with the one who asks.
pub(crate) struct Cloud {
    pub(crate) platform: Arc<dyn Platform>,
    pub(crate) caller: Caller,
    desk: Arc<Desk>,
}

impl FromRequestParts<Room> for Cloud {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, room: &Room) -> Result<Cloud, ApiError> {
        let platform = room.desk.platform.clone().ok_or_else(no_platform)?;
        // Whoever has come past the door without a name may do nothing.
        let caller = parts.extensions.get::<Caller>().cloned().unwrap_or(Caller::Nobody);
        Ok(Cloud { platform, caller, desk: Arc::clone(&room.desk) })
    }
}

/// The server runs without its device cloud.
pub(crate) fn no_platform() -> ApiError {
    let hint = "start the server with its device cloud; its log on stderr says why it has none";
    let message = "this server has no device cloud";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_platform", message, hint)
}

impl Cloud {
    /// Asks the platform.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Platform) -> PortResult<T> + Send + 'static,
    ) -> Result<T, ApiError> {
        let platform = Arc::clone(&self.platform);
        Ok(self.desk.call(move || call(&*platform)).await??)
    }

    /// Asks the platform for something that takes as long as a device takes.
    pub(crate) async fn wait<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Platform) -> PortResult<T> + Send + 'static,
    ) -> Result<T, ApiError> {
        let platform = Arc::clone(&self.platform);
        Ok(held(&self.desk.waits, move || call(&*platform)).await??)
    }

    /// A place for a large body; it is held as long as the body is.
    pub(crate) async fn large(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        place(&self.desk.large).await
    }
}
