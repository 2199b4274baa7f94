//! Each function works in a process of its own, and together they answer as a single process does.

use harness::{App, Manifest, Nginx, Reply, read_to_end, without};
use http::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::service::{Service, Store, TOKEN};

/// One request to a host or to the proxy in front of hosts.
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
        ("update-user", "/user/update/jane", "PATCH, OPTIONS"),
        ("erase-user", "/user/erase/jane", "DELETE, OPTIONS"),
        ("get-history", "/user/history/jane", "GET, HEAD, OPTIONS"),
        ("list-users", "/users", "GET, HEAD, OPTIONS"),
        ("publish-events", "/events/publish", "POST, OPTIONS"),
        ("console", "/console/", "GET, HEAD, OPTIONS"),
    ];
    for (function, _, _) in routes {
        let host = store.host(&Manifest::apart(function)).start().await;
        for (owner, path, allowed) in routes {
            let reply = host.send(host.request(Method::OPTIONS, path)).await;
            if owner == function {
                assert_eq!(reply.status, 204, "{reply}");
                assert_eq!(reply.header("allow"), allowed);
            } else {
                // This answer comes from the host: a function's would have more members.
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
        "/user/update/jane",
        "/user/update/jane/",
        "/user/update/nobody",
        "/user/history",
        "/user/history/jane",
        "/user/history/jane?limit=1",
        "/user/history/jane?limit=0",
        "/user/history/nobody",
        "/user/erase/nobody",
        "/user/erase/jane/x",
        "/users",
        "/users/",
        "/users?limit=0",
        "/users?status=Gold",
        "/users/jane",
        "/nothing",
    ] {
        for method in [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
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

/// The status and the body of the answer to a request whose path no client library would send.
async fn ask_for(address: &str, method: &Method, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{method} {path}: {answer}"));
    (head[9..12].to_owned(), body.to_owned())
}

#[tokio::test]
async fn behind_the_proxy_an_odd_path_is_answered_by_the_same_problem() {
    if without("nginx") {
        return;
    }
    let store = Store::sqlite();
    let together = store.host(&Manifest::shipped()).start().await;
    let apart = Service::on(&store).await;
    let proxy = Nginx::start(|address| apart.proxy_config(address)).await;
    let behind = proxy.address();

    for path in [
        "/user/promote%2Fx",
        "/user/promote%2fjane",
        "/user/points%2Fx",
        "/user%2Fjane",
        "/us%65r/jane",
        "/user/%2e%2e/x",
        "/user/promote/x%2Fy",
        "/user/promote/%2e%2e",
        "/user/points/%2F",
        "/user/history%2Fjane",
        "/user/erase/x%2Fy",
        "/user/update%2fx",
        "/us%65rs",
        "/users%2Fx",
        "/user/.",
        "/user/..",
        "/user/../x",
        "/user/./jane",
        "/user/jane/../../x",
        "/user/promote/jane/x",
        "/user/[x]",
        "/user/jane;x",
        "/user/jane?x=//y",
        "/user/?x=/y",
        "/USER/jane",
        "/no-such-route",
        "/paused",
    ] {
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE] {
            let one = ask_for(together.address(), &method, path).await;
            let other = ask_for(&behind, &method, path).await;
            assert_eq!(one, other, "{method} {path}");
            assert!(
                other.1.starts_with(r#"{"type":"urn:problem:"#),
                "{method} {path}: {other:?}"
            );
        }
    }

    // Paths that nginx cannot parse, paths with more slashes than a route, and paths that belong to the host.
    for path in [
        "/user/%zz",
        "/user/%00",
        "/user/../../x",
        "user/jane",
        "/user/a b",
        "//user/jane",
        "/user//jane",
        "/user/promote//jane",
        "/user/jane//",
        "/.well-known/spin/info",
    ] {
        for method in [Method::GET, Method::PUT] {
            let (status, body) = ask_for(&behind, &method, path).await;
            assert_eq!(status, "404", "{method} {path}: {body}");
            assert!(
                body.starts_with(r#"{"type":"urn:problem:no-such-route","#),
                "{method} {path}: {body}"
            );
        }
    }
}

#[tokio::test]
async fn the_proxy_refuses_what_two_servers_could_read_differently() {
    if without("nginx") {
        return;
    }
    let store = Store::sqlite();
    let service = Service::on(&store).await;
    let proxy = Nginx::start(|address| service.proxy_config(address)).await;
    let authorized = format!("authorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n");
    let smuggled = "POST /user HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n";
    for (request, what) in [
        (
            format!(
                "POST /user HTTP/1.1\r\nhost: localhost\r\n{authorized}content-length: 5\r\ntransfer-encoding: \
                 chunked\r\n\r\n0\r\n\r\n{smuggled}{authorized}\r\n{{\"username\":\"eve\"}}\n"
            ),
            "two lengths",
        ),
        (format!("GET /user/jane HTTP/1.1\r\n{authorized}\r\n"), "no host"),
        (
            format!("GET /user/jane HTTP/1.1\r\nhost: one\r\nhost: other\r\n{authorized}\r\n"),
            "two hosts",
        ),
    ] {
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        // The connection is closed, so nothing after that can be mistaken for a request.
        let answer = read_to_end(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{what}: {answer}");
        assert!(answer.contains("application/problem+json"), "{what}: {answer}");
        assert!(answer.contains("Cache-Control: no-store"), "{what}: {answer}");
    }
    let [create, ..] = service.hosts("create-user")[..] else {
        panic!("create-user has a host");
    };
    assert_eq!(proxy.answered_by(create.address()), 0);
}
