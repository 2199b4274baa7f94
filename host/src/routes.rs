//! Finds the trigger for a path by Spin's rules, with the router that Spin uses.

use anyhow::{Result, anyhow};

/// The prefix of paths that the host itself answers.
pub(crate) const WELL_KNOWN: &str = "/.well-known/spin/";

/// The routes of an application, each with its target.
pub(crate) struct Router<T> {
    inner: routefinder::Router<Route<T>>,
}

struct Route<T> {
    /// As written in the manifest.
    raw: String,
    /// With a slash at the start and none at the end.
    absolute: String,
    target: T,
}

/// What the headers of a request tell about its route.
pub(crate) struct RouteDescription<'a> {
    /// What a wildcard matched, with the slashes around it.
    pub(crate) wildcard: String,
    /// The route with a slash at its start.
    pub(crate) absolute: &'a str,
    /// The route as written in the manifest.
    pub(crate) raw: &'a str,
    /// The segments that `:name` parts matched.
    pub(crate) named: Vec<(&'a str, &'a str)>,
}

/// A path that found its route.
pub(crate) struct RouteMatch<'r, 'p, T> {
    route: &'r Route<T>,
    captures: routefinder::Captures<'r, 'p>,
    path: &'p str,
}

impl<T> Router<T> {
    pub(crate) fn new(routes: impl IntoIterator<Item = (String, T)>) -> Result<Self> {
        let mut inner = routefinder::Router::new();
        for (raw, target) in routes {
            let absolute = if raw.starts_with('/') {
                raw.clone()
            } else {
                format!("/{raw}")
            };
            let absolute = absolute.strip_suffix('/').unwrap_or(&absolute).to_owned();
            let pattern = match absolute.strip_suffix("/...") {
                Some(prefix) => format!("{prefix}/*"),
                None => absolute.clone(),
            };
            let spec: routefinder::RouteSpec = pattern
                .parse()
                .map_err(|reason| anyhow!("route {raw:?}: {reason}"))?;
            inner.add(
                spec,
                Route {
                    raw,
                    absolute,
                    target,
                },
            )?;
        }
        Ok(Self { inner })
    }

    /// Returns the best match for `path`: exact segments before named ones, and wildcards last.
    pub(crate) fn find<'r, 'p>(&'r self, path: &'p str) -> Option<RouteMatch<'r, 'p, T>> {
        let found = self.inner.best_match(path)?;
        Some(RouteMatch {
            route: found.handler(),
            captures: found.captures(),
            path,
        })
    }

    /// Returns each route, as Spin lists it at start, with its target.
    pub(crate) fn list(&self) -> impl Iterator<Item = (String, &T)> {
        self.inner.iter().map(|(_, route)| {
            let pattern = &route.absolute;
            let shown = match pattern.strip_suffix("/...").or(pattern.strip_suffix("/*")) {
                Some(prefix) => format!("{prefix} (wildcard)"),
                None => pattern.clone(),
            };
            (shown, &route.target)
        })
    }
}

impl<T> RouteMatch<'_, '_, T> {
    pub(crate) fn target(&self) -> &T {
        &self.route.target
    }

    /// What a function is told about the match.
    pub(crate) fn describe(&self) -> RouteDescription<'_> {
        RouteDescription {
            wildcard: self.wildcard(),
            absolute: &self.route.absolute,
            raw: &self.route.raw,
            named: self.captures.iter().collect(),
        }
    }

    /// What a wildcard matched, with the slashes that the router strips.
    fn wildcard(&self) -> String {
        let Some(matched) = self.captures.wildcard() else {
            return String::new();
        };
        let start = if matched.is_empty() { "" } else { "/" };
        let end = if self.path.ends_with('/') { "/" } else { "" };
        format!("{start}{matched}{end}")
    }
}

impl<'a> RouteDescription<'a> {
    /// Describes a request from another component, which has no route.
    pub(crate) fn chained(path: &str) -> Self {
        Self {
            wildcard: path.to_owned(),
            absolute: "/...",
            raw: "/...",
            named: Vec::new(),
        }
    }

    /// The route as written in the manifest, without a wildcard at its end.
    pub(crate) fn raw_prefix(&self) -> &'a str {
        self.raw.strip_suffix("/...").unwrap_or(self.raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> Router<&'static str> {
        let routes = [
            "/user",
            "/user/:username",
            "/user/promote/:username",
            "/...",
            "/static/...",
        ];
        Router::new(routes.map(|route| (route.to_owned(), route))).unwrap()
    }

    #[test]
    fn the_most_specific_route_wins() {
        let router = router();
        for (path, expected) in [
            ("/user", "/user"),
            ("/user/", "/user"),
            ("/user/johndoe", "/user/:username"),
            ("/user/promote", "/user/:username"),
            ("/user/promote/johndoe", "/user/promote/:username"),
            ("/user/a/b", "/..."),
            ("/", "/..."),
            ("/static/x", "/static/..."),
        ] {
            assert_eq!(*router.find(path).unwrap().target(), expected, "{path}");
        }
    }

    #[test]
    fn named_parts_and_wildcards_are_captured() {
        let router = router();
        let found = router.find("/user/john%20doe").unwrap();
        assert_eq!(found.describe().named, [("username", "john%20doe")]);
        assert_eq!(found.wildcard(), "");
        for (path, expected) in [
            ("/static", ""),
            ("/static/", "/"),
            ("/static/a", "/a"),
            ("/static/a/b/", "/a/b/"),
        ] {
            assert_eq!(router.find(path).unwrap().wildcard(), expected, "{path}");
        }
        assert_eq!(
            router.find("/static/a").unwrap().describe().raw_prefix(),
            "/static"
        );
    }

    #[test]
    fn without_a_wildcard_some_paths_match_nothing() {
        let router = Router::new([("/user".to_owned(), ())]).unwrap();
        assert!(router.find("/other").is_none());
    }
}
