use tokio::sync::watch;

/// How far a server has come. It only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serving,
    /// No more connections come. Each one that is open may carry one more request.
    Stopping,
    /// Connections that carry no request are closed.
    Closing,
    /// The deadline has passed: all connections are closed.
    Ended,
}

/// Waits for a phase. A server that was dropped goes no further, and its connections end by themselves.
pub(super) async fn reached(mut now: watch::Receiver<Phase>, phase: Phase) {
    if now.wait_for(|now| *now >= phase).await.is_err() {
        std::future::pending::<()>().await;
    }
}
