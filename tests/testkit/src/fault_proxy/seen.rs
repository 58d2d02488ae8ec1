//! What the proxy saw: every request, named by what it does.

use bytes::Bytes;
use http::{Method, request};
use jiff::Timestamp;

/// What a request does, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A write of an object: create, update, patch, delete; finalizers too.
    ObjectWrite,
    /// A write of an object's status.
    StatusWrite,
    /// An event written.
    Event,
    /// A lease read or written: leader election.
    Lease,
    /// A get or list.
    Read,
    /// A watch opened.
    Watch,
    /// A question written as an object: access and token reviews, token requests.
    Review,
    /// A call of AWS that changes something there: Start, Delete, Create, Tag and the like.
    AwsWrite,
    /// A call of AWS that only reads: Get, List, Describe.
    AwsRead,
}

/// One request that came to the proxy.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Counted from 1 in order of arrival, over all requests of the proxy.
    pub n: usize,
    /// The method.
    pub method: Method,
    /// The path without the query.
    pub path: String,
    /// The query, empty if there is none.
    pub query: String,
    /// The AWS operation (`StartTranscriptionJob`), for a call of AWS.
    pub operation: Option<String>,
    /// What it does.
    pub class: Class,
    /// The body as it came.
    pub body: Bytes,
    /// When it came.
    pub time: Timestamp,
    /// The status of the answer from upstream; `None` if it was not sent there, or not answered yet.
    pub upstream: Option<u16>,
    /// The fault that was applied to it.
    pub fault: Option<&'static str>,
}

impl Seen {
    pub(super) fn new(head: &request::Parts, body: &Bytes) -> Self {
        let operation = operation(head, body);
        let query = head.uri.query().unwrap_or_default().to_owned();
        let class = match &operation {
            Some(operation) => aws_class(operation),
            None => kubernetes_class(&head.method, head.uri.path(), &query),
        };
        Self {
            n: 0,
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            query,
            operation,
            class,
            body: body.clone(),
            time: Timestamp::now(),
            upstream: None,
            fault: None,
        }
    }

    /// The name of the object that the path ends in, or of the one whose subresource it is; `None` for collections.
    pub fn object(&self) -> Option<&str> {
        let (_, after) = split_resource(&self.path)?;
        after.first().copied()
    }

    /// The plural name of the resource: `transcriptionjobs`, `leases`.
    pub fn resource(&self) -> Option<&str> {
        split_resource(&self.path).map(|(resource, _)| resource)
    }
}

/// The operation is the end of `X-Amz-Target`; the query protocol of STS has it in the form.
fn operation(head: &request::Parts, body: &Bytes) -> Option<String> {
    if let Some(target) = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
        return target.rsplit('.').next().map(str::to_owned);
    }
    let form = std::str::from_utf8(body).ok().filter(|_| head.method == Method::POST)?;
    form.split('&')
        .find_map(|pair| pair.strip_prefix("Action="))
        .map(str::to_owned)
}

fn aws_class(operation: &str) -> Class {
    let reads = ["Get", "List", "Describe", "Assume"]
        .iter()
        .any(|verb| operation.starts_with(verb));
    if reads { Class::AwsRead } else { Class::AwsWrite }
}

fn kubernetes_class(method: &Method, path: &str, query: &str) -> Class {
    let (resource, after) = split_resource(path).unwrap_or_default();
    let subresource = after.get(1).copied().unwrap_or_default();
    if resource == "leases" {
        return Class::Lease;
    }
    if *method == Method::GET {
        let watch = query.split('&').any(|pair| pair == "watch=true" || pair == "watch=1");
        return if watch { Class::Watch } else { Class::Read };
    }
    match (resource, subresource) {
        ("events", _) => Class::Event,
        (_, "status") => Class::StatusWrite,
        (_, "token") => Class::Review,
        (review, _) if review.ends_with("reviews") => Class::Review,
        _ => Class::ObjectWrite,
    }
}

/// The resource of an API path and what follows it: name and subresource.
fn split_resource(path: &str) -> Option<(&str, Vec<&str>)> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let after_version = match *parts.first()? {
        "api" => parts.get(2..)?,
        "apis" => parts.get(3..)?,
        _ => return None,
    };
    // /namespaces/NAME is a namespace itself unless a resource follows that is not one of its own subresources.
    let own = |part: Option<&&str>| matches!(part, None | Some(&("status" | "finalize")));
    let resource = match after_version {
        ["namespaces", _, rest @ ..] if !own(rest.first()) => rest,
        all => all,
    };
    let (name, after) = resource.split_first()?;
    Some((name, after.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(method: Method, uri: &str, target: Option<&str>, body: &'static str) -> Seen {
        let mut request = http::Request::builder().method(method).uri(uri);
        if let Some(target) = target {
            request = request.header("x-amz-target", target);
        }
        Seen::new(
            &request.body(()).unwrap().into_parts().0,
            &Bytes::from_static(body.as_bytes()),
        )
    }

    #[test]
    fn kubernetes_requests_are_named_by_what_they_do() {
        let jobs = "/apis/transcribe-operator.io/v1alpha1/namespaces/a/transcriptionjobs";
        for (method, uri, class, object) in [
            (Method::GET, format!("{jobs}?limit=500"), Class::Read, None),
            (
                Method::GET,
                format!("{jobs}?watch=true&resourceVersion=1"),
                Class::Watch,
                None,
            ),
            (Method::GET, format!("{jobs}/one"), Class::Read, Some("one")),
            (Method::POST, jobs.to_owned(), Class::ObjectWrite, None),
            (Method::PATCH, format!("{jobs}/one"), Class::ObjectWrite, Some("one")),
            (
                Method::PUT,
                format!("{jobs}/one/status"),
                Class::StatusWrite,
                Some("one"),
            ),
            (
                Method::POST,
                "/apis/events.k8s.io/v1/namespaces/a/events".to_owned(),
                Class::Event,
                None,
            ),
            (
                Method::PUT,
                "/apis/coordination.k8s.io/v1/namespaces/a/leases/l".to_owned(),
                Class::Lease,
                Some("l"),
            ),
            (Method::GET, "/api/v1/namespaces/a".to_owned(), Class::Read, Some("a")),
            (
                Method::POST,
                "/apis/authentication.k8s.io/v1/tokenreviews".to_owned(),
                Class::Review,
                None,
            ),
            (
                Method::POST,
                "/api/v1/namespaces/a/serviceaccounts/s/token".to_owned(),
                Class::Review,
                Some("s"),
            ),
            (Method::GET, "/version".to_owned(), Class::Read, None),
        ] {
            let seen = seen(method, &uri, None, "");
            assert_eq!((seen.class, seen.object()), (class, object), "{uri}");
        }
    }

    #[test]
    fn aws_calls_are_named_by_their_operation() {
        let start = seen(Method::POST, "/", Some("Transcribe.StartTranscriptionJob"), "{}");
        assert_eq!(
            (start.operation.as_deref(), start.class),
            (Some("StartTranscriptionJob"), Class::AwsWrite)
        );
        let get = seen(Method::POST, "/", Some("Transcribe.GetTranscriptionJob"), "{}");
        assert_eq!(get.class, Class::AwsRead);
        let who = seen(Method::POST, "/", None, "Version=2011-06-15&Action=GetCallerIdentity");
        assert_eq!(
            (who.operation.as_deref(), who.class),
            (Some("GetCallerIdentity"), Class::AwsRead)
        );
    }
}
