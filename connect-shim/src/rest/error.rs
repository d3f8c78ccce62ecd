//! Refusals as Connect writes them: `{"error_code":…,"message":…}`.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::json;

use crate::runtime::HerderError;

/// An answer other than what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A status and a message of Connect's.
    Connect(StatusCode, String),
    /// A status that the HTTP server's framework gives by itself.
    Framework(StatusCode),
    /// A path that the HTTP server itself does not take.
    AmbiguousPath,
}

impl Refusal {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::Connect(StatusCode::BAD_REQUEST, message.into())
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::Connect(StatusCode::NOT_FOUND, message.into())
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Connect(StatusCode::INTERNAL_SERVER_ERROR, message.into())
    }

    /// The answer.
    pub(super) fn response(self) -> Response<Body> {
        let (status, body, kind) = match self {
            Self::Connect(status, message) => {
                let body = json!({"error_code": status.as_u16(), "message": message}).to_string();
                (status, body, Some("application/json"))
            }
            Self::Framework(status) => {
                let reason = status.canonical_reason().unwrap_or_default();
                let message = format!("HTTP {} {reason}", status.as_u16());
                (status, json!({"error_code": status.as_u16(), "message": message}).to_string(), None)
            }
            Self::AmbiguousPath => {
                let what = "Ambiguous URI path separator";
                let body = format!(
                    "<html>\n<head>\n<title>Error 400 {what}</title>\n</head>\n<body>\n<h2>HTTP ERROR 400 {what}</h2>\n\
                     </body>\n</html>\n"
                );
                (StatusCode::BAD_REQUEST, body, Some("text/html;charset=iso-8859-1"))
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        if let Some(kind) = kind {
            response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        }
        response
    }
}

impl From<HerderError> for Refusal {
    fn from(error: HerderError) -> Self {
        let message = error.to_string();
        match error {
            HerderError::NotFound(_) => Self::not_found(message),
            HerderError::BadRequest(_) => Self::bad_request(message),
            HerderError::AlreadyExists(_) => Self::Connect(StatusCode::CONFLICT, message),
            HerderError::Failed(_) => Self::failed(message),
        }
    }
}
