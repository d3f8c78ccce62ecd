//! The logical replication stream: `START_REPLICATION` and what goes both ways from then on ("Streaming Replication
//! Protocol").

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Buf, BufMut, Bytes};
use postgres_protocol::message::{backend, frontend};

use super::connection::{Frame, server_error};
use super::{Connection, Lsn, PostgresError, identifier, literal};

const COPY_BOTH_RESPONSE_TAG: u8 = b'W';
/// 1970 to 2000, in microseconds: PostgreSQL's times begin in 2000.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// A stream of changes. The server is told how far they are kept by [`confirm`](Self::confirm).
#[derive(Debug)]
pub struct ReplicationStream {
    connection: Connection,
    received: Lsn,
    confirmed: Lsn,
    /// The end of the server's log, as it was told last.
    server_end: Lsn,
}

/// What comes down the stream.
#[derive(Debug)]
pub enum ReplicationEvent {
    /// A message of the plugin's.
    Data {
        /// The place in the log that it is about.
        start: Lsn,
        /// The message.
        payload: Bytes,
    },
    /// The server is still there.
    KeepAlive {
        /// The end of its log.
        end: Lsn,
        /// Whether it wants an answer at once.
        reply: bool,
    },
}

impl ReplicationStream {
    /// Starts streaming from a slot, with the transactions whose commits lie behind `from`.
    ///
    /// # Errors
    /// What the server says: the slot is not there, is used by somebody else, or the log is gone.
    pub async fn start(
        mut connection: Connection,
        slot: &str,
        from: Lsn,
        options: &[(String, String)],
    ) -> Result<Self, PostgresError> {
        let options: Vec<String> =
            options.iter().map(|(name, value)| format!("{} {}", identifier(name), literal(value))).collect();
        let sql = format!("START_REPLICATION SLOT {} LOGICAL {from} ({})", identifier(slot), options.join(", "));
        frontend::query(&sql, connection.outbound())?;
        connection.flush().await?;
        loop {
            let frame = connection.frame().await?;
            match frame.tag {
                COPY_BOTH_RESPONSE_TAG => break,
                backend::ERROR_RESPONSE_TAG => return Err(server_error(&frame.body)),
                _ => {}
            }
        }
        Ok(Self { connection, received: from, confirmed: Lsn::default(), server_end: Lsn::default() })
    }

    /// The next event, waiting for it. Nothing is lost if the wait is given up.
    ///
    /// # Errors
    /// What the network or the server says.
    pub async fn next(&mut self) -> Result<ReplicationEvent, PostgresError> {
        loop {
            let frame = self.connection.frame().await?;
            if let Some(event) = self.read(frame)? {
                return Ok(event);
            }
        }
    }

    /// The next event if it has arrived already.
    ///
    /// # Errors
    /// What the server says.
    pub fn buffered(&mut self) -> Result<Option<ReplicationEvent>, PostgresError> {
        while let Some(frame) = self.connection.buffered_frame()? {
            if let Some(event) = self.read(frame)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn read(&mut self, frame: Frame) -> Result<Option<ReplicationEvent>, PostgresError> {
        let broken = |_| PostgresError::Protocol("a short message in the replication stream".into());
        match frame.tag {
            backend::COPY_DATA_TAG => {}
            backend::ERROR_RESPONSE_TAG => return Err(server_error(&frame.body)),
            backend::COPY_DONE_TAG => return Err(PostgresError::Protocol("the server ended the stream".into())),
            _ => return Ok(None),
        }
        let mut body = frame.body;
        match body.try_get_u8().map_err(broken)? {
            b'w' => {
                let start = Lsn(body.try_get_u64().map_err(broken)?);
                let end = Lsn(body.try_get_u64().map_err(broken)?);
                let _clock = body.try_get_i64().map_err(broken)?;
                self.received = self.received.max(start);
                self.server_end = self.server_end.max(end);
                Ok(Some(ReplicationEvent::Data { start, payload: body }))
            }
            b'k' => {
                let end = Lsn(body.try_get_u64().map_err(broken)?);
                let _clock = body.try_get_i64().map_err(broken)?;
                let reply = body.try_get_u8().map_err(broken)? != 0;
                self.received = self.received.max(end);
                self.server_end = self.server_end.max(end);
                Ok(Some(ReplicationEvent::KeepAlive { end, reply }))
            }
            _ => Ok(None),
        }
    }

    /// Everything before `lsn` is kept: the server may forget it.
    pub fn confirm(&mut self, lsn: Lsn) {
        self.confirmed = self.confirmed.max(lsn);
    }

    /// How far the server may forget.
    pub fn confirmed(&self) -> Lsn {
        self.confirmed
    }

    /// The end of the server's log, as far as it has told.
    pub fn server_end(&self) -> Lsn {
        self.server_end
    }

    /// The furthest place that the stream has come to.
    pub fn received(&self) -> Lsn {
        self.received
    }

    /// Tells the server how far the stream was received and kept.
    ///
    /// # Errors
    /// What the network says.
    pub async fn send_status(&mut self) -> Result<(), PostgresError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros());
        let out = self.connection.outbound();
        out.put_u8(b'd');
        out.put_i32(4 + 34);
        out.put_u8(b'r');
        out.put_u64(self.received.0);
        out.put_u64(self.confirmed.0);
        out.put_u64(self.confirmed.0);
        out.put_i64(i64::try_from(now).unwrap_or(i64::MAX) - POSTGRES_EPOCH);
        out.put_u8(0);
        self.connection.flush().await
    }

    /// Ends the stream, telling the server a last time how far it was kept.
    pub async fn close(mut self) {
        if self.send_status().await.is_ok() {
            frontend::copy_done(self.connection.outbound());
            if self.connection.flush().await.is_ok() {
                // The slot is free once the server has left the stream; a second is ample.
                let ended = async {
                    while let Ok(frame) = self.connection.frame().await {
                        if frame.tag == backend::COPY_DONE_TAG {
                            break;
                        }
                    }
                };
                let _ = tokio::time::timeout(std::time::Duration::from_secs(1), ended).await;
            }
        }
        self.connection.close().await;
    }
}
