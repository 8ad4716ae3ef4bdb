use twenty_webhook_core::{NONCE_HEADER, Rejection, SIGNATURE_HEADER, SignatureHeaders, TIMESTAMP_HEADER};

/// Each line is a header: its first byte selects the name, the rest is the value.
///
/// The headers are accepted exactly if each is well-formed and none is missing or repeated. Otherwise the reason is the right one.
pub fn check(data: &[u8]) {
    let names = [&SIGNATURE_HEADER, &TIMESTAMP_HEADER, &NONCE_HEADER];
    let lines = || data.split(|&byte| byte == b'\n').filter_map(|line| line.split_first());
    let read = SignatureHeaders::read(lines().map(|(&name, value)| (names[usize::from(name) % 3], value)));

    let mut values: [Vec<&[u8]>; 3] = Default::default();
    for (&name, value) in lines() {
        values[usize::from(name) % 3].push(value);
    }
    let [signatures, timestamps, nonces] = &values;
    assert_eq!(read.as_ref().map_or_else(Rejection::code, |_| "accepted"), expected(signatures, timestamps, nonces));
}

fn expected(signatures: &[&[u8]], timestamps: &[&[u8]], nonces: &[&[u8]]) -> &'static str {
    match (signatures, timestamps, nonces) {
        ([_, _, ..], ..) | (_, [_, _, ..], _) | (.., [_, _, ..]) => "repeated_header",
        ([], [], _) => "unsigned",
        ([], ..) | (_, [], _) => "missing_header",
        ([signature], [timestamp], _) => {
            let text = |bytes| str::from_utf8(bytes).unwrap_or("not text");
            let (signature, timestamp) = (text(signature), text(timestamp));
            if signature.len() != 64 || !signature.chars().all(|digit| digit.is_ascii_hexdigit()) {
                "malformed_signature"
            } else if !(1..=20).contains(&timestamp.len())
                || !timestamp.chars().all(|digit| digit.is_ascii_digit())
                || timestamp.parse::<u128>().is_ok_and(|millis| millis > u128::from(u64::MAX))
            {
                "malformed_timestamp"
            } else {
                "accepted"
            }
        }
    }
}
