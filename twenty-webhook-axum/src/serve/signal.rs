/// Waits for Ctrl-C or, on Unix, for SIGTERM, which `docker stop`, Kubernetes and systemd send.
///
/// Needs a tokio runtime with I/O enabled.
pub async fn shutdown_signal() {
    if let Err(error) = signalled().await {
        tracing::error!(
            target: "twenty_webhook", %error,
            "cannot listen for signals: this server stops only when it is killed"
        );
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn signalled() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn signalled() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
