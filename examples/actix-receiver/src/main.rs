//! A receiver of Twenty's webhooks on actix-web: `cargo run -p actix-receiver`.
//!
//! `TWENTY_WEBHOOK_SECRET` is the webhook's secret, `LISTEN_ADDR` where to listen.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::{App, HttpResponse, HttpServer, web};
use twenty_webhook_actix::records::{Opportunity, Person};
use twenty_webhook_actix::{TwentyWebhookMiddleware, Webhook, WebhookEvent, listener, serve, shutdown_signal};

#[cfg(test)]
mod tests;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    // First of all: what is sent from now on waits in its queue. A supervisor such as systemd may hand it over, and keep it open while
    // this program restarts.
    let listener = listener(demo::listen_addr())?;
    let _log = demo::log_to_stderr();
    let addr = listener.local_addr()?;
    // Made once, so that all workers share its memory of what was delivered.
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
        .service(web::resource("/webhooks/twenty").wrap(webhook).route(web::post().to(receive)))
        .route("/health", web::get().to(HttpResponse::NoContent))
}

/// Runs only for deliveries that were freshly signed by Twenty, and not handled before.
async fn receive(Webhook(event): Webhook) -> HttpResponse {
    match handle(&event) {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(error) => {
            tracing::error!(%error, delivery_id = %event.delivery_id(), "not handled");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// Twenty never retries: answer 2xx only when the work is done, or safely stored.
fn handle(event: &WebhookEvent) -> anyhow::Result<()> {
    let action = event.action();
    match event.object() {
        Person::OBJECT => {
            for person in event.records::<Person>() {
                tracing::info!("person {action}: {}", person?.name.unwrap_or_default());
            }
        }
        Opportunity::OBJECT => {
            for deal in event.records::<Opportunity>() {
                let Opportunity { name, amount, .. } = deal?;
                let (name, amount) = (name.unwrap_or_default(), amount.unwrap_or_default());
                tracing::info!("opportunity {action}: {name}, worth {amount}");
            }
        }
        _ => {}
    }
    demo::print(event);
    Ok(())
}
