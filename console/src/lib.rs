//! `GET` and `HEAD /console/...`: the page for people, and the API reference, both contained in this component.

mod files;

use files::{Coding, File};
use users::api::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, LOCATION, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use users::api::{Answer, HeaderName, Problem, Public, StatusCode};

users::public_function!(GET, HEAD => answer);

/// Allows scripts, styles and requests only from this origin. No page may frame it, and no text may become markup.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                           img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                           require-trusted-types-for 'script'";

/// The same for the API reference, whose library also styles elements inline and makes markup from the `OpenAPI` document.
/// That page shows no user's data.
const REFERENCE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                                connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                                frame-ancestors 'none'";

/// The static answer in `spin.toml` for paths without a function.
const NO_SUCH_ROUTE: &str = r#"{"type":"urn:problem:no-such-route","title":"No such route","status":404,"detail":"No function serves this path."}"#;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

async fn answer(request: Public<'_>) -> Result<Answer, Problem> {
    let path = match request.path() {
        // The page has only one address.
        "/console" => return Ok(redirect("/console/")),
        "/console/reference/" => return Ok(redirect("/console/reference")),
        path => path.strip_prefix("/console/"),
    };
    // Spin also routes paths here that begin with several slashes.
    let Some(file) = path.and_then(File::at) else {
        let answer = Answer::new(
            StatusCode::NOT_FOUND,
            "application/problem+json",
            NO_SUCH_ROUTE.as_bytes(),
        );
        return Ok(answer.with_header(&CACHE_CONTROL, "no-store"));
    };
    let coding = if request.accepts_encoding("gzip") {
        Coding::Gzip
    } else {
        Coding::Identity
    };
    let revision = file.revision(coding);
    let answer = if request.has(&revision)? {
        Answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        let answer = Answer::new(StatusCode::OK, file.media_type, file.content(coding));
        match coding {
            Coding::Identity => answer,
            Coding::Gzip => answer.with_header(&CONTENT_ENCODING, "gzip"),
        }
    };
    let policy = match file.name {
        "reference.html" => REFERENCE_POLICY,
        _ => PAGE_POLICY,
    };
    let caching = if file.is_immutable() {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    Ok(answer
        .with_header(&ETAG, &format!("\"{revision}\""))
        .with_header(&VARY, "Accept-Encoding")
        .with_header(&CACHE_CONTROL, caching)
        .with_header(&CONTENT_SECURITY_POLICY, policy)
        .with_header(&X_CONTENT_TYPE_OPTIONS, "nosniff")
        .with_header(&REFERRER_POLICY, "no-referrer")
        .with_header(&CROSS_ORIGIN_OPENER_POLICY, "same-origin")
        .with_header(&CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"))
}

fn redirect(location: &str) -> Answer {
    Answer::empty(StatusCode::PERMANENT_REDIRECT).with_header(&LOCATION, location)
}
