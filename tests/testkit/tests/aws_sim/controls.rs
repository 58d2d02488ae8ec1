//! The controls of identity over HTTP, as the program has them.

use super::identity::{OPERATOR, ROLE, may};
use super::*;

/// A request to the controls: the status and the answer.
async fn control(sim: &AwsSim, method: &str, path: &str, body: Value) -> (u16, Value) {
    let request = http::Request::builder()
        .method(method)
        .uri(format!("{}/_sim{path}", sim.url()))
        .header("content-type", "application/json");
    let body = Full::new(bytes::Bytes::from(body.to_string()));
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let answer = client.request(request.body(body).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn users_roles_sessions_and_buckets_are_controlled_over_http() {
    let sim = sim().await;
    let ask = async |method: &str, path: &str, body: Value| control(&sim, method, path, body).await;
    let one = |path: &str| format!("{path}/{ROLE}");
    let role = json!({"arn": ROLE, "policies": [may(&["sts:*"])], "max_session_seconds": 7200});
    assert_eq!(ask("POST", "/roles", role).await.1["role"], ROLE);
    let longer = json!({"arn": ROLE, "max_session_seconds": 900});
    assert_eq!(ask("POST", "/roles", longer).await.0, 200);
    let kept = &ask("GET", "/roles", json!({})).await.1[0];
    assert_eq!(
        kept["policies"],
        json!([may(&["sts:*"])]),
        "a member that is not given stays"
    );
    for bad in [
        json!({"arn": "arn:aws:iam::1:role/a"}),
        json!({"arn": ROLE, "colour": "red"}),
        json!({"arn": ROLE, "policies": [{"Statement": [{"Effect": "Allow"}]}]}),
    ] {
        assert_eq!(ask("POST", "/roles", bad.clone()).await.0, 400, "{bad}");
    }

    let session = ask("POST", "/sessions", json!({"role": ROLE, "name": "pod"})).await.1;
    assert!(
        session["SessionToken"].is_string() && session["Expiration"].is_string(),
        "{session}"
    );
    let of_role = json!({ "role": ROLE });
    assert_eq!(
        ask("POST", "/sessions/revoke", of_role.clone()).await.1["revoked"],
        true
    );
    assert_eq!(ask("POST", "/sessions/expire", of_role.clone()).await.1["expired"], 1);
    assert_eq!(ask("DELETE", &one("/roles"), json!({})).await.1["removed"], true);
    assert_eq!(ask("POST", "/sessions", of_role.clone()).await.0, 400);
    assert_eq!(ask("POST", "/sessions/revoke", of_role).await.1["revoked"], false);

    let user = json!({"arn": OPERATOR, "access_keys": ["AKIAONE"]});
    assert_eq!(ask("POST", "/users", user.clone()).await.0, 200);
    let thief = json!({"arn": "arn:aws:iam::111122223333:user/thief", "access_keys": ["AKIAONE"]});
    assert_eq!(ask("POST", "/users", thief).await.0, 400, "a key is one user's");
    assert_eq!(
        ask("GET", "/users", json!({})).await.1[0]["access_keys"],
        user["access_keys"]
    );
    let path = format!("/users/{OPERATOR}");
    assert_eq!(ask("DELETE", &path, json!({})).await.1["removed"], true);

    let bucket = json!({"name": "media", "account": "444455556666"});
    assert_eq!(ask("POST", "/buckets", bucket).await.1["bucket"], "media");
    assert_eq!(
        ask("POST", "/buckets", json!({"name": "media", "account": "4"}))
            .await
            .0,
        400
    );
    assert_eq!(ask("GET", "/buckets", json!({})).await.1[0]["account"], "444455556666");
    assert_eq!(ask("DELETE", "/buckets/media", json!({})).await.1["removed"], true);
    call(&sim, GET, json!({"TranscriptionJobName": "none"})).await;
    let trail = ask("GET", "/trail", json!({})).await.1;
    assert_eq!(trail[0]["principal"], "arn:aws:iam::111122223333:user/AKIDEXAMPLE");
    assert_eq!(
        (&trail[0]["operation"], &trail[0]["outcome"]),
        (&json!(GET), &json!("BadRequestException"))
    );
}
