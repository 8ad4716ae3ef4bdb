use std::cell::Cell;

use twenty_webhook_core::{Clock, SIGNATURE_HEADER, Signer, TIMESTAMP_HEADER};

use crate::samples::{self, SERIAL};

/// Requests of one size with different serial numbers in their bodies, signed in advance.
pub struct Requests {
    /// A complete request, and the positions of its serial number and its signature.
    template: Vec<u8>,
    serial_at: usize,
    signature_at: usize,
    signatures: Vec<[u8; 64]>,
    first_serial: usize,
    next: Cell<usize>,
}

impl Requests {
    /// Signs `count` requests with bodies of `len` bytes, numbered from `first_serial`. Send them soon.
    pub fn sign(len: usize, first_serial: usize, count: usize) -> Self {
        let signer = Signer::new(samples::secret());
        let mut body = samples::body(len).to_vec();
        let serial_in_body = find(&body, SERIAL.as_bytes());
        let now = Clock::system().now();
        let mut signatures = Vec::with_capacity(count);
        for serial in first_serial..first_serial + count {
            write_serial(&mut body[serial_in_body..], serial);
            let headers = signer.sign_at(&body, now);
            signatures.push(headers[&SIGNATURE_HEADER].as_bytes().try_into().expect("64 digits"));
        }

        let mut headers = samples::common_headers(&body);
        headers.extend(signer.sign_at(&body, now));
        let mut template = b"POST /webhooks/twenty HTTP/1.1\r\n".to_vec();
        for (name, value) in &headers {
            template.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        template.extend(b"\r\n");
        let body_at = template.len();
        let signature_at = find(&template, headers[&SIGNATURE_HEADER].as_bytes());
        assert!(headers.contains_key(&TIMESTAMP_HEADER));
        template.extend(body);
        Self {
            template,
            serial_at: body_at + serial_in_body,
            signature_at,
            signatures,
            first_serial,
            next: Cell::new(0),
        }
    }

    /// The buffer in which each connection makes its requests.
    pub fn template(&self) -> Vec<u8> {
        self.template.clone()
    }

    /// Writes the next request into `request`, which began as the template. `false` if there are no more.
    pub fn write_next(&self, request: &mut [u8]) -> bool {
        let at = self.next.replace(self.next.get() + 1);
        let Some(signature) = self.signatures.get(at) else { return false };
        request[self.signature_at..][..64].copy_from_slice(signature);
        write_serial(&mut request[self.serial_at..], self.first_serial + at);
        true
    }
}

/// 16 decimal digits.
fn write_serial(place: &mut [u8], mut serial: usize) {
    for digit in place[..SERIAL.len()].iter_mut().rev() {
        *digit = b'0' + u8::try_from(serial % 10).expect("it is a digit");
        serial /= 10;
    }
}

fn find(text: &[u8], part: &[u8]) -> usize {
    text.windows(part.len()).position(|window| window == part).expect("it is in there")
}
