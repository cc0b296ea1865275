//! `GET /api/v1/recorder/watches/{id}/recording`: what a watch has recorded, as a file.
//!
//! It is made a few entries at a time, as the reader takes it. What is pushed out meanwhile is noted in
//! the file.

use std::convert::Infallible;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use hexmq_observe::recorder::{Ring, Watch};
use hexmq_workbench::Language;
use hexmq_workbench::recording::{self, Export, Head, PcapngWriter, Timestamp, Writer};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::convert::{Converter, missed};
use super::query::{self, Lang};
use super::watches;
use crate::api::off_thread;
use crate::error::ApiError;
use crate::serve::Service;

/// Entries made at a time: 256 KiB of bytes at most.
const ENTRIES: usize = 16;

/// Bytes recorded that become one HTML page: it is made as a whole.
const HTML_BYTES_MAX: usize = 16 << 20;

const SHAPE: &str = "?format=jsonl|pcapng|html, ?reveal=true shows passwords, ?lang=en|zh";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    #[serde(default)]
    #[param(required = false)]
    format: Format,
    /// Shows passwords.
    #[serde(default)]
    #[param(required = false)]
    reveal: bool,
    #[serde(default)]
    #[param(required = false)]
    lang: Lang,
}

/// Form of the file; `jsonl` if absent.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Jsonl,
    Pcapng,
    Html,
}

/// Downloads what a watch has recorded.
#[utoipa::path(get, path = "/api/v1/recorder/watches/{watch}/recording", tag = "recorder", params(Asked),
    responses((status = 200, body = String, content_type = "application/x-ndjson")))]
pub(super) async fn download(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let asked = query::read(asked, SHAPE)?;
    let watch = watches::find(&service, &id)?;
    let (kind, suffix) = match asked.format {
        Format::Jsonl => ("application/x-ndjson", "jsonl"),
        Format::Pcapng => ("application/x-pcapng", "pcapng"),
        Format::Html => ("text/html; charset=utf-8", "html"),
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.{suffix}\"")),
    ];
    let file = File::new(service, watch, &asked);
    if let Output::Page(_) = file.output {
        let page = off_thread(move || file.page()).await??;
        return Ok((headers, page).into_response());
    }
    Ok((headers, Body::from_stream(file)).into_response())
}

/// A file that is made while it is read.
struct File {
    service: Arc<Service>,
    watch: Arc<Watch>,
    language: Language,
    converter: Converter,
    made: Made,
    output: Output,
    next: u64,
    end: u64,
}

/// Where the writers put what they make, until it is sent.
#[derive(Clone, Default)]
struct Made(Arc<Mutex<Vec<u8>>>);

impl Made {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Made {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Output {
    Lines(Writer<Made>),
    Packets(PcapngWriter<Made>),
    Page(Box<Export<Made>>),
    /// A writer to memory has failed, which it cannot: the file ends there.
    Broken,
}

impl File {
    fn new(service: Arc<Service>, watch: Arc<Watch>, asked: &Asked) -> File {
        let made = Made::default();
        let head = Head {
            by: Some(concat!("hexmq ", env!("CARGO_PKG_VERSION"), " serve").to_owned()),
            created: Some(Timestamp(watch.created_ns())),
            masked: !asked.reveal,
        };
        let output = match asked.format {
            Format::Jsonl => Writer::new(made.clone(), &head).map(Output::Lines),
            Format::Pcapng => PcapngWriter::new(made.clone(), &head).map(Output::Packets),
            Format::Html => {
                let page = recording::Format::Html(asked.lang.language());
                // What comes here is masked already.
                Export::new(made.clone(), page, head, true).map(|page| Output::Page(Box::new(page)))
            }
        };
        let end = watch.shelf().look(Ring::next);
        let (converter, language) = (Converter::new(asked.reveal), asked.lang.language());
        let output = output.unwrap_or(Output::Broken);
        File { service, watch, language, converter, made, output, next: 0, end }
    }

    /// Makes the whole file.
    fn page(mut self) -> Result<Vec<u8>, ApiError> {
        let too_large = |message: String| {
            let hint = "take ?format=jsonl or pcapng";
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "recording_too_large", message, hint)
        };
        let bytes = self.watch.shelf().look(Ring::bytes);
        if bytes > HTML_BYTES_MAX {
            return Err(too_large(format!("{bytes} bytes are recorded; a page takes {HTML_BYTES_MAX}")));
        }
        while self.make() {}
        if let Output::Page(page) = self.output {
            page.finish().map_err(|error| too_large(error.to_string()))?;
        }
        Ok(self.made.take())
    }

    /// Makes the next part of the file. `false`: there is none.
    fn make(&mut self) -> bool {
        let entries = self.watch.shelf().page(self.next, ENTRIES);
        let Some((first, _)) = entries.first().filter(|_| self.next < self.end) else { return false };
        let mut lines = Vec::new();
        if *first > self.next {
            let at = entries.first().map_or(0, |(_, entry)| entry.at_ns);
            lines.push(missed(Timestamp(at), first - self.next));
        }
        for (number, entry) in entries.iter().filter(|(number, _)| *number < self.end) {
            lines.extend(self.converter.lines(&self.service.observer.recorder, entry, self.language));
            self.next = number + 1;
        }
        lines.iter().all(|line| self.output.write(line).is_ok())
    }
}

impl Output {
    fn write(&mut self, line: &recording::Entry) -> io::Result<()> {
        match self {
            Output::Lines(writer) => writer.write(line),
            Output::Packets(writer) => writer.write(line),
            Output::Page(page) => page.write(line),
            Output::Broken => Err(io::ErrorKind::Other.into()),
        }
    }
}

impl Stream for File {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // The head is there before the first entry.
        let more = self.make();
        let made = self.made.take();
        if made.is_empty() && !more { Poll::Ready(None) } else { Poll::Ready(Some(Ok(made.into()))) }
    }
}
