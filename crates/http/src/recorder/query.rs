//! What stands behind `?`, refused with a reason where it is wrong.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use hexmq_workbench::Language;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::ApiError;

/// English or Chinese; `en` if absent.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lang {
    #[default]
    En,
    Zh,
}

impl Lang {
    pub(crate) fn language(self) -> Language {
        match self {
            Lang::En => Language::English,
            Lang::Zh => Language::Chinese,
        }
    }
}

/// The query, or an error that says what may stand there.
pub(crate) fn read<T>(query: Result<Query<T>, QueryRejection>, shape: &'static str) -> Result<T, ApiError> {
    let refused = |rejection: QueryRejection| {
        let message = format!("the query cannot be read: {}", rejection.body_text());
        ApiError::new(StatusCode::BAD_REQUEST, "bad_query", message, shape)
    };
    query.map(|Query(query)| query).map_err(refused)
}
