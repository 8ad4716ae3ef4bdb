use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;

/// Records a body while it is read.
#[derive(Clone, Default)]
pub(super) struct Recorder(Arc<Mutex<Vec<Bytes>>>);

impl Recorder {
    pub(super) fn record(&self, body: Body) -> Body {
        let recorder = self.clone();
        Body::new(body.map_frame(move |frame| {
            if let Some(data) = frame.data_ref() {
                recorder.chunks().push(data.clone());
            }
            frame
        }))
    }

    /// The bytes read so far.
    pub(super) fn bytes(&self) -> Bytes {
        self.chunks().concat().into()
    }

    fn chunks(&self) -> std::sync::MutexGuard<'_, Vec<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
