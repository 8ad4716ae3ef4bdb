//! What the page shows and refuses, without a browser. `.ci/try-dashboard` uses a browser.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use tower::ServiceExt;
use twenty_webhook_inbox::{HandlerError, Inbox, JobFilter, JobId, SqliteStore, WebhookEvent};

use crate::support::{Place, Running, changed, until, verified};

async fn ask(app: &Router, method: Method, uri: &str, origin: Option<&str>, body: &str) -> (Response<()>, String) {
    let mut request = Request::builder().method(method).uri(uri).header("host", "crm.example");
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let answer = app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (Response::from_parts(parts, ()), String::from_utf8(body.to_vec()).unwrap())
}

async fn get(app: &Router, uri: &str) -> (StatusCode, String) {
    let (answer, body) = ask(app, Method::GET, uri, None, "").await;
    (answer.status(), body)
}

/// Three dead letters.
async fn inbox(place: &Place) -> Inbox<SqliteStore> {
    let inbox = place.open().await;
    let hostile = r#"{"eventName":"person.created","workspaceId":"w","record":{"id":"<b>3</b>","note":"<script>\ud83d \u202e</script>"}}"#;
    for event in [changed("person.created", "1", None), changed("company.updated", "2", None), verified(hostile.into())]
    {
        inbox.store(&event).await.unwrap();
    }
    let fails = |_: WebhookEvent| async { Err(HandlerError::permanent("<i>no</i> \u{202e}")) };
    let running = Running::start(inbox.worker("test", fails));
    until(&inbox, |counts| counts.dead == 3).await;
    running.stop().await;
    inbox
}

#[tokio::test]
async fn it_shows_and_filters_at_any_path_and_changes_nothing() {
    let place = Place::new();
    let inbox = inbox(&place).await;
    let app = Router::new().nest_service("/admin/inbox", inbox.dashboard());
    for path in ["/admin/inbox", "/admin/inbox/"] {
        let (status, page) = get(&app, path).await;
        assert_eq!(status, StatusCode::OK);
        for text in [
            "person.created",
            "company.updated",
            "&lt;i&gt;no&lt;/i&gt; \\u{202e}",
            "&lt;b&gt;3&lt;/b&gt;",
            "<b>3</b><small>oldest",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("<i>no") && !page.contains('\u{202e}') && !page.contains("href=\"/"), "{page}");
    }
    let (_, page) = get(&app, "/admin/inbox?state=dead&name=person.*&object=person&record=1").await;
    assert!(page.contains("?object=person&amp;record=1") || page.contains("job="), "{page}");
    assert!(!page.contains("company.updated"), "{page}");
    let (_, page) = get(&app, "/admin/inbox?job=3").await;
    assert!(page.contains("&lt;script&gt;\\ud83d \\u202e&lt;/script&gt;") && !page.contains("<script>"), "{page}");
    for (query, status) in
        [("job=4711", 404), ("job=x", 400), ("state=x", 400), ("name=x", 400), ("record=1", 400), ("job=1&job=2", 400)]
    {
        assert_eq!(get(&app, &format!("/admin/inbox?{query}")).await.0, status, "{query}");
    }
    let (_, fragment) = get(&app, "/admin/inbox?counts=1").await;
    assert!(!fragment.contains("<html") && fragment.contains("<b>3</b>"), "{fragment}");
    for query in ["style", "script"] {
        assert_eq!(get(&app, &format!("/admin/inbox?{query}")).await.0, StatusCode::OK);
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let (answer, _) = ask(&app, method, "/admin/inbox", Some("http://crm.example"), "confirm=delete&job=1").await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(get(&app, "/admin/inbox?job=1&confirm=delete").await.0, StatusCode::FORBIDDEN);
    assert_eq!(inbox.counts().await.unwrap().dead, 3);
}

#[tokio::test]
async fn actions_are_confirmed_and_come_from_the_page_itself() {
    let place = Place::new();
    let inbox = inbox(&place).await;
    let app = inbox.dashboard_with_actions();
    let (status, page) = get(&app, "/?state=dead&name=person.*&confirm=retry").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Retry 2 jobs?") && page.contains(r#"name="name" value="person.*""#), "{page}");
    let form = "state=dead&name=person.*&confirm=retry";
    for origin in [
        None,
        Some("null"),
        Some("https://evil.example"),
        Some("https://crm.example.evil.example"),
        Some("crm.example"),
    ] {
        let (answer, _) = ask(&app, Method::POST, "/", origin, form).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin:?}");
    }
    assert_eq!(inbox.counts().await.unwrap().dead, 3);
    let own = Some("https://crm.example");
    let (answer, _) = ask(&app, Method::POST, "/", own, form).await;
    assert_eq!(
        (answer.status(), &answer.headers()["location"]),
        (StatusCode::SEE_OTHER, &"?name=person.%2A&state=dead".parse::<axum::http::HeaderValue>().unwrap())
    );
    let counts = inbox.counts().await.unwrap();
    assert_eq!((counts.pending, counts.dead), (2, 1));
    // A page that was loaded before the retry.
    let (answer, _) = ask(&app, Method::POST, "/", own, "job=1&state=dead&confirm=delete").await;
    assert_eq!((answer.status(), &answer.headers()["location"]), (StatusCode::SEE_OTHER, &"?".parse().unwrap()));
    assert_eq!(inbox.counts().await.unwrap().pending, 2, "it is not dead any more");
    let (_, page) = get(&app, "/?job=2").await;
    assert!(page.contains("job=2&amp;state=dead"), "{page}");
    let (_, page) = get(&app, "/?job=2&state=dead&confirm=delete").await;
    assert!(page.contains("Delete 1 job?") && page.contains(r#"name="state" value="dead""#), "{page}");
    let (answer, _) = ask(&app, Method::POST, "/", own, "job=2&state=dead&confirm=delete").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(inbox.counts().await.unwrap().dead, 0);
    for form in ["job=1", "confirm=format", "confirm=delete", &"x".repeat(20_000)] {
        assert_eq!(ask(&app, Method::POST, "/", own, form).await.0.status(), StatusCode::BAD_REQUEST);
    }
    assert_eq!(inbox.counts().await.unwrap().pending, 2);
}

#[tokio::test]
async fn every_answer_is_for_no_frame_no_cache_and_no_other_script() {
    let place = Place::new();
    let inbox = inbox(&place).await;
    let app = inbox.dashboard();
    for (method, uri) in [(Method::GET, "/"), (Method::GET, "/?job=x"), (Method::PUT, "/"), (Method::GET, "/?style")] {
        let (answer, _) = ask(&app, method, uri, None, "").await;
        let header = |name| answer.headers()[name].to_str().unwrap();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!((header("x-frame-options"), header("cache-control")), ("DENY", "no-store"));
    }
}

/// The confirmation counts what the inbox changes.
#[tokio::test]
async fn an_action_is_offered_for_the_jobs_that_it_changes() {
    let place = Place::new();
    let inbox = inbox(&place).await;
    let app = inbox.dashboard_with_actions();
    for number in ["4", "5"] {
        inbox.store(&changed("task.created", number, None)).await.unwrap();
    }
    place.sql("UPDATE twenty_webhook_jobs SET crashes = 2 WHERE seq = 4").await;
    assert_eq!(inbox.erase("company", "2").await.unwrap(), 1);
    for (job, state, expected) in [(1, "dead", 1), (2, "dead", 0), (4, "pending", 1), (5, "pending", 0)] {
        let (_, page) = get(&app, &format!("/?job={job}")).await;
        assert_eq!(page.matches("confirm=retry").count(), expected, "{job}: {page}");
        let (_, page) = get(&app, &format!("/?job={job}&state={state}&confirm=retry")).await;
        assert!(page.contains(&format!("Retry {expected} job")), "{page}");
        let changed = inbox.retry(&JobFilter::id(JobId::new(job))).await.unwrap();
        assert_eq!(changed, expected as u64, "{job}");
    }
}
