use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use futures_core::Stream;

use crate::{BodyError, Rejection};

/// After this many chunks without waiting, reading yields once, so that the deadline and other requests run.
const MAX_CHUNKS_BEFORE_YIELD: u32 = 64;

/// Passes each chunk of the body to `push`.
pub(super) async fn read<S>(
    mut body: Pin<&mut S>,
    mut push: impl FnMut(Bytes) -> Result<(), Rejection>,
) -> Result<(), Rejection>
where
    S: Stream<Item = Result<Bytes, BodyError>>,
{
    let mut since_yield = 0;
    loop {
        let chunk = poll_fn(|cx| {
            if since_yield == MAX_CHUNKS_BEFORE_YIELD {
                since_yield = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let chunk = body.as_mut().poll_next(cx);
            since_yield = if chunk.is_ready() { since_yield + 1 } else { 0 };
            chunk
        });
        match chunk.await {
            Some(chunk) => push(chunk.map_err(Rejection::BodyIncomplete)?)?,
            None => return Ok(()),
        }
    }
}
