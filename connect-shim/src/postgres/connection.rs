//! A connection and the simple query protocol, whose values are texts.

use std::fmt;

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use postgres_protocol::message::{backend, frontend};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{ConnectionConfig, PostgresError, Row, Rows, SqlState, SslMode};

/// How much is read at a time.
const READ_AHEAD: usize = 64 * 1024;
/// From how many bytes on a message has memory of its own.
const LARGE: usize = 1024 * 1024;
/// So much is asked for at least where that memory is to be given back as soon as it is freed: the GNU C library keeps what is
/// smaller for later. What of it is not used is not there.
const MAPPED: usize = 33 * 1024 * 1024;

/// What a connection reads from and writes to.
trait Transport: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Transport for T {}

/// A connection to a database. What is started is to be read to its end before the next statement.
pub struct Connection {
    transport: Box<dyn Transport>,
    inbound: BytesMut,
    /// How many bytes are read at once at most: what belongs to other messages is not to lie in a large one's memory.
    room: usize,
    pub(super) outbound: BytesMut,
    pub(super) server_version: u32,
    /// Whether the last statement's answer has not been read to its end.
    busy: bool,
    /// The names of the answer's columns.
    columns: Vec<String>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("server_version", &self.server_version).finish_non_exhaustive()
    }
}

/// A message of the server's.
#[derive(Debug)]
pub(super) struct Frame {
    /// Its kind.
    pub(super) tag: u8,
    /// What follows its length.
    pub(super) body: Bytes,
}

impl Connection {
    /// Connects. `application` is the name that the server shows for it; `replication` makes it one that can stream.
    ///
    /// # Errors
    /// What the network or the server says.
    pub async fn connect(
        config: &ConnectionConfig,
        application: &str,
        replication: bool,
    ) -> Result<Self, PostgresError> {
        let connecting = Self::connect_now(config, application, replication);
        match tokio::time::timeout(config.connect_timeout, connecting).await {
            Ok(result) => result,
            Err(_) => {
                Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "The connection attempt timed out.").into())
            }
        }
    }

    async fn connect_now(
        config: &ConnectionConfig,
        application: &str,
        replication: bool,
    ) -> Result<Self, PostgresError> {
        let encrypted_first = !matches!(config.ssl_mode, SslMode::Disable | SslMode::Allow);
        let first = Self::connect_once(config, application, replication, encrypted_first).await;
        // A server that refuses the one kind of connection by pg_hba.conf may take the other.
        match (first, config.ssl_mode) {
            (Err(error), SslMode::Allow | SslMode::Prefer) if error.is("28000") => {
                let second = Self::connect_once(config, application, replication, !encrypted_first).await;
                second.map_err(|_| error)
            }
            (other, _) => other,
        }
    }

    async fn connect_once(
        config: &ConnectionConfig,
        application: &str,
        replication: bool,
        encrypted: bool,
    ) -> Result<Self, PostgresError> {
        let stream = TcpStream::connect((config.host.as_str(), config.port)).await;
        let stream = stream.map_err(|error| not_reached(config, &error))?;
        stream.set_nodelay(true)?;
        let transport = if encrypted { negotiate(stream, config).await? } else { Box::new(stream) };
        let mut connection = Self {
            transport,
            inbound: BytesMut::new(),
            room: READ_AHEAD,
            outbound: BytesMut::new(),
            server_version: 0,
            busy: false,
            columns: Vec::new(),
        };
        connection.start(config, application, replication).await?;
        // Values are texts; these settings say which.
        connection.execute("SET intervalstyle = 'postgres'; SET bytea_output = 'hex'").await?;
        for statement in &config.initial_statements {
            connection.execute(statement).await?;
        }
        Ok(connection)
    }

    /// The server's version as `server_version_num`, such as 150004.
    pub fn server_version(&self) -> u32 {
        self.server_version
    }

    /// Runs statements and waits for their end.
    ///
    /// # Errors
    /// What the server says.
    pub async fn execute(&mut self, sql: &str) -> Result<(), PostgresError> {
        self.start_query(sql).await?;
        while self.next_row().await?.is_some() {}
        Ok(())
    }

    /// Runs a query and keeps all of its answer: for those whose answers are small.
    ///
    /// # Errors
    /// What the server says.
    pub async fn query(&mut self, sql: &str) -> Result<Rows, PostgresError> {
        self.start_query(sql).await?;
        let mut rows = Vec::new();
        while let Some(row) = self.next_row().await? {
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            rows.push(row.values().map(|value| value.map(text)).collect());
        }
        Ok(Rows::new(rows))
    }

    /// Sends a query whose rows are then taken one by one. As many as the network holds are under way at a time.
    ///
    /// # Errors
    /// What the network says.
    pub async fn start_query(&mut self, sql: &str) -> Result<(), PostgresError> {
        // Whoever gave up on an answer left the rest of it.
        while self.busy {
            let _ = self.next_row().await;
        }
        frontend::query(sql, &mut self.outbound)?;
        self.busy = true;
        self.flush().await
    }

    /// The next row of what was started; `None` at the end.
    ///
    /// # Errors
    /// What the server says.
    pub async fn next_row(&mut self) -> Result<Option<Row>, PostgresError> {
        let mut refused = None;
        while self.busy {
            let frame = match self.frame().await {
                Ok(frame) => frame,
                Err(error) => {
                    self.busy = false;
                    return Err(error);
                }
            };
            match frame.tag {
                backend::DATA_ROW_TAG if refused.is_none() => return Ok(Some(Row::new(frame.body))),
                backend::READY_FOR_QUERY_TAG => self.busy = false,
                backend::ROW_DESCRIPTION_TAG => self.columns = column_names(&frame.body),
                backend::ERROR_RESPONSE_TAG => refused = Some(server_error(&frame.body)),
                _ => {}
            }
        }
        refused.map_or(Ok(None), Err)
    }

    /// Whether the answer has another row, which is not brought into memory yet.
    ///
    /// # Errors
    /// What the network says. What the server says comes with [`next_row`](Self::next_row).
    pub async fn has_row(&mut self) -> Result<bool, PostgresError> {
        while self.busy {
            match self.inbound.first() {
                Some(&backend::DATA_ROW_TAG) => return Ok(true),
                Some(&(backend::COMMAND_COMPLETE_TAG | backend::READY_FOR_QUERY_TAG | backend::ERROR_RESPONSE_TAG)) => {
                    return Ok(false);
                }
                Some(_) => {
                    let frame = match self.frame().await {
                        Ok(frame) => frame,
                        Err(error) => {
                            self.busy = false;
                            return Err(error);
                        }
                    };
                    if frame.tag == backend::ROW_DESCRIPTION_TAG {
                        self.columns = column_names(&frame.body);
                    }
                }
                None => {
                    self.make_room();
                    if let Err(error) = self.read_some().await {
                        self.busy = false;
                        return Err(error);
                    }
                }
            }
        }
        Ok(false)
    }

    /// The names of the columns of the row that was taken last.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Sends what has been written.
    pub(super) async fn flush(&mut self) -> Result<(), PostgresError> {
        while self.outbound.has_remaining() {
            let sent = self.transport.write(&self.outbound).await?;
            if sent == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into());
            }
            self.outbound.advance(sent);
        }
        self.transport.flush().await?;
        Ok(())
    }

    /// What is to be sent next.
    pub(super) fn outbound(&mut self) -> &mut BytesMut {
        &mut self.outbound
    }

    /// The next message, waiting for it. Nothing is lost if the wait is given up.
    pub(super) async fn frame(&mut self) -> Result<Frame, PostgresError> {
        loop {
            if let Some(frame) = self.buffered_frame()? {
                return Ok(frame);
            }
            self.read_some().await?;
        }
    }

    /// Reads what has arrived, as far as there is room for it.
    async fn read_some(&mut self) -> Result<(), PostgresError> {
        if self.transport.read_buf(&mut (&mut self.inbound).limit(self.room)).await? > 0 {
            return Ok(());
        }
        Err(std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            "An I/O error occurred while sending to the backend: the server closed the connection.",
        )
        .into())
    }

    /// The next message if all of it has arrived.
    pub(super) fn buffered_frame(&mut self) -> Result<Option<Frame>, PostgresError> {
        let Some(header) = backend::Header::parse(&self.inbound)? else {
            self.make_room();
            return Ok(None);
        };
        let length = usize::try_from(header.len()).map_err(|_| broken("a message of negative length"))? + 1;
        if self.inbound.len() < length {
            let missing = length - self.inbound.len();
            self.room = missing;
            if length <= LARGE {
                self.room = missing.max(READ_AHEAD);
                self.inbound.reserve(self.room);
            } else if self.inbound.capacity() < length {
                let mut roomy = BytesMut::with_capacity(length.max(MAPPED));
                roomy.extend_from_slice(&self.inbound);
                self.inbound = roomy;
            }
            return Ok(None);
        }
        let mut body = self.inbound.split_to(length).freeze();
        if length > LARGE {
            // A large message does not keep its memory once it is read.
            self.inbound = BytesMut::from(&self.inbound[..]);
        }
        body.advance(5);
        Ok(Some(Frame { tag: header.tag(), body }))
    }

    /// Makes room for whatever comes next.
    fn make_room(&mut self) {
        self.room = READ_AHEAD;
        self.inbound.reserve(READ_AHEAD);
    }

    /// Says good-bye.
    pub async fn close(mut self) {
        self.outbound.clear();
        frontend::terminate(&mut self.outbound);
        let _ = self.flush().await;
        let _ = self.transport.shutdown().await;
    }
}

/// Reads a RowDescription.
fn column_names(body: &[u8]) -> Vec<String> {
    /// What follows each name: the table, the column, the type with its length and modifier, the format.
    const ATTRIBUTES: usize = 18;
    let mut rest = body.get(2..).unwrap_or_default();
    let mut names = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        names.push(String::from_utf8_lossy(&rest[..end]).into_owned());
        rest = rest.get(end + 1 + ATTRIBUTES..).unwrap_or_default();
    }
    names
}

/// Reads an ErrorResponse.
pub(super) fn server_error(body: &[u8]) -> PostgresError {
    let (mut severity, mut state, mut message, mut detail) = (String::new(), String::new(), String::new(), None);
    for field in body.split(|byte| *byte == 0) {
        let Some((kind, text)) = field.split_first() else { continue };
        let text = String::from_utf8_lossy(text).into_owned();
        match kind {
            b'S' => severity = text,
            b'C' => state = text,
            b'M' => message = text,
            b'D' => detail = Some(text),
            _ => {}
        }
    }
    PostgresError::Server { severity, state: SqlState(state), message, detail }
}

/// Asks the server for an encrypted connection. What must not be without encryption is given up if it has none.
#[cfg(feature = "tls")]
async fn negotiate(mut stream: TcpStream, config: &ConnectionConfig) -> Result<Box<dyn Transport>, PostgresError> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request).await?;
    match stream.read_u8().await? {
        b'S' => Ok(Box::new(super::tls::encrypt(stream, config).await?)),
        _ if matches!(config.ssl_mode, SslMode::Allow | SslMode::Prefer) => Ok(Box::new(stream)),
        _ => Err(PostgresError::Unsupported("The server does not support SSL.".into())),
    }
}

#[cfg(not(feature = "tls"))]
#[expect(clippy::unused_async, reason = "it is where encryption would wait")]
async fn negotiate(stream: TcpStream, config: &ConnectionConfig) -> Result<Box<dyn Transport>, PostgresError> {
    match config.ssl_mode {
        SslMode::Disable | SslMode::Allow | SslMode::Prefer => Ok(Box::new(stream)),
        _ => Err(PostgresError::Unsupported(
            "This build cannot encrypt connections to PostgreSQL: set database.sslmode to 'prefer' or 'disable'".into(),
        )),
    }
}

/// In the words of the driver that Debezium uses.
fn not_reached(config: &ConnectionConfig, error: &std::io::Error) -> std::io::Error {
    let message = match error.kind() {
        std::io::ErrorKind::ConnectionRefused => format!(
            "Connection to {}:{} refused. Check that the hostname and port are correct and that the postmaster is accepting \
             TCP/IP connections.",
            config.host, config.port
        ),
        _ => "The connection attempt failed.".to_owned(),
    };
    std::io::Error::new(error.kind(), message)
}

pub(super) fn broken(what: &str) -> PostgresError {
    PostgresError::Protocol(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_class() {
        let error = server_error(b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"u\"\0\0");
        assert!(error.is("28P01"));
        assert_eq!(error.to_string(), "FATAL: password authentication failed for user \"u\"");
    }
}
