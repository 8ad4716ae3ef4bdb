//! The cost of an `EventRouter` with 50 routes and empty handlers.

use std::pin::pin;
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use benches::limits::Limits;
use benches::rounds::{Case, Medians};
use benches::samples;
use twenty_webhook_core::{EventRouter, WebhookEvent};

fn main() -> ExitCode {
    let event = WebhookEvent::from_stored(samples::body(2048)).expect("a sample is an event");
    let name = event.name().as_str();
    // The last of fifty routes matches the event.
    let (objects, actions) = (49, 49);
    let by_object =
        (0..objects).fold(EventRouter::new(), |router, number| router.on(&format!("rocket{number}.*"), idle));
    let by_action =
        (0..actions).fold(EventRouter::new(), |router, number| router.on(&format!("*.action{number}"), idle));
    let (by_object, by_action) = (by_object.on(name, idle), by_action.on(name, idle));

    let medians = Medians::of(
        vec![
            Case::new("fifty objects", || dispatch(&by_object, &event)),
            Case::new("fifty actions of any object", || dispatch(&by_action, &event)),
        ],
        1000,
    );
    medians.print("dispatch over 50 routes", "fifty objects");
    println!();
    let mut limits = Limits::default();
    limits.at_most("dispatch over 50 objects, ns", medians.time("fifty objects").as_nanos() as f64, 200.0);
    let allocations = measure(|| dispatch(&by_object, &event)).count_total;
    limits.at_most("allocations, the handler's future being one", allocations as f64, 1.0);
    limits.exit_code()
}

async fn idle(_: WebhookEvent) {}

/// The handler is ready at once, so one poll is enough.
fn dispatch(router: &EventRouter, event: &WebhookEvent) {
    let handling = pin!(router.handle(event.clone()));
    let polled = handling.poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(()))));
}
