//! What goes wrong with the database.

use std::sync::Arc;

use super::pgoutput::DecodeError;

/// The five characters with which PostgreSQL classes an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlState(pub String);

impl SqlState {
    /// Something of this name is there already.
    pub const DUPLICATE_OBJECT: &'static str = "42710";
    /// What is meant is not there.
    pub const UNDEFINED_OBJECT: &'static str = "42704";
    /// Somebody else uses it.
    pub const OBJECT_IN_USE: &'static str = "55006";

    /// Whether it is this one.
    pub fn is(&self, code: &str) -> bool {
        self.0 == code
    }
}

/// What goes wrong with the database.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PostgresError {
    /// The network does not work, or the server closed the connection.
    #[error("{0}")]
    Io(Arc<std::io::Error>),
    /// The server says no.
    #[error("{severity}: {message}{}", .detail.as_deref().map(|detail| format!("\n  Detail: {detail}")).unwrap_or_default())]
    Server {
        /// How bad it is, in the server's language.
        severity: String,
        /// Its class.
        state: SqlState,
        /// What it is.
        message: String,
        /// More of it.
        detail: Option<String>,
    },
    /// The server sent what the protocol does not allow here.
    #[error("the server broke the protocol: {0}")]
    Protocol(String),
    /// A message of the stream cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The server wants a way of authentication that is not known, or did not prove that it knows the password.
    #[error("{0}")]
    Authentication(String),
    /// A connection property cannot be met.
    #[error("{0}")]
    Unsupported(String),
}

impl PostgresError {
    /// The server's class of the error, if the server is who says no.
    pub fn state(&self) -> Option<&SqlState> {
        match self {
            Self::Server { state, .. } => Some(state),
            _ => None,
        }
    }

    /// Whether the server refused with this class.
    pub fn is(&self, code: &str) -> bool {
        self.state().is_some_and(|state| state.is(code))
    }

    /// Whether it may go by itself: the network, a server that starts or stops, one that has too many connections.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Io(_) => true,
            // Connection failures, shortage of resources, an operator's doing: classes 08, 53 and 57.
            Self::Server { state, .. } => ["08", "53", "57"].iter().any(|class| state.0.starts_with(class)),
            Self::Protocol(_) | Self::Decode(_) | Self::Authentication(_) | Self::Unsupported(_) => false,
        }
    }
}

impl From<std::io::Error> for PostgresError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
