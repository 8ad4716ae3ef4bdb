/// Waits for Ctrl-C or, on Unix, for SIGTERM, which `docker stop`, Kubernetes and systemd send.
///
/// Needs an actix or tokio runtime.
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
    use std::pin::pin;

    use actix_web::rt::signal::unix::{SignalKind, signal};
    use futures_util::future::select;

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    select(pin!(interrupt.recv()), pin!(terminate.recv())).await;
    Ok(())
}

#[cfg(not(unix))]
async fn signalled() -> std::io::Result<()> {
    actix_web::rt::signal::ctrl_c().await
}
