use tokio::sync::watch;

/// The phases of a server, in order. It never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serving,
    /// Accepts no more connections. Each open one may carry one more request.
    Stopping,
    /// Closes connections that carry no request.
    Closing,
    /// The deadline has passed: closes all connections.
    Ended,
}

/// Waits for a phase. Never returns if the server was dropped: its connections then end by themselves.
pub(super) async fn reached(mut now: watch::Receiver<Phase>, phase: Phase) {
    if now.wait_for(|now| *now >= phase).await.is_err() {
        std::future::pending::<()>().await;
    }
}
