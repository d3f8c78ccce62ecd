//! How long a request keeps a thread busy, without the time it only waits (KIP-124).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::Clock;

/// A stopwatch that runs while a request is worked on.
#[derive(Debug, Clone)]
pub(crate) struct BusyTime {
    clock: Clock,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Nanoseconds of all turns that have ended.
    ended: AtomicU64,
    /// When the present turn began.
    began: AtomicU64,
}

impl BusyTime {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, state: Arc::default() }
    }

    /// What has been used up, the present turn with it.
    pub(crate) fn total(&self) -> Duration {
        let turn = self.clock.nanos().saturating_sub(self.state.began.load(Ordering::Relaxed));
        Duration::from_nanos(self.state.ended.load(Ordering::Relaxed) + turn)
    }

    /// Lets the stopwatch run whenever `work` does.
    pub(crate) fn watch<F: Future>(self, work: F) -> Watched<F> {
        Watched { busy: self, work: Box::pin(work) }
    }
}

/// Work whose time is taken.
#[derive(Debug)]
pub(crate) struct Watched<F> {
    busy: BusyTime,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let began = self.busy.clock.nanos();
        self.busy.state.began.store(began, Ordering::Relaxed);
        let polled = self.work.as_mut().poll(cx);
        let turn = self.busy.clock.nanos().saturating_sub(began);
        self.busy.state.ended.fetch_add(turn, Ordering::Relaxed);
        polled
    }
}
