//! Tests of `allowed_outbound_hosts`.

use super::*;
use std::sync::Arc;

fn allowed(entry: &str, url: &str) -> bool {
    let defaults = BTreeMap::from([
        (
            "events_host".to_owned(),
            Some("https://events.example:8443".to_owned()),
        ),
        ("empty".to_owned(), Some(String::new())),
    ]);
    let hosts = AllowedHosts::parse(&[entry.to_owned()], &defaults).unwrap();
    let variables = Variables {
        component: "test".to_owned(),
        templates: BTreeMap::new(),
        defaults: Arc::new(defaults),
    };
    let components = BTreeSet::from(["publish-events".to_owned()]);
    match url {
        "self" => hosts.allow_own_application(&variables),
        url => hosts.allow(url, "https", &variables, &components),
    }
}

fn refused(entry: &str) -> String {
    let error = AllowedHosts::parse(&[entry.to_owned()], &BTreeMap::new());
    format!("{:#}", error.err().expect("must be refused"))
}

#[test]
fn an_entry_allows_its_scheme_host_and_port_alone() {
    for (entry, allows, denies) in [
        (
            "https://example.com",
            &[
                "https://example.com/a?b=c",
                "https://example.com:443",
                "example.com",
            ][..],
            &[
                "http://example.com",
                "https://example.com:444",
                "https://www.example.com",
            ][..],
        ),
        (
            "http://127.0.0.1:*",
            &["http://127.0.0.1:9", "http://127.0.0.1"],
            &["http://127.0.0.2:9"],
        ),
        ("http://[::1]:80", &["http://[::1]/"], &["http://[::2]/"]),
        (
            "*://*:*",
            &["redis://x", "http://publish-events.spin.internal", "self"],
            &[],
        ),
        (
            "redis://localhost:6379/",
            &["redis://localhost", "redis://user:p#ss@localhost:6379/0"],
            &["redis://localhost:6380", "rediss://localhost:6379"],
        ),
        (
            "https://*.example.com",
            &["https://a.b.example.com"],
            &["https://example.com"],
        ),
        ("http://x:80..82", &["http://x:81"], &["http://x:82"]),
        ("http://self", &["self"], &["http://self", "http://localhost"]),
        ("https://example.com", &[], &["self"]),
    ] {
        for url in allows {
            assert!(allowed(entry, url), "{entry}: {url}");
        }
        for url in denies {
            assert!(!allowed(entry, url), "{entry}: {url}");
        }
    }
}

#[test]
fn chaining_reaches_the_named_component_or_those_of_the_application() {
    let publisher = "http://publish-events.spin.internal";
    assert!(allowed(
        publisher,
        "http://publish-events.spin.internal/events/publish/jane"
    ));
    assert!(!allowed(publisher, "http://get-user.spin.internal/"));
    assert!(allowed("http://*.spin.internal", publisher));
    assert!(!allowed("http://*.spin.internal", "http://nobody.spin.internal"));
    assert_eq!(
        chained_component("publish-events.spin.internal:80"),
        Some("publish-events")
    );
    assert_eq!(chained_component("a.b.spin.internal"), None);
    assert_eq!(chained_component("spin.internal"), None);
}

#[test]
fn variables_are_filled_in() {
    assert!(allowed("{{ events_host }}", "https://events.example:8443/hook"));
    assert!(!allowed("{{ events_host }}", "https://events.example/hook"));
    assert!(!allowed("{{ empty }}", "https://events.example:8443/hook"));
    assert!(!allowed("https://{{ empty }}", "https://events.example"));
}

#[test]
fn what_spin_refuses_is_refused_by_name() {
    for (entry, expected) in [
        ("example.com", "has no scheme"),
        ("*", "has no scheme"),
        ("https://example.com/path", "must not have a path"),
        ("https://example.com:443/path", "must not have a path"),
        ("https://example.com?query", "cannot be used"),
        ("https://*.*.com", "must be followed by a domain"),
        ("https://a*.com", "may only stand for all subdomains"),
        ("ftp://example.com", "needs a port"),
        ("https://example.com:x", "is not a number"),
        ("ht-tp://example.com:1", "may only have letters"),
        ("https://10.0.0.0/8", "not supported by the embedded host"),
        ("{{ nothing }}", "there is no variable `nothing`"),
    ] {
        let message = refused(entry);
        assert!(message.contains(entry), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}
