//! Who may do what: the administrator everything, an API key what its scopes and its limits say.

use std::sync::Arc;

use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{RequestExt, http};
use hexmq_device::{ApiKey, Scope};

use crate::desk::Room;
use crate::error::ApiError;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// The administrator.
    Admin,
    /// An application.
    Key(Arc<ApiKey>),
    /// Nobody who was let in.
    Nobody,
}

impl Caller {
    /// Whether this scope is given; `admin` is all of them.
    pub(crate) fn has(&self, scope: Scope) -> bool {
        match self {
            Caller::Admin => true,
            Caller::Key(key) => key.scopes.contains(&scope) || key.scopes.contains(&Scope::Admin),
            Caller::Nobody => false,
        }
    }

    /// The product a key is limited to.
    pub(crate) fn product(&self) -> Option<&str> {
        match self {
            Caller::Key(key) => key.product.as_deref(),
            Caller::Admin | Caller::Nobody => None,
        }
    }

    /// The device a key is limited to.
    pub(crate) fn device(&self) -> Option<&str> {
        match self {
            Caller::Key(key) => key.device.as_deref(),
            Caller::Admin | Caller::Nobody => None,
        }
    }

    /// Whether secrets are shown: they were asked for, and by somebody who may see them.
    pub(crate) fn reveal(&self, asked: bool) -> Result<bool, ApiError> {
        if !asked || self.has(Scope::Manage) {
            return Ok(asked);
        }
        Err(missing_scope(Scope::Manage, "?reveal=true"))
    }

    /// Whether a call with this need and these names in its path is allowed.
    fn may(&self, need: &Need<'_>, product: Option<&str>, device: Option<&str>) -> Result<(), ApiError> {
        if !self.has(need.scope) {
            return Err(missing_scope(need.scope, need.path));
        }
        let fits = |limit: Option<&str>, named: Option<&str>| match limit {
            None => true,
            Some(limit) => named.map_or(need.filtered, |named| named == limit),
        };
        if fits(self.product(), product) && fits(self.device(), device) {
            return Ok(());
        }
        let message = match (self.product(), self.device()) {
            (Some(product), Some(device)) => format!("the key is for the device {product}/{device} only"),
            (product, _) => format!("the key is for the product {} only", product.unwrap_or("?")),
        };
        let hint = "use a key without this limit; an administrator makes one with POST /api/v1/keys";
        Err(ApiError::new(StatusCode::FORBIDDEN, "outside_of_key", message, hint))
    }
}

fn missing_scope(scope: Scope, what: &str) -> ApiError {
    let message = format!("{what} needs a key with the scope `{}`", scope.name());
    let hint = "an administrator makes keys with POST /api/v1/keys, or use HTTP Basic `admin:PASSWORD`";
    ApiError::new(StatusCode::FORBIDDEN, "missing_scope", message, hint)
}

/// What a call needs.
struct Need<'a> {
    path: &'a str,
    scope: Scope,
    /// Without a product in its path it shows a limited key what is within its limits.
    filtered: bool,
}

/// The last words of paths under a product that write data rather than change what is registered.
const WRITES: [&str; 6] = ["properties", "history", "commands", "publish", "desired", "{command}"];

/// What a call of this path needs. What is not known here is for administrators.
fn need<'a>(method: &Method, path: &'a str) -> Need<'a> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let mut words = path.trim_start_matches("/api/v1").trim_start_matches('/').split('/');
    let (first, last) = (words.next().unwrap_or_default(), words.next_back().unwrap_or_default());
    let (scope, filtered) = match (first, reads) {
        ("explain", _) => (Scope::Read, true),
        ("status" | "metrics", true) => (Scope::Read, false),
        ("products" | "devices", true) => (Scope::Read, last.is_empty()),
        ("products", false) if WRITES.contains(&last) => (Scope::Write, false),
        ("products", false) | ("doctor", _) => (Scope::Manage, false),
        _ => (Scope::Admin, false),
    };
    Need { path, scope, filtered }
}

/// Lets those through who may do what they ask for.
pub(crate) async fn require(State(room): State<Room>, mut request: Request, next: Next) -> Response {
    let caller = match authenticate(&room, request.headers()).await {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    let path = request.extensions().get::<MatchedPath>().cloned();
    let parameters = request.extract_parts::<RawPathParams>().await;
    let allowed = match (&path, &parameters) {
        (Some(path), Ok(parameters)) => {
            let named = |name: &str| parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
            let need = need(request.method(), path.as_str());
            caller.may(&need, named("product"), named("device"))
        }
        _ => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad_path",
            "the path cannot be read",
            "write what is no letter or digit as % and two hex digits, in UTF-8",
        )),
    };
    if let Err(error) = allowed {
        return error.into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Who sends this request.
async fn authenticate(room: &Room, headers: &http::HeaderMap) -> Result<Caller, ApiError> {
    let refused = |code, message| {
        let hint = "send HTTP Basic `admin:PASSWORD`; the password is --admin-password, or was printed on stderr \
                    when the server started. Or send `Authorization: Bearer KEY` with an API key";
        ApiError::new(StatusCode::UNAUTHORIZED, code, message, hint)
    };
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(header) = header else {
        return Err(refused("credentials_required", "this needs credentials"));
    };
    if room.service.admin.admits(header) {
        return Ok(Caller::Admin);
    }
    let key = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (Some((_, key)), Some(platform)) = (key, room.desk.platform.clone()) else {
        return Err(refused("bad_credentials", "the credentials are wrong"));
    };
    let key = key.trim().to_owned();
    match room.desk.call(move || platform.key(&key)).await?? {
        Some(key) => Ok(Caller::Key(Arc::new(key))),
        None => Err(refused("bad_key", "there is no such API key, or its time is over")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(scopes: &[Scope], product: Option<&str>, device: Option<&str>) -> Caller {
        Caller::Key(Arc::new(ApiKey {
            id: "k".to_owned(),
            name: String::new(),
            sha256: String::new(),
            scopes: scopes.to_vec(),
            product: product.map(str::to_owned),
            device: device.map(str::to_owned),
            created_at_ms: 0,
            expires_at_ms: None,
        }))
    }

    fn may(
        caller: &Caller,
        method: Method,
        path: &str,
        product: Option<&str>,
        device: Option<&str>,
    ) -> Option<&'static str> {
        caller.may(&need(&method, path), product, device).err().map(|error| error.code)
    }

    const DEVICE: &str = "/api/v1/products/{product}/devices/{device}";

    #[test]
    fn a_scope_is_for_what_it_says_and_admin_for_all() {
        let (read, write) = (key(&[Scope::Read], None, None), key(&[Scope::Write], None, None));
        let (manage, admin) = (key(&[Scope::Manage], None, None), key(&[Scope::Admin], None, None));
        let commands = format!("{DEVICE}/commands");
        let all = [
            (Method::GET, DEVICE, &read),
            (Method::POST, &*commands, &write),
            (Method::PATCH, DEVICE, &manage),
            (Method::POST, "/api/v1/doctor", &manage),
            (Method::GET, "/api/v1/keys", &admin),
            (Method::GET, "/api/v1/rejections", &admin),
            (Method::GET, "/api/v1/something/new", &admin),
        ];
        for (method, path, right) in all {
            for caller in [&read, &write, &manage, &admin] {
                let found = may(caller, method.clone(), path, Some("p"), Some("d"));
                let allowed = std::ptr::eq(caller, right) || std::ptr::eq(caller, &admin);
                assert_eq!(found, (!allowed).then_some("missing_scope"), "{method} {path} {caller:?}");
            }
        }
        assert!(read.reveal(true).is_err() && manage.reveal(true).is_ok_and(|shown| shown));
        assert!(may(&Caller::Nobody, Method::GET, "/api/v1/status", None, None).is_some());
    }

    #[test]
    fn a_limited_key_reaches_its_product_and_its_device_only() {
        let every = [Scope::Admin];
        let product = key(&every, Some("p"), None);
        let device = key(&every, Some("p"), Some("d"));
        let outside = Some("outside_of_key");
        for (path, named, of_product, of_device) in [
            (DEVICE, (Some("p"), Some("d")), None, None),
            (DEVICE, (Some("p"), Some("e")), None, outside),
            (DEVICE, (Some("q"), Some("d")), outside, outside),
            ("/api/v1/products/{product}", (Some("p"), None), None, outside),
            ("/api/v1/products/{product}/devices", (Some("p"), None), None, outside),
            ("/api/v1/status", (None, None), outside, outside),
            ("/api/v1/keys", (None, None), outside, outside),
            ("/api/v1/explain", (None, None), None, None),
            ("/api/v1/products", (None, None), None, None),
            ("/api/v1/devices", (None, None), None, None),
        ] {
            assert_eq!(may(&product, Method::GET, path, named.0, named.1), of_product, "{path}");
            assert_eq!(may(&device, Method::GET, path, named.0, named.1), of_device, "{path}");
        }
        assert_eq!(may(&product, Method::POST, "/api/v1/products", None, None), outside);
    }
}
