//! How to reach a database, and as whom.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Whether the connection is encrypted (`database.sslmode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// It is not.
    Disable,
    /// Only if the server wants it.
    Allow,
    /// If the server can.
    #[default]
    Prefer,
    /// It is.
    Require,
    /// It is, and the server's certificate is signed by one that is trusted.
    VerifyCa,
    /// It is, and the certificate is signed and the server's own.
    VerifyFull,
}

/// How to reach a database, and as whom.
#[derive(Clone)]
pub struct ConnectionConfig {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The role.
    pub user: String,
    /// The role's password.
    pub password: Option<String>,
    /// The database.
    pub database: String,
    /// Whether the connection is encrypted.
    pub ssl_mode: SslMode,
    /// The file with the certificates that are trusted.
    pub ssl_root_cert: Option<PathBuf>,
    /// The file with the client's certificate.
    pub ssl_cert: Option<PathBuf>,
    /// The file with the client's key.
    pub ssl_key: Option<PathBuf>,
    /// What is run first on every connection (`database.initial.statements`).
    pub initial_statements: Vec<String>,
    /// Whether the kernel looks whether the server is still there.
    pub tcp_keepalive: bool,
    /// How long connecting may take.
    pub connect_timeout: Duration,
}

impl fmt::Debug for ConnectionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}
