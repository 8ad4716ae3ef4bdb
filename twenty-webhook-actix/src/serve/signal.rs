/// Waits for Ctrl-C or, on Unix, SIGTERM, which `docker stop`, Kubernetes and systemd send.
///
/// It must run in an actix or tokio runtime.
pub async fn shutdown_signal() {
    if let Err(error) = signalled().await {
        tracing::error!(target: "twenty_webhook", %error, "signals cannot be listened to: this server stops only when it is killed");
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
