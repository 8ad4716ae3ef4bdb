use actix_web::dev::ServiceResponse;
use actix_web::test::TestRequest;
use twenty_webhook_core::Rejection;

use crate::{ReceiverResponse, SignedRequest};

impl SignedRequest {
    /// The request for `actix_web::test::call_service`.
    pub fn actix(&self) -> TestRequest {
        let request = TestRequest::post().uri(self.path_and_query()).set_payload(self.body());
        let headers = self.headers();
        headers.iter().fold(request, |request, (name, value)| request.append_header((name.as_str(), value.as_bytes())))
    }
}

impl<B> ReceiverResponse for ServiceResponse<B> {
    fn status_code(&self) -> u16 {
        self.status().as_u16()
    }

    fn rejection(&self) -> Option<Rejection> {
        self.response().extensions().get().cloned()
    }
}
