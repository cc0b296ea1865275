//! Webhooks: a queue and a thread for each, so that a dead one delays nothing but itself.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use hexmq_device::port::{PortError, PortErrorKind, PortResult, Webhook, WebhookState};
use hexmq_device::{DeviceRef, Secret};
use serde_json::{Value as Json, json};

use crate::core::{Core, invalid, lock};
use crate::random;
use crate::settings::Settings;
use crate::webhook::{Delivery, agent, deliver};

/// Webhooks of a server.
const WEBHOOKS_MAX: usize = 64;
/// Bytes that wait for one webhook.
const WAITING_BYTES_MAX: usize = 64 << 20;
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// Where all of them are written down.
const DOCUMENT: &str = "webhooks";
const KINDS: [&str; 4] = ["uplink", "presence", "command", "event"];

/// What is delivered.
pub(crate) struct Notice {
    id: String,
    kind: &'static str,
    body: Vec<u8>,
}

impl Notice {
    /// `{"id","kind","topic","product","device","sent_at","data"}`
    pub(crate) fn new(
        id: String,
        kind: &'static str,
        topic: &str,
        device: &DeviceRef,
        data: Json,
        now_ms: i64,
    ) -> Notice {
        let body = json!({
            "id": id,
            "kind": kind,
            "topic": topic,
            "product": device.product,
            "device": device.device,
            "queued_at": crate::times::rfc3339(now_ms),
            "data": data,
        });
        Notice { id, kind, body: body.to_string().into_bytes() }
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Webhooks {
    all: RwLock<Vec<Arc<Hook>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held while the list is changed.
    changing: Mutex<()>,
}

struct Hook {
    webhook: Webhook,
    line: Mutex<Line>,
    wake: Condvar,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Arc<Notice>>,
    bytes: usize,
    state: WebhookState,
    stops: bool,
}

impl Webhooks {
    fn hooks(&self) -> Vec<Arc<Hook>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether anybody wants to hear of it.
    pub(crate) fn wants(&self, kind: &str, product: &str) -> bool {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().any(|hook| hook.wants(kind, product))
    }

    pub(crate) fn push(&self, kind: &str, product: &str, notice: &Arc<Notice>, settings: &Settings) {
        for hook in self.hooks().iter().filter(|hook| hook.wants(kind, product)) {
            hook.push(Arc::clone(notice), settings.webhook_queue);
        }
    }

    pub(crate) fn states(&self) -> Vec<(Webhook, WebhookState)> {
        let state = |hook: &Arc<Hook>| {
            let line = lock(&hook.line);
            let waiting = line.waiting.len() as u64;
            (hook.webhook.clone(), WebhookState { waiting, ..line.state.clone() })
        };
        self.hooks().iter().map(state).collect()
    }

    pub(crate) fn totals(&self) -> (u64, u64) {
        let add = |sum: (u64, u64), (_, state): (Webhook, WebhookState)| {
            (sum.0 + state.delivered, sum.1 + state.given_up)
        };
        self.states().into_iter().fold((0, 0), add)
    }

    pub(crate) fn stop(&self) {
        self.hooks().iter().for_each(|hook| hook.stop());
        for thread in lock(&self.threads).drain(..) {
            if thread.join().is_err() {
                tracing::error!("the thread of a webhook has panicked");
            }
        }
    }
}

impl Hook {
    fn wants(&self, kind: &str, product: &str) -> bool {
        let Webhook { kinds, product: only, disabled, .. } = &self.webhook;
        !disabled
            && (kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind))
            && only.as_ref().is_none_or(|only| only == product)
    }

    /// The oldest are given up where too much waits.
    fn push(&self, notice: Arc<Notice>, bound: usize) {
        let mut line = lock(&self.line);
        line.bytes += notice.body.len();
        line.waiting.push_back(notice);
        while line.waiting.len() > bound.max(1) || line.bytes > WAITING_BYTES_MAX {
            let Some(oldest) = line.waiting.pop_front() else { break };
            line.bytes = line.bytes.saturating_sub(oldest.body.len());
            line.state.given_up += 1;
            line.state.last_error = Some("too many deliveries wait; the oldest are given up".to_owned());
        }
        drop(line);
        self.wake.notify_all();
    }

    fn stop(&self) {
        lock(&self.line).stops = true;
        self.wake.notify_all();
    }

    /// The first that waits; it stays first until it is delivered or given up.
    fn first(&self) -> Option<Arc<Notice>> {
        let idle = |line: &mut Line| line.waiting.is_empty() && !line.stops;
        let waited = self.wake.wait_while(lock(&self.line), idle);
        let line = waited.unwrap_or_else(PoisonError::into_inner);
        if line.stops { None } else { line.waiting.front().cloned() }
    }

    fn is_over(&self, notice: &Arc<Notice>, result: Result<(), String>) {
        let mut line = lock(&self.line);
        // It may have been given up meanwhile because too much waited behind it.
        if line.waiting.front().is_some_and(|first| Arc::ptr_eq(first, notice)) {
            line.waiting.pop_front();
            line.bytes = line.bytes.saturating_sub(notice.body.len());
            line.state.given_up += u64::from(result.is_err());
        }
        line.state.delivered += u64::from(result.is_ok());
        if let Err(error) = result {
            line.state.last_error = Some(error);
        }
    }

    /// Whether it stops within a pause.
    fn stops_within(&self, pause: Duration) -> bool {
        let waited = self.wake.wait_timeout_while(lock(&self.line), pause, |line| !line.stops);
        waited.unwrap_or_else(PoisonError::into_inner).0.stops
    }

    /// The life of the thread.
    fn deliver(&self, settings: &Settings, clock: &dyn Fn() -> i64) {
        let agent = agent();
        while let Some(notice) = self.first() {
            let mut attempt = 1;
            let result = loop {
                let delivery = Delivery {
                    url: &self.webhook.url,
                    secret: &self.webhook.secret.0,
                    id: &notice.id,
                    kind: notice.kind,
                    timestamp: clock() / 1000,
                    attempt,
                };
                let result = deliver(&agent, &delivery, &notice.body);
                let Err(error) = &result else { break result };
                lock(&self.line).state.last_error = Some(error.clone());
                if attempt >= settings.webhook_attempts {
                    break result;
                }
                if self.stops_within(pause(settings.webhook_pause, attempt)) {
                    return;
                }
                attempt += 1;
            };
            self.is_over(&notice, result);
        }
    }
}

/// Doubled with each attempt, and up to a quarter longer or shorter, so that not all come back at once.
fn pause(first: Duration, attempt: u32) -> Duration {
    let doubled = first.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(PAUSE_MAX);
    let quarters = crate::random::bytes::<1>().map_or(128, |[byte]| u32::from(byte));
    doubled * 3 / 4 + doubled / 512 * quarters
}

impl Core {
    /// Starts the webhooks that are written down.
    pub(crate) fn load_webhooks(&self) -> PortResult<()> {
        let json = self.json_document(&server(), DOCUMENT)?;
        let webhooks: Vec<Webhook> =
            json.as_ref().and_then(Json::as_array).into_iter().flatten().filter_map(of_json).collect();
        for webhook in webhooks {
            self.start_webhook(webhook, WebhookState::default());
        }
        Ok(())
    }

    pub(crate) fn set_webhook(&self, mut webhook: Webhook) -> PortResult<Webhook> {
        check(&webhook)?;
        if webhook.id.is_empty() {
            webhook.id = random::short()?;
        }
        let _change = lock(&self.webhooks.changing);
        let mut list: Vec<Webhook> = self.webhooks.hooks().iter().map(|hook| hook.webhook.clone()).collect();
        if webhook.secret.0.is_empty() {
            let known = list.iter().find(|known| known.id == webhook.id);
            webhook.secret = match known {
                Some(known) => known.secret.clone(),
                None => random::secret()?,
            };
        }
        list.retain(|known| known.id != webhook.id);
        if list.len() >= WEBHOOKS_MAX {
            let message = format!("there are {WEBHOOKS_MAX} webhooks already");
            return Err(PortError::new(PortErrorKind::Full, "too_many_webhooks", message));
        }
        list.push(webhook.clone());
        self.write_webhooks(&list)?;
        let state = self.end_webhook(&webhook.id).unwrap_or_default();
        self.start_webhook(webhook.clone(), state);
        Ok(webhook)
    }

    pub(crate) fn remove_webhook(&self, id: &str) -> PortResult<()> {
        let _change = lock(&self.webhooks.changing);
        let list: Vec<Webhook> = self.webhooks.hooks().iter().map(|hook| hook.webhook.clone()).collect();
        let rest: Vec<Webhook> = list.iter().filter(|webhook| webhook.id != id).cloned().collect();
        if rest.len() == list.len() {
            let message = format!("there is no webhook {id}");
            return Err(PortError::new(PortErrorKind::NotFound, "unknown_webhook", message));
        }
        self.write_webhooks(&rest)?;
        self.end_webhook(id);
        Ok(())
    }

    fn write_webhooks(&self, list: &[Webhook]) -> PortResult<()> {
        let text = json!(list.iter().map(to_json).collect::<Vec<_>>()).to_string();
        self.registry.put_document(&server(), DOCUMENT, Some(&text), None, self.now_ms()).map(drop)
    }

    fn start_webhook(&self, webhook: Webhook, state: WebhookState) {
        let line = Mutex::new(Line { state, ..Line::default() });
        let hook = Arc::new(Hook { webhook, line, wake: Condvar::new() });
        let (life, settings, clock) = (Arc::clone(&hook), self.settings.clone(), Arc::clone(&self.clock));
        let thread = std::thread::Builder::new().name("hexmq-webhook".to_owned());
        match thread.spawn(move || life.deliver(&settings, &*clock)) {
            Ok(thread) => {
                let mut threads = lock(&self.webhooks.threads);
                threads.retain(|thread| !thread.is_finished());
                threads.push(thread);
            }
            Err(error) => {
                tracing::error!(%error, "a webhook has no thread");
                lock(&hook.line).state.last_error = Some(format!("it has no thread: {error}"));
            }
        }
        self.webhooks.all.write().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    /// What waits for it is given up with it.
    fn end_webhook(&self, id: &str) -> Option<WebhookState> {
        let mut all = self.webhooks.all.write().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|hook| hook.webhook.id == id)?;
        let hook = all.remove(at);
        drop(all);
        hook.stop();
        let line = lock(&hook.line);
        let given_up = line.state.given_up + line.waiting.len() as u64;
        Some(WebhookState { given_up, ..line.state.clone() })
    }
}

/// The owner of what belongs to nobody in particular.
pub(crate) fn server() -> DeviceRef {
    DeviceRef::new("", "")
}

fn check(webhook: &Webhook) -> PortResult<()> {
    let host = ["http://", "https://"].iter().find_map(|scheme| webhook.url.strip_prefix(scheme));
    if !host.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace)) {
        return Err(invalid("bad_url", format!("{} is no http:// or https:// address", webhook.url)));
    }
    if let Some(kind) = webhook.kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        return Err(invalid("bad_kind", format!("there is no kind {kind}; there are {}", KINDS.join(", "))));
    }
    Ok(())
}

fn to_json(webhook: &Webhook) -> Json {
    let Webhook { id, url, secret, kinds, product, disabled } = webhook;
    json!({"id": id, "url": url, "secret": secret.0, "kinds": kinds, "product": product, "disabled": disabled})
}

fn of_json(json: &Json) -> Option<Webhook> {
    let text = |name: &str| json.get(name)?.as_str().map(str::to_owned);
    let kinds = json.get("kinds")?.as_array()?.iter();
    Some(Webhook {
        id: text("id")?,
        url: text("url")?,
        secret: Secret(text("secret")?),
        kinds: kinds.filter_map(|kind| kind.as_str().map(str::to_owned)).collect(),
        product: text("product"),
        disabled: json.get("disabled")?.as_bool()?,
    })
}
