use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use tower::ServiceExt;

use crate::support::{Place, event};

/// The page and its data are there to look at. The board of apalis would take new jobs as well: events that nobody signed.
#[tokio::test]
async fn the_board_shows_and_takes_nothing() {
    let place = Place::new();
    let inbox = place.open().await;
    inbox.store(&event("person.created", 1)).await.unwrap();
    let ask = async |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::from("{}")).unwrap();
        let answer = inbox.board().oneshot(request).await.unwrap();
        let status = answer.status();
        (status, String::from_utf8(axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap())
    };
    let (status, page) = ask(Method::GET, "/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("<html"), "{page}");
    let tasks = "/api/v1/queues/twenty-webhook/tasks?status=Pending";
    let (status, jobs) = ask(Method::GET, tasks).await;
    assert_eq!(status, StatusCode::OK, "{jobs}");
    assert!(jobs.contains("person.created"), "{jobs}");
    for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
        for path in ["/api/v1/queues/twenty-webhook/tasks", "/"] {
            assert_eq!(ask(method.clone(), path).await.0, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
    }
    assert_eq!(inbox.counts().await.unwrap().pending, 1);
}
