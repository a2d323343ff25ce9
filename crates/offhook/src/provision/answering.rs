//! A connection that tells when its answer is written: until then it makes room for others last.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::places::Place;

/// Whether a connection's request is being answered. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    place: Arc<Place>,
    /// The answer is known, and on its way.
    is_to_be_written: Arc<AtomicBool>,
}

impl Asked {
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self { place, is_to_be_written: Arc::default() }
    }

    /// A request has come.
    pub(super) fn begins(&self) {
        self.place.is_being_answered();
    }

    /// Its answer is ready. It is given whole to the connection, which flushes when all of it is written.
    pub(super) fn is_to_be_written(&self) {
        self.is_to_be_written.store(true, Ordering::Relaxed);
    }

    fn is_flushed(&self) {
        if self.is_to_be_written.swap(false, Ordering::Relaxed) {
            self.place.is_answered();
        }
    }
}

/// The bytes of a connection.
#[derive(Debug)]
pub(super) struct Answering<S> {
    stream: S,
    asked: Asked,
}

impl<S> Answering<S> {
    pub(super) fn new(stream: S, asked: Asked) -> Self {
        Self { stream, asked }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Answering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Answering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.asked.is_flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
