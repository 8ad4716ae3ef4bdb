use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

pub(super) const STYLE_QUERY: &str = "style";
pub(super) const SCRIPT_QUERY: &str = "script";

pub(super) fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("style.css")).into_response()
}

pub(super) fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("live.js")).into_response()
}
