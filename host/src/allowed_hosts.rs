//! `allowed_outbound_hosts`: the hosts to which a component may connect, by Spin's rules.
//!
//! An entry is `scheme://host:port`. Any of the three may be `*`, the host may be `*.domain`, `self` or
//! `<component>.spin.internal`, and the port may be left out where the scheme implies one.

use crate::variables::{Template, Variables};
use anyhow::{Context, Error, Result, bail, ensure};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};
use url::{Host, Url};

/// The domain under which the components of an application reach each other.
const CHAINING_DOMAIN: &str = "spin.internal";
/// The host under which a component reaches its own application.
pub(crate) const SELF_HOST: &str = "self.alt";

/// The entries of one component, before variables are substituted.
#[derive(Default)]
pub(crate) struct AllowedHosts(Vec<Template>);

/// One entry.
#[derive(Debug, PartialEq)]
struct Entry {
    /// `None` allows every scheme.
    scheme: Option<String>,
    host: HostPattern,
    /// `None` allows every port.
    ports: Option<Range<u32>>,
}

#[derive(Debug, PartialEq)]
enum HostPattern {
    Any,
    /// The domain that the host ends with, a dot before it.
    Subdomain(String),
    Exactly(Host),
    /// The application itself.
    OwnApplication,
}

/// A destination.
struct Destination {
    scheme: String,
    host: Host,
    port: Option<u16>,
}

impl AllowedHosts {
    /// Reads the entries, and checks those whose variables all have a default.
    ///
    /// # Errors
    ///
    /// Returns an error that quotes the first entry that Spin would refuse, or that the embedded host does not support.
    pub(crate) fn parse(hosts: &[String], defaults: &BTreeMap<String, Option<String>>) -> Result<Self> {
        let parse = |text: &String| -> Result<Template> {
            let template = Template::parse(text, defaults).map_err(Error::msg)?;
            let default = |name: &str| defaults.get(name).cloned().flatten().ok_or(());
            if let Ok(filled) = template.fill(default) {
                entry_or_skip(&filled, template.is_literal())?;
            }
            Ok(template)
        };
        let templates = hosts
            .iter()
            .map(|text| parse(text).with_context(|| format!("allowed_outbound_hosts: {text:?}")))
            .collect::<Result<_>>()?;
        Ok(Self(templates))
    }

    /// Whether a component may connect to `url`, to which `scheme` applies if it has none.
    ///
    /// `variables` are the component's, `components` all of the application, to which `*.spin.internal` is limited.
    pub(crate) fn allow(
        &self,
        url: &str,
        scheme: &str,
        variables: &Variables,
        components: &BTreeSet<String>,
    ) -> bool {
        let Some(destination) = Destination::parse(url, scheme) else {
            tracing::warn!("a component tried to connect to {url:?}, which is not a URL");
            return false;
        };
        self.any(variables, |entry| entry.allows(&destination, components))
    }

    /// Whether a component may send requests to its own application.
    pub(crate) fn allow_own_application(&self, variables: &Variables) -> bool {
        self.any(variables, Entry::allows_own_application)
    }

    /// Whether an entry matches. If any entry is invalid, nothing is allowed.
    fn any(&self, variables: &Variables, matches: impl Fn(&Entry) -> bool) -> bool {
        let entry = |template: &Template| -> Result<Option<Entry>> {
            let filled = variables.fill(template)?;
            entry_or_skip(&filled, template.is_literal())
        };
        match self.0.iter().map(entry).collect::<Result<Vec<_>>>() {
            Ok(entries) => entries.iter().flatten().any(matches),
            Err(error) => {
                tracing::error!("cannot use allowed_outbound_hosts: {error:#}");
                false
            }
        }
    }
}

/// The component that `host`, with or without a port, names as `<component>.spin.internal`.
pub(crate) fn chained_component(host: &str) -> Option<&str> {
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let (component, domain) = host.split_once('.')?;
    (domain == CHAINING_DOMAIN).then_some(component)
}

/// Parses an entry after substitution. An entry that its variables left empty is skipped.
fn entry_or_skip(text: &str, literal: bool) -> Result<Option<Entry>> {
    if !literal && ["", "http://", "https://"].contains(&text) {
        return Ok(None);
    }
    Entry::parse(text).map(Some)
}

impl Entry {
    fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let (scheme, rest) = text
            .split_once("://")
            .context("has no scheme; write it as https://example.com:443")?;
        ensure!(
            scheme == "*" || scheme.chars().all(char::is_alphabetic),
            "the scheme {scheme:?} may only have letters",
        );
        let (host, port) = match rest.rsplit_once(':') {
            // The last colon may be one of an IPv6 address.
            Some((_, tail)) if tail.ends_with(']') => (rest, ""),
            Some((host, port)) => (host, port),
            None => (rest, ""),
        };
        let (port, path) = port.split_once('/').unwrap_or((port, ""));
        ensure!(path.is_empty(), "must not have a path");
        Ok(Self {
            scheme: (scheme != "*").then(|| scheme.to_owned()),
            host: HostPattern::parse(host)?,
            ports: parse_ports(port, scheme)?,
        })
    }

    fn allows(&self, destination: &Destination, components: &BTreeSet<String>) -> bool {
        self.allows_scheme(&destination.scheme)
            && self.host.allows(&destination.host, components)
            && self.ports.as_ref().is_none_or(|ports| {
                let port = destination.port.or_else(|| well_known_port(&destination.scheme));
                port.is_some_and(|port| ports.contains(&port.into()))
            })
    }

    fn allows_own_application(&self) -> bool {
        ["http", "https"].iter().any(|scheme| self.allows_scheme(scheme))
            && matches!(self.host, HostPattern::Any | HostPattern::OwnApplication)
    }

    fn allows_scheme(&self, wanted: &str) -> bool {
        self.scheme.as_ref().is_none_or(|scheme| scheme == wanted)
    }
}

impl HostPattern {
    fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        match text {
            "*" => return Ok(Self::Any),
            "self" | SELF_HOST => return Ok(Self::OwnApplication),
            _ => (),
        }
        let text = text.strip_suffix('/').unwrap_or(text);
        if let Some((address, _)) = text.split_once('/')
            && address.parse::<std::net::IpAddr>().is_ok()
        {
            bail!("ranges of addresses are not supported by the embedded host; use --host spin");
        }
        ensure!(!text.contains('/'), "must not have a path");
        if let Some(domain) = text.strip_prefix("*.") {
            return match Host::parse(domain) {
                Ok(Host::Domain(domain)) if !domain.contains('*') => {
                    Ok(Self::Subdomain(format!(".{domain}")))
                }
                _ => bail!("`*.` must be followed by a domain"),
            };
        }
        ensure!(
            !text.contains('*'),
            "`*` may only stand for all subdomains, as in `*.example.com`"
        );
        Ok(Self::Exactly(
            Host::parse(text).with_context(|| format!("the host {text:?} cannot be used"))?,
        ))
    }

    fn allows(&self, host: &Host, components: &BTreeSet<String>) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Exactly(exactly), host) => exactly == host,
            (Self::Subdomain(suffix), Host::Domain(domain)) => {
                domain.ends_with(suffix)
                    && (suffix[1..] != *CHAINING_DOMAIN
                        || chained_component(domain).is_some_and(|component| components.contains(component)))
            }
            (Self::Subdomain(_) | Self::OwnApplication, _) => false,
        }
    }
}

/// The ports of an entry: `*`, a number, a range `first..end` without its end, or the scheme's own.
fn parse_ports(text: &str, scheme: &str) -> Result<Option<Range<u32>>> {
    let number = |text: &str| -> Result<u32> {
        let port: u16 = text
            .parse()
            .with_context(|| format!("the port {text:?} is not a number up to 65535"))?;
        Ok(port.into())
    };
    if text == "*" {
        return Ok(None);
    }
    if text.is_empty() {
        let port = well_known_port(scheme)
            .with_context(|| format!("needs a port, as the scheme {scheme:?} implies none"))?;
        return Ok(Some(port.into()..u32::from(port) + 1));
    }
    Ok(Some(match text.split_once("..") {
        Some((first, end)) => number(first)?..number(end)?,
        None => number(text)?..number(text)? + 1,
    }))
}

fn well_known_port(scheme: &str) -> Option<u16> {
    Some(match scheme {
        "http" => 80,
        "https" => 443,
        "redis" => 6379,
        "postgres" => 5432,
        "mysql" => 3306,
        "mqtt" => 1883,
        _ => return None,
    })
}

impl Destination {
    fn parse(url: &str, scheme: &str) -> Option<Self> {
        let url = encode_user(url);
        let parsed = match Url::parse(&url) {
            Ok(parsed) if parsed.has_host() => parsed,
            _ => Url::parse(&format!("{scheme}://{url}")).ok()?,
        };
        Some(Self {
            scheme: parsed.scheme().to_owned(),
            host: Host::parse(parsed.host_str()?).ok()?,
            port: parsed.port(),
        })
    }
}

/// Percent-encodes user and password, which may contain characters that end an authority.
fn encode_user(url: &str) -> String {
    let start = url.find("://").map_or(0, |scheme| scheme + 3);
    let path = url[start..].find('/').map_or(url.len(), |path| start + path);
    match url.find('@') {
        Some(at) if (start..path).contains(&at) => {
            let user = utf8_percent_encode(&url[start..at], NON_ALPHANUMERIC);
            format!("{}{user}{}", &url[..start], &url[at..])
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
