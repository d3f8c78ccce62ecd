//! One connection: requests in, answers out, in order.
//!
//! Requests that have already arrived are answered one after the other and their answers written together. One that
//! has to wait holds up those behind it, as in Kafka; what has been answered before it is written first.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use brooklet_protocol::frame::{self, Frame, FrameError};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::limits::{ConnectionLimits, STALL, UNCOUNTED_BYTES};
use crate::apis::{self, Reply, RequestFailure};
use crate::node::{Endpoint, Node};

/// What is read at once at the least.
const READ_BYTES: usize = 8 * 1024;
/// What a request's buffer grows by at the most, so that a peer that only announces much costs little.
const GROWTH_BYTES: usize = 1 << 20;
/// Answers that are waiting to be written together.
const MAX_UNWRITTEN: usize = 256 * 1024;
/// A connection that is silent for this long gives its buffer back.
const KEEP_BUFFER: Duration = Duration::from_secs(1);
/// `writev` takes no more.
const MAX_SLICES: usize = 64;

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ending {
    #[error("the client closed it")]
    ClientClosed,
    #[error("the broker is stopping")]
    Stopping,
    #[error("it was idle for longer than connections.max.idle.ms")]
    Idle,
    #[error("a request made no progress for {} s", STALL.as_secs())]
    Stalled,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Request(#[from] RequestFailure),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Ending {
    /// Whether somebody should read of it.
    pub(crate) fn is_notable(&self) -> bool {
        match self {
            Self::ClientClosed | Self::Stopping | Self::Idle => false,
            Self::Io(error) => !matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
            ),
            Self::Stalled | Self::Frame(_) | Self::Request(_) => true,
        }
    }
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    node: Arc<Node>,
    endpoint: Arc<Endpoint>,
    limits: Arc<ConnectionLimits>,
    max_request: usize,
    max_idle: Duration,
    buffer: BytesMut,
    /// Room taken for the request that is being read or answered.
    room: Option<OwnedSemaphorePermit>,
    unwritten: VecDeque<Bytes>,
    unwritten_len: usize,
}

impl Connection {
    pub(crate) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        node: Arc<Node>,
        endpoint: Arc<Endpoint>,
        limits: Arc<ConnectionLimits>,
    ) -> Self {
        let config = node.config();
        let max_request = config.broker.socket_request_max_bytes as usize;
        let max_idle = config.broker.connections_max_idle.unwrap_or(Duration::MAX);
        Self {
            stream,
            peer,
            node,
            endpoint,
            limits,
            max_request,
            max_idle,
            buffer: BytesMut::new(),
            room: None,
            unwritten: VecDeque::new(),
            unwritten_len: 0,
        }
    }

    /// Serves the connection until it ends.
    pub(crate) async fn serve(mut self) -> Ending {
        loop {
            if let Err(ending) = self.serve_one().await {
                return ending;
            }
        }
    }

    async fn serve_one(&mut self) -> Result<(), Ending> {
        let frame = self.next_frame().await?;
        let reply = self.answer(frame).await;
        self.room = None;
        let Reply { frame, mute } = reply?;
        if let Some(frame) = frame {
            self.unwritten_len += frame.len();
            self.unwritten.extend(frame.into_parts());
        }
        if !mute.is_zero() {
            return self.mute(mute).await;
        }
        if self.unwritten_len > MAX_UNWRITTEN { self.write().await } else { Ok(()) }
    }

    /// The next request. Answers are written before it is waited for.
    async fn next_frame(&mut self) -> Result<Bytes, Ending> {
        loop {
            match frame::take_frame(&mut self.buffer, self.max_request)? {
                Frame::Complete(frame) => return Ok(frame),
                Frame::Missing(missing) => {
                    self.write().await?;
                    self.read(missing).await?;
                }
            }
        }
    }

    /// Reads something of the next request, of which this many bytes are missing.
    async fn read(&mut self, missing: usize) -> Result<(), Ending> {
        if self.buffer.is_empty() {
            self.wait_for_request().await?;
        }
        if self.buffer.len() + missing > UNCOUNTED_BYTES && self.buffer.capacity() == self.buffer.len() {
            self.take_room(missing.min(GROWTH_BYTES)).await?;
        }
        if self.buffer.capacity() == self.buffer.len() {
            self.buffer.reserve(missing.clamp(READ_BYTES, GROWTH_BYTES));
        }
        let stop = self.node.stop.clone();
        let read = tokio::select! {
            read = timeout(STALL, self.stream.read_buf(&mut self.buffer)) => read.map_err(|_| Ending::Stalled)??,
            () = stop.cancelled() => return Err(Ending::Stopping),
        };
        if read == 0 { Err(Ending::ClientClosed) } else { Ok(()) }
    }

    /// Waits for the first byte of a request, in the end without a buffer.
    async fn wait_for_request(&mut self) -> Result<(), Ending> {
        let stop = self.node.stop.clone();
        let readable = async {
            if timeout(KEEP_BUFFER, self.stream.readable()).await.is_ok() {
                return Ok(());
            }
            self.buffer = BytesMut::new();
            timeout(self.max_idle, self.stream.readable()).await.map_err(|_| Ending::Idle)?.map_err(Ending::Io)
        };
        tokio::select! {
            readable = readable => readable,
            () = stop.cancelled() => Err(Ending::Stopping),
        }
    }

    /// Writes all answers, and then leaves the client unread: it is over a quota.
    async fn mute(&mut self, time: Duration) -> Result<(), Ending> {
        self.write().await?;
        let stop = self.node.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = disconnected(&self.stream) => Err(Ending::ClientClosed),
            () = stop.cancelled() => Err(Ending::Stopping),
        }
    }

    async fn take_room(&mut self, bytes: usize) -> Result<(), Ending> {
        let room = timeout(STALL, self.limits.request_bytes(bytes)).await.map_err(|_| Ending::Stalled)?;
        match &mut self.room {
            Some(taken) => taken.merge(room),
            none => *none = Some(room),
        }
        Ok(())
    }

    /// Answers a request. While it waits, what was answered before it is written, and a client that goes away is
    /// noticed.
    async fn answer(&mut self, frame: Bytes) -> Result<Reply, Ending> {
        // On the heap, so that a connection that does nothing holds no room for what it might do.
        let answer = apis::answer(Arc::clone(&self.node), Arc::clone(&self.endpoint), self.peer, frame);
        let mut answer: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(answer);
        if let Poll::Ready(reply) = poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
            return Ok(reply?);
        }
        self.write().await?;
        tokio::select! {
            reply = answer => Ok(reply?),
            () = disconnected(&self.stream) => Err(Ending::ClientClosed),
        }
    }

    /// Writes all answers.
    async fn write(&mut self) -> Result<(), Ending> {
        while !self.unwritten.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = self.unwritten.len().min(MAX_SLICES);
            for (slice, part) in slices.iter_mut().zip(&self.unwritten) {
                *slice = IoSlice::new(part);
            }
            let write = self.stream.write_vectored(&slices[..count]);
            let written = timeout(self.max_idle, write).await.map_err(|_| Ending::Idle)??;
            if written == 0 {
                return Err(Ending::ClientClosed);
            }
            self.unwritten_len -= written;
            self.take_written(written);
        }
        Ok(())
    }

    fn take_written(&mut self, mut written: usize) {
        while let Some(part) = self.unwritten.front_mut() {
            if part.len() > written {
                // A large part of a log that is sent bit by bit.
                brooklet_storage::note_progress(written);
                part.advance(written);
                return;
            }
            written -= part.len();
            self.unwritten.pop_front();
        }
    }
}

/// Returns when the client has gone. Once it has sent more, that can no longer be told, and this waits for ever.
async fn disconnected(stream: &TcpStream) {
    loop {
        if stream.ready(Interest::READABLE).await.is_err() {
            return;
        }
        let mut byte = [0];
        let peeked = poll_fn(|cx| {
            let mut buffer = tokio::io::ReadBuf::new(&mut byte);
            stream.poll_peek(cx, &mut buffer)
        });
        match peeked.await {
            Ok(0) => return,
            Ok(_) => std::future::pending().await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
