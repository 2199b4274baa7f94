//! The files of the console over HTTP, with the console deployed by itself.

use std::io::Read;

use flate2::read::GzDecoder;
use harness::{App, Manifest, Reply, root};
use http::Method;

/// The console by itself, with no store and no other function.
async fn console() -> App {
    App::builder().manifest(&Manifest::apart("console")).start().await
}

async fn get(app: &App, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = app.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request).await
}

fn file(path: &str) -> Vec<u8> {
    std::fs::read(root().join(path)).unwrap()
}

const FILES: [(&str, &str, &str); 6] = [
    ("/console/", "console/page/index.html", "text/html; charset=utf-8"),
    (
        "/console/app.js",
        "console/page/app.js",
        "text/javascript; charset=utf-8",
    ),
    (
        "/console/style.css",
        "console/page/style.css",
        "text/css; charset=utf-8",
    ),
    (
        "/console/reference",
        "console/page/reference.html",
        "text/html; charset=utf-8",
    ),
    ("/console/openapi.yaml", "docs/openapi.yaml", "application/yaml"),
    (
        "/console/openapi-explorer-2.4.820.min.js",
        "console/vendor/openapi-explorer-2.4.820.min.js",
        "text/javascript; charset=utf-8",
    ),
];

#[tokio::test]
async fn every_file_is_served_whole_with_and_without_compression() {
    let app = console().await;
    for (path, source, media_type) in FILES {
        let plain = get(&app, path, &[]).await;
        assert_eq!(plain.status, 200, "{path}");
        assert_eq!(plain.header("content-type"), media_type);
        assert!(!plain.headers.contains_key("content-encoding"), "{path}");
        assert!(plain.body == file(source), "{path} is not {source}");

        let packed = get(&app, path, &[("accept-encoding", "gzip, deflate")]).await;
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert_eq!(packed.header("vary"), "Accept-Encoding");
        let mut content = Vec::new();
        GzDecoder::new(&packed.body[..])
            .read_to_end(&mut content)
            .unwrap();
        assert!(content == file(source), "{path} is not {source}");
        assert_ne!(packed.header("etag"), plain.header("etag"));
    }
    app.stop();
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let app = console().await;
    for (path, ..) in FILES {
        for coding in ["gzip", "identity"] {
            let first = get(&app, path, &[("accept-encoding", coding)]).await;
            let tag = first.header("etag");
            let headers = [("accept-encoding", coding), ("if-none-match", tag)];
            let again = get(&app, path, &headers).await;
            assert_eq!(again.status, 304, "{path}");
            for name in ["etag", "cache-control", "vary"] {
                assert_eq!(again.header(name), first.header(name), "{path}");
            }
            let other = [("accept-encoding", coding), ("if-none-match", "\"other\"")];
            assert_eq!(get(&app, path, &other).await.status, 200);
        }
        // A file with a version in its name never changes; all others may change with the next release.
        let caching = get(&app, path, &[]).await.header("cache-control").to_owned();
        let immutable = path.contains("2.4.820");
        assert_eq!(caching.contains("immutable"), immutable, "{path}: {caching}");
        assert_eq!(caching == "no-cache", !immutable, "{path}: {caching}");
    }
    app.stop();
}

#[tokio::test]
async fn the_policy_allows_no_script_but_the_consoles_own() {
    let app = console().await;
    for (path, ..) in FILES {
        let reply = get(&app, path, &[]).await;
        let policy = reply.header("content-security-policy");
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(
                policy.split("; ").any(|found| found == directive),
                "{path}: {policy}"
            );
        }
        assert!(!policy.contains("unsafe-eval"));
        let inline = policy.contains("unsafe-inline");
        assert_eq!(inline, path == "/console/reference", "{path}: {policy}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
    }
    app.stop();
}

#[tokio::test]
async fn the_console_needs_no_token_and_has_no_other_address() {
    let app = App::builder().manifest(&Manifest::apart("console")).start().await;
    let proxied = [("x-forwarded-for", "192.0.2.1")];
    assert_eq!(get(&app, "/console/", &proxied).await.status, 200);
    for (from, to) in [
        ("/console", "/console/"),
        ("/console/reference/", "/console/reference"),
    ] {
        let reply = get(&app, from, &[]).await;
        assert_eq!(reply.status, 308, "{from}");
        assert_eq!(reply.header("location"), to);
    }
    for path in [
        "/console/nothing",
        "/console/index.html",
        "/console/page/app.js",
        "/console/LICENSE",
        "/console//",
        "//console",
        "//console/app.js",
    ] {
        get(&app, path, &[]).await.problem(404, "no-such-route");
    }
    let head = app.send(app.request(Method::HEAD, "/console/app.js")).await;
    assert_eq!(head.status, 200);
    let post = app.send(app.request(Method::POST, "/console/")).await;
    assert_eq!(post.method_not_allowed(), ["GET", "HEAD", "OPTIONS"]);
    app.stop();
}
