//! Take this for a receiver on actix-web whose handlers are quick: `cargo run -p actix-receiver`.
//!
//! It routes events to handlers by name, and shuts down gracefully. `TWENTY_WEBHOOK_SECRET` is the webhook's secret, `LISTEN_ADDR` the
//! address.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::{App, HttpResponse, HttpServer, web};
use twenty_webhook_actix::records::{Opportunity, Person};
use twenty_webhook_actix::{
    EventRouter, TwentyWebhookMiddleware, WebhookEvent, escaped, listener, serve, shutdown_signal,
};

#[cfg(test)]
mod tests;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    // First, so that deliveries wait in its queue from now on. systemd or another supervisor may pass it, and keep it open while this
    // program restarts.
    let listener = listener(demo::listen_addr())?;
    let _log = demo::log_to_stderr();
    let addr = listener.local_addr()?;
    // Made once, so that all workers share its replay guard.
    let webhook = TwentyWebhookMiddleware::new(demo::secret(addr)?);
    let wrapped = webhook.clone();
    let server = HttpServer::new(move || app(wrapped.clone()));
    tracing::info!("listening on http://{addr}/webhooks/twenty");
    serve(listener, server).with_graceful_shutdown(shutdown_signal()).drain(&webhook).await?;
    Ok(())
}

fn app(
    webhook: TwentyWebhookMiddleware,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    App::new()
        .service(web::resource("/webhooks/twenty").wrap(webhook).route(web::post().to(events())))
        .route("/health", web::get().to(HttpResponse::NoContent))
}

/// The handlers run once for each delivery that Twenty signed. Twenty never retries, so return `Ok` only when the work is done or safely
/// stored, and an error otherwise: a copy of the delivery is then accepted.
fn events() -> EventRouter {
    EventRouter::new()
        .on("person.*", person)
        .on("opportunity.*", opportunity)
        .fallback(async |event: WebhookEvent| demo::print(&event))
}

async fn person(event: WebhookEvent, person: Person) {
    // Escape what people typed into the CRM before you log it.
    let name = person.name.unwrap_or_default().to_string();
    tracing::info!("{}: {}", escaped(event.name().as_str()), escaped(&name));
    demo::print(&event);
}

async fn opportunity(event: WebhookEvent, deal: Opportunity) {
    let (name, amount) = (deal.name.unwrap_or_default(), deal.amount.unwrap_or_default());
    tracing::info!("{}: {}, worth {}", escaped(event.name().as_str()), escaped(&name), escaped(&amount.to_string()));
    demo::print(&event);
}
