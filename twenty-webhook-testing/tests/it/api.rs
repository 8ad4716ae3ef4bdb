//! The REST API.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use twenty_webhook_testing::{ApiFailure, FakeTwenty, RateLimit, Role, TestClock, Version};

use crate::support::{get, request, try_request};

const BY_ID: &str = "order_by=id[AscNullsFirst]";

#[tokio::test]
async fn a_list_is_paged_by_cursor_to_its_end() {
    let twenty = FakeTwenty::start();
    let ids = twenty.create_many("person", (0..450).map(|_| json!({})));
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), Vec::new());
    loop {
        let answer = get(&twenty, &format!("/rest/people?{BY_ID}&limit=1000&starting_after={cursor}")).await;
        let page = answer.ids("people");
        pages.push(page.len());
        seen.extend(page.iter().map(ToString::to_string));
        assert_eq!(answer.body["totalCount"], 450);
        if answer.body["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        cursor = answer.cursor().unwrap().to_owned();
    }
    // A limit over 200 is silently reduced to 200.
    assert_eq!(pages, [200, 200, 50]);
    assert!(seen.is_sorted() && seen.iter().collect::<HashSet<_>>() == ids.iter().collect());
    assert_eq!(get(&twenty, "/rest/people").await.ids("people").len(), 60);
    assert_eq!(get(&twenty, "/rest/companies").await.body["pageInfo"]["endCursor"], Value::Null);
}

#[tokio::test]
async fn other_orders_are_paged_too() {
    let twenty = FakeTwenty::start();
    for employees in [3, 1, 2, 1] {
        twenty.create("company", json!({ "employees": employees }));
    }
    twenty.create("company", json!({ "employees": null }));
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for _ in 0..3 {
        let query = format!("/rest/companies?order_by=employees[DescNullsLast]&limit=2&starting_after={cursor}");
        let answer = get(&twenty, &query).await;
        let page = answer.body["data"]["companies"].as_array().unwrap();
        seen.extend(page.iter().map(|company| company["employees"].clone()));
        cursor = answer.cursor().unwrap().to_owned();
    }
    assert_eq!(seen, [json!(3), json!(2), json!(1), json!(1), Value::Null]);
}

#[tokio::test]
async fn soft_deleted_rows_are_hidden_unless_the_filter_names_deleted_at() {
    let twenty = FakeTwenty::start();
    let kept = twenty.create("person", json!({}));
    let deleted = twenty.create("person", json!({}));
    twenty.delete("person", &[&deleted]);
    assert_eq!(get(&twenty, "/rest/people").await.ids("people"), [&kept]);
    assert_eq!(get(&twenty, &format!("/rest/people/{kept}")).await.body["data"]["person"]["id"], kept);
    assert_eq!(get(&twenty, &format!("/rest/people/{deleted}")).await.status, 404);
    for (filter, expected) in [
        (r#"and(updatedAt[gte]:"2020-01-01T00:00:00.000Z",or(deletedAt[is]:NULL,deletedAt[is]:NOT_NULL))"#, 2),
        (r#"or(updatedAt[gte]:"2020-01-01T00:00:00.000Z",deletedAt[is]:NOT_NULL)"#, 2),
        // As SQL has it, null is neither equal to x nor not equal to it.
        ("not(deletedAt[eq]:x)", 1),
    ] {
        let answer = get(&twenty, &format!("/rest/people?filter={filter}")).await;
        assert_eq!(answer.ids("people").len(), expected, "{filter}: {}", answer.body);
    }
    let gone = get(&twenty, &format!("/rest/people?filter=id[eq]:\"{deleted}\",deletedAt[is]:NOT_NULL")).await;
    assert_eq!(gone.ids("people"), [&deleted]);
}

#[tokio::test]
async fn a_filter_selects_the_matching_records() {
    let twenty = FakeTwenty::start();
    let a = twenty.create(
        "company",
        json!({ "id": "a", "name": "Acme, Inc.", "employees": 10, "createdAt": "2026-01-01T00:00:00.000Z" }),
    );
    let b = twenty.create(
        "company",
        json!({ "id": "b", "name": "Blue Harbour", "employees": 20, "createdAt": "2026-06-01T00:00:00.000Z" }),
    );
    assert_eq!((a.as_str(), b.as_str()), ("a", "b"));
    for (filter, expected) in [
        (r#"name[eq]:"Acme, Inc.""#, "a"),
        ("name[neq]:\"Acme, Inc.\"", "b"),
        ("employees[gt]:10", "b"),
        ("employees[gte]:10", "a b"),
        ("employees[lt]:20,name[startsWith]:A", "a"),
        ("employees[lte]:9.5", ""),
        ("id[in]:[a,b]", "a b"),
        (r#"id[in]:["b"]"#, "b"),
        ("name[ilike]:%HARB%", "b"),
        ("name[like]:%HARB%", ""),
        ("name[endsWith]:our", "b"),
        ("not(name[startsWith]:B)", "a"),
        ("or(id[eq]:a,id[eq]:b)", "a b"),
        ("and(id[eq]:a,id[eq]:b)", ""),
        ("domainName.primaryLinkUrl[startsWith]:https", "a b"),
        // Another notation of the same time.
        (r#"createdAt[gte]:"2026-06-01T02:00:00+02:00""#, "b"),
        (r#"or(updatedAt[gte]:"2999-01-01T00:00:00.000Z",createdAt[lt]:"2026-02-01T00:00:00.000Z")"#, "a"),
        ("accountOwnerId[is]:NULL", ""),
    ] {
        let answer = get(&twenty, &format!("/rest/companies?{BY_ID}&filter={filter}")).await;
        assert_eq!(answer.status, 200, "{filter}: {}", answer.body);
        assert_eq!(answer.ids("companies").join(" "), expected, "{filter}");
    }
}

#[tokio::test]
async fn an_invalid_query_is_answered_400() {
    let twenty = FakeTwenty::start();
    let deep = format!("/rest/people?filter={}id[eq]:1{}", "and(".repeat(1000), ")".repeat(1000));
    for path in [
        "/rest/rockets",
        "/rest/people?filter=rocket[eq]:1",
        "/rest/people?filter=id[is_like]:1",
        "/rest/people?filter=id",
        "/rest/people?filter=and(id[eq]:1",
        "/rest/people?filter=id[eq]:\"1",
        "/rest/people?order_by=rocket",
        "/rest/people?order_by=id[Up]",
        "/rest/people?limit=many",
        "/rest/people?limit=0",
        "/rest/people?depth=2",
        "/rest/people?starting_after=%21",
        "/rest/people?starting_after=bm9wZQ==",
        &deep,
    ] {
        let answer = get(&twenty, path).await;
        assert_eq!((answer.status, &answer.body["statusCode"]), (400, &json!(400)), "{path}");
        assert!(answer.body["messages"][0].as_str().is_some_and(|message| !message.is_empty()));
    }
    assert_eq!(get(&twenty, "/nothing").await.status, 404);
}

#[tokio::test]
async fn page_info_may_be_in_data_and_a_cursor_may_repeat() {
    let twenty = FakeTwenty::start();
    twenty.create_many("person", (0..3).map(|_| json!({})));
    let page = format!("/rest/people?{BY_ID}&limit=1");
    let cursor = get(&twenty, &page).await.cursor().unwrap().to_owned();
    twenty.set_faults(|faults| (faults.page_info_in_data, faults.repeat_cursor) = (true, true));
    let answer = get(&twenty, &format!("{page}&starting_after={cursor}")).await;
    assert!(answer.body.get("pageInfo").is_none() && answer.body["data"]["totalCount"] == 3);
    assert_eq!(answer.body["data"]["pageInfo"]["endCursor"], json!(cursor));
    assert_eq!(answer.body["data"]["pageInfo"]["hasNextPage"], json!(true));
}

#[tokio::test]
async fn a_record_looks_as_in_a_webhook() {
    let twenty = FakeTwenty::builder().version(Version::V1_8).start();
    let id = twenty.create("opportunity", json!({}));
    let answer = get(&twenty, &format!("/rest/opportunities/{id}")).await;
    let record = &answer.body["data"]["opportunity"];
    assert!(record["amount"]["amountMicros"].is_string() && record.get("updatedBy").is_none());
    assert!(record["companyId"].is_string());
}

#[tokio::test]
async fn records_can_be_written_through_the_api() {
    let twenty = FakeTwenty::start();
    let key = twenty.api_key();
    let made = request(&twenty, key, "POST", "/rest/notes", json!({ "title": "canary" })).await;
    assert_eq!((made.status, &made.body["data"]["createNote"]["title"]), (201, &json!("canary")));
    let id = made.body["data"]["createNote"]["id"].as_str().unwrap().to_owned();
    let path = format!("/rest/notes/{id}");
    assert_eq!(request(&twenty, key, "PATCH", &path, json!({ "title": "changed" })).await.status, 200);
    assert_eq!(request(&twenty, key, "DELETE", &format!("{path}?soft_delete=true"), Value::Null).await.status, 200);
    assert_eq!(request(&twenty, key, "PATCH", &format!("/rest/restore/notes/{id}"), Value::Null).await.status, 200);
    assert_eq!(request(&twenty, key, "DELETE", &path, Value::Null).await.status, 200);
    assert_eq!(get(&twenty, &path).await.status, 404);
    let many = request(&twenty, key, "POST", "/rest/batch/notes", json!([{ "title": "1" }, { "title": "2" }])).await;
    assert_eq!(many.body["data"]["createNotes"].as_array().unwrap().len(), 2);
    let names: Vec<_> = twenty.ledger().changes.iter().map(|change| change.name.clone()).collect();
    let actions = ["created", "updated", "deleted", "restored", "destroyed", "created", "created"];
    assert_eq!(names, actions.map(|action| format!("note.{action}")));
    for (method, path, body, status) in [
        ("POST", "/rest/notes", json!({ "rocket": 1 }), 400),
        ("POST", "/rest/notes", json!([]), 400),
        ("PATCH", "/rest/notes/nothing", json!({}), 404),
        ("DELETE", "/rest/notes/nothing", Value::Null, 404),
        ("PUT", "/rest/notes", json!({}), 404),
    ] {
        assert_eq!(request(&twenty, key, method, path, body).await.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn the_data_model_has_plural_names_and_custom_objects() {
    let twenty = FakeTwenty::start();
    twenty.add_object("rocket", "rocketz");
    let (mut objects, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = get(&twenty, &format!("/rest/metadata/objects?limit=20&starting_after={cursor}")).await;
        objects.extend(answer.body["data"]["objects"].as_array().unwrap().clone());
        if answer.body["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        cursor = answer.cursor().unwrap().to_owned();
    }
    let named = |name: &str| objects.iter().find(|object| object["nameSingular"] == name).unwrap();
    assert_eq!(objects.len(), 31);
    assert_eq!(named("person")["namePlural"], "people");
    assert_eq!((&named("rocket")["namePlural"], &named("rocket")["isCustom"]), (&json!("rocketz"), &json!(true)));
    let fields = named("person")["fields"]["edges"].as_array().unwrap();
    assert!(fields.iter().any(|field| field["node"]["name"] == "companyId"));
    twenty.create("rocket", json!({ "fuel": "oxygen" }));
    assert_eq!(get(&twenty, "/rest/rocketz?filter=fuel[eq]:oxygen").await.ids("rocketz").len(), 1);
}

#[tokio::test]
async fn webhooks_can_be_created_updated_and_deleted() {
    let twenty = FakeTwenty::start();
    let key = twenty.api_key();
    let body = json!({ "targetUrl": "https://example.com/hook", "operations": ["person.*"], "description": "mine", "secret": "s" });
    let made = request(&twenty, key, "POST", "/rest/metadata/webhooks", body.clone()).await;
    assert_eq!(made.status, 201);
    let id = made.body["id"].as_str().unwrap().to_owned();
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&made.body[name], value);
    }
    let path = format!("/rest/metadata/webhooks/{id}");
    let changed = request(&twenty, key, "PATCH", &path, json!({ "operations": ["*.*"] })).await;
    assert_eq!((&changed.body["operations"], &changed.body["secret"]), (&json!(["*.*"]), &json!("s")));
    assert_eq!(get(&twenty, "/rest/metadata/webhooks").await.body["data"]["webhooks"][0]["id"], id);
    assert_eq!(get(&twenty, "/rest/webhooks").await.body[0]["id"], id);
    assert_eq!(request(&twenty, key, "PATCH", &path, json!({ "targetUrl": "nowhere" })).await.status, 400);
    assert_eq!(request(&twenty, key, "DELETE", &path, Value::Null).await.status, 200);
    assert_eq!(get(&twenty, &path).await.status, 404);
    let made = request(&twenty, key, "POST", "/rest/webhooks", json!({ "targetUrl": "https://example.com/" })).await;
    assert_eq!(made.body["secret"].as_str().unwrap().len(), 64);
    twenty.set_faults(|faults| (faults.hide_secrets, faults.no_generated_secret) = (true, true));
    let made = request(&twenty, key, "POST", "/rest/webhooks", json!({ "targetUrl": "https://example.com/" })).await;
    assert_eq!(made.body["secret"], Value::Null);
    twenty.set_faults(|faults| faults.hide_secrets = false);
    assert_eq!(get(&twenty, "/rest/webhooks").await.body[1]["secret"], "");
}

#[tokio::test]
async fn a_key_sees_only_what_its_role_allows() {
    let twenty = FakeTwenty::start();
    let seen = twenty.create("person", json!({}));
    let hidden = twenty.create("person", json!({}));
    let role = Role::default().forbid("company").hide("task").hide_record(&hidden).without_webhooks();
    let key = twenty.add_api_key(role);
    let status = async |path: &str| request(&twenty, &key, "GET", path, Value::Null).await.status;
    assert_eq!(status("/rest/companies").await, 403);
    assert_eq!(status("/rest/tasks").await, 404);
    assert_eq!(status("/rest/webhooks").await, 403);
    assert_eq!(status(&format!("/rest/people/{hidden}")).await, 404);
    assert_eq!(request(&twenty, &key, "GET", "/rest/people", Value::Null).await.ids("people"), [&seen]);
    assert_eq!(get(&twenty, "/rest/people").await.ids("people").len(), 2);
    let objects = request(&twenty, &key, "GET", "/rest/metadata/objects?limit=200", Value::Null).await;
    assert!(objects.body["data"]["objects"].as_array().unwrap().iter().all(|object| object["nameSingular"] != "task"));
    // The role changes between two requests.
    twenty.set_role(&key, Role::default().forbid("person"));
    assert_eq!(status("/rest/people").await, 403);
    twenty.revoke(&key);
    assert_eq!(status("/rest/people").await, 401);
    assert_eq!(request(&twenty, "no such key", "GET", "/rest/people", Value::Null).await.status, 401);
    twenty.make_private("person", &seen);
    assert_eq!(get(&twenty, "/rest/people").await.ids("people"), [&hidden]);
}

#[tokio::test]
async fn the_api_has_a_rate_limit_and_an_allowance() {
    let clock = TestClock::default();
    let twenty = FakeTwenty::builder().clock(clock.clock()).start();
    let other = twenty.add_api_key(Role::default());
    twenty.set_faults(|faults| faults.api_rate_limit = Some(RateLimit::per_minute(2)));
    for _ in 0..2 {
        assert_eq!(get(&twenty, "/rest/people").await.status, 200);
    }
    clock.advance(Duration::from_millis(500));
    let limited = get(&twenty, "/rest/people").await;
    assert_eq!((limited.status, &limited.headers["retry-after"]), (429, &http::HeaderValue::from_static("60")));
    assert_eq!(request(&twenty, &other, "GET", "/rest/people", Value::Null).await.status, 200);
    twenty.set_faults(|faults| faults.no_retry_after = true);
    assert!(!get(&twenty, "/rest/people").await.headers.contains_key("retry-after"));
    clock.advance(Duration::from_secs(60));
    assert_eq!(get(&twenty, "/rest/people").await.status, 200);
    twenty.set_faults(|faults| faults.allowance_spent = true);
    assert_eq!(get(&twenty, "/rest/people").await.status, 402);
    assert_eq!(twenty.api_requests(), vec!["GET /rest/people"; 7]);
}

#[tokio::test]
async fn requests_can_be_held_between_two_pages() {
    let twenty = FakeTwenty::start();
    twenty.create_many("person", [json!({}), json!({})]);
    twenty.hold_requests_after(1);
    let first = get(&twenty, &format!("/rest/people?{BY_ID}&limit=1")).await;
    let path = format!("/rest/people?{BY_ID}&limit=1&starting_after={}", first.cursor().unwrap());
    let second = async { get(&twenty, &path).await };
    let change = async {
        while twenty.api_requests().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        twenty.create("person", json!({ "id": "ffffffff" }));
        twenty.release_requests();
    };
    let (second, ()) = tokio::join!(second, change);
    assert_eq!((&second.body["totalCount"], &second.body["pageInfo"]["hasNextPage"]), (&json!(3), &json!(true)));
}

#[tokio::test]
async fn requests_can_fail_in_each_way() {
    let twenty = FakeTwenty::start();
    let failures = [500, 429].map(ApiFailure::Status).into_iter();
    twenty.fail_next(failures.chain([ApiFailure::NotJson, ApiFailure::CutOff, ApiFailure::Endless, ApiFailure::Hang]));
    assert_eq!(get(&twenty, "/rest/people").await.status, 500);
    assert_eq!(get(&twenty, "/rest/people").await.headers["retry-after"], "1");
    for _ in 0..2 {
        assert!(try_request(&twenty, twenty.api_key(), "GET", "/rest/people", Value::Null).await.is_none());
    }
    for _ in 0..2 {
        let response = try_request(&twenty, twenty.api_key(), "GET", "/rest/people", Value::Null);
        assert!(timeout(Duration::from_millis(50), response).await.is_err(), "the answer has no end");
    }
    assert_eq!(get(&twenty, "/rest/people").await.status, 200);
}

#[tokio::test]
async fn many_bare_records_are_listed_quickly() {
    let twenty = FakeTwenty::builder().bare_records().start();
    twenty.create_many("person", (0..20_000).map(|_| json!({})));
    let filter = r#"and(or(updatedAt[gte]:"2999-01-01T00:00:00.000Z",createdAt[gte]:"2999-01-01T00:00:00.000Z"),or(deletedAt[is]:NULL,deletedAt[is]:NOT_NULL))"#;
    let answer = get(&twenty, &format!("/rest/people?{BY_ID}&limit=200&filter={filter}")).await;
    assert_eq!((answer.ids("people").len(), &answer.body["totalCount"]), (0, &json!(0)));
    assert_eq!(get(&twenty, "/rest/people?limit=1").await.body["totalCount"], 20_000);
}
