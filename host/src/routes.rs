//! Which trigger answers a path: Spin's rules, on Spin's router.

use anyhow::{Result, anyhow};

/// Paths under it belong to the host.
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

    /// The best match for `path`: exact before named before wildcard.
    pub(crate) fn find<'r, 'p>(&'r self, path: &'p str) -> Option<RouteMatch<'r, 'p, T>> {
        let found = self.inner.best_match(path)?;
        Some(RouteMatch {
            route: found.handler(),
            captures: found.captures(),
            path,
        })
    }

    /// Each route as Spin lists it at start, and its target.
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

    /// The route as written in the manifest.
    pub(crate) fn raw(&self) -> &str {
        &self.route.raw
    }

    pub(crate) fn absolute(&self) -> &str {
        &self.route.absolute
    }

    /// The route as written in the manifest, without a wildcard at its end.
    pub(crate) fn raw_prefix(&self) -> &str {
        self.route.raw.strip_suffix("/...").unwrap_or(&self.route.raw)
    }

    /// The segments that `:name` parts matched.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        self.captures.iter()
    }

    /// What a wildcard matched, with the slashes around it that the router leaves out.
    pub(crate) fn wildcard(&self) -> String {
        let Some(matched) = self.captures.wildcard() else {
            return String::new();
        };
        let start = if matched.is_empty() { "" } else { "/" };
        let end = if self.path.ends_with('/') { "/" } else { "" };
        format!("{start}{matched}{end}")
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
        assert_eq!(found.named().collect::<Vec<_>>(), [("username", "john%20doe")]);
        assert_eq!(found.wildcard(), "");
        for (path, expected) in [
            ("/static", ""),
            ("/static/", "/"),
            ("/static/a", "/a"),
            ("/static/a/b/", "/a/b/"),
        ] {
            assert_eq!(router.find(path).unwrap().wildcard(), expected, "{path}");
        }
        assert_eq!(router.find("/static/a").unwrap().raw_prefix(), "/static");
    }

    #[test]
    fn without_a_wildcard_some_paths_match_nothing() {
        let router = Router::new([("/user".to_owned(), ())]).unwrap();
        assert!(router.find("/other").is_none());
    }
}
