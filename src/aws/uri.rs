//! Converts the URIs of results, as Amazon Transcribe gives them, to `s3://`.

/// The `s3://` form of an https URI of an object in S3. `None` for a pre-signed URI, because it is a credential and
/// expires, and for anything that is not an S3 URI.
pub(super) fn s3(uri: &str) -> Option<String> {
    if uri.contains('?') {
        return None;
    }
    if uri.starts_with("s3://") {
        return Some(uri.to_owned());
    }
    let (host, path) = uri.strip_prefix("https://")?.split_once('/')?;
    if host.starts_with("s3.") || host.starts_with("s3-") {
        return Some(format!("s3://{path}"));
    }
    let at = host.find(".s3.").or_else(|| host.find(".s3-"))?;
    Some(format!("s3://{}/{path}", &host[..at]))
}

#[cfg(test)]
mod tests {
    use super::s3;

    #[test]
    fn both_styles_become_s3_uris_and_presigned_ones_nothing() {
        for (uri, expected) in [
            (
                "https://s3.eu-west-1.amazonaws.com/bucket/a/b.json",
                Some("s3://bucket/a/b.json"),
            ),
            (
                "https://s3-us-west-2.amazonaws.com/bucket/b.json",
                Some("s3://bucket/b.json"),
            ),
            (
                "https://my.bucket.s3.cn-north-1.amazonaws.com.cn/b.json",
                Some("s3://my.bucket/b.json"),
            ),
            ("s3://bucket/b.json", Some("s3://bucket/b.json")),
            (
                "https://s3.eu-west-1.amazonaws.com/aws-transcribe/x.json?X-Amz-Signature=abc",
                None,
            ),
            ("https://example.com/x", None),
            ("", None),
        ] {
            assert_eq!(s3(uri).as_deref(), expected, "{uri}");
        }
    }
}
