use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// The output of `work`, or `None` if `timer` ends first. The timer is made only when the work first waits.
pub(crate) async fn within<W: Future, T: Future<Output = ()>>(work: W, timer: impl FnOnce() -> T) -> Option<W::Output> {
    let (mut work, mut make_timer, mut running_timer) = (pin!(work), Some(timer), pin!(None));
    poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if let Some(make) = make_timer.take() {
            running_timer.set(Some(make()));
        }
        match running_timer.as_mut().as_pin_mut() {
            Some(timer) => timer.poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}
