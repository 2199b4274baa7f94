//! Each function in a process of its own does its part, and together they do what one process does.

use harness::{App, Manifest, Nginx, Reply, without};
use http::Method;

use crate::service::{Service, Store, TOKEN};

/// One request to a host or to the proxy before hosts.
async fn ask(app: &App, address: &str, method: &Method, path: &str, body: &'static str) -> Reply {
    let request = app
        .client()
        .request(method.clone(), format!("http://{address}{path}"))
        .bearer_auth(TOKEN)
        .header("content-type", "application/json")
        .body(body);
    app.send(request).await
}

#[tokio::test]
async fn a_process_has_the_routes_of_its_function_alone() {
    let store = Store::sqlite();
    let routes = [
        ("create-user", "/user", "POST, OPTIONS"),
        ("get-user", "/user/jane", "GET, HEAD, OPTIONS"),
        ("promote-user", "/user/promote/jane", "PUT, OPTIONS"),
        ("award-points", "/user/points/jane", "POST, OPTIONS"),
    ];
    for (function, _, _) in routes {
        let host = store.host(&Manifest::apart(function)).start().await;
        for (owner, path, allowed) in routes {
            let reply = host.send(host.request(Method::OPTIONS, path)).await;
            if owner == function {
                assert_eq!(reply.status, 204, "{reply}");
                assert_eq!(reply.header("allow"), allowed);
            } else {
                // It comes from the host: a function would say more.
                assert_eq!(reply.status, 404, "{function} {path}: {reply}");
                assert!(reply.headers.get("allow").is_none(), "{function} {path}: {reply}");
            }
        }
        host.stop();
    }
}

#[tokio::test]
async fn behind_the_proxy_they_answer_as_one_process_does() {
    if without("nginx") {
        return;
    }
    let store = Store::sqlite();
    let together = store.host(&Manifest::shipped()).start().await;
    let apart = Service::on(&store).await;
    let proxy = Nginx::start(|address| apart.proxy_config(address)).await;
    let behind = proxy.address();
    let jane = r#"{"username":"jane","points":60}"#;
    ask(&together, together.address(), &Method::POST, "/user", jane)
        .await
        .exactly(201, jane);

    let mut bodies = 0;
    for path in [
        "/",
        "/user",
        "/user/",
        "/user?x=1",
        "/user/jane",
        "/user/JANE?x=1",
        "/user/%6aane",
        "/user/jane/",
        "/user/nobody",
        "/user/promote",
        "/user/promote/",
        "/user/points",
        "/user/promote/jane",
        "/user/points/jane",
        "/user/promote/nobody",
        "/user/points/nobody",
        "/user/promote/jane/",
        "/user/promote/jane/x",
        "/users",
        "/nothing",
    ] {
        for method in [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
        ] {
            let [one, other] = [together.address(), &behind]
                .map(|address| ask(&together, address, &method, path, r#"{"points":0}"#));
            let (one, other) = (one.await, other.await);
            let what = format!("{method} {path}: {one}; behind the proxy {other}");
            assert_eq!(one.status, other.status, "{what}");
            assert_eq!(one.body, other.body, "{what}");
            for name in ["content-type", "allow", "etag", "location"] {
                assert_eq!(one.headers.get(name), other.headers.get(name), "{what}");
            }
            bodies += usize::from(!one.body.is_empty());
        }
    }
    assert!(bodies > 50, "{bodies}");
}
