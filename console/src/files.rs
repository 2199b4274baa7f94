//! The files of the console, compressed by `build.rs`.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::GzDecoder;

/// A file of the console.
#[derive(Debug)]
pub(crate) struct File {
    /// Its name, without a folder.
    pub(crate) name: &'static str,
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// A hash of its content.
    tag: &'static str,
    /// Its content, compressed.
    gzip: &'static [u8],
}

/// How the bytes of a response are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As they are.
    Identity,
    /// Compressed by gzip.
    Gzip,
}

const FILES: &[File] = &include!(concat!(env!("OUT_DIR"), "/files.rs"));

impl File {
    /// Returns the file at a path below `/console/`. The addresses of the two pages have no extension.
    #[expect(
        clippy::case_sensitive_file_extension_comparisons,
        reason = "names of files here have one spelling"
    )]
    pub(crate) fn at(path: &str) -> Option<&'static Self> {
        let name = match path {
            "" => "index.html",
            "reference" => "reference.html",
            _ if path.ends_with(".html") => return None,
            _ => path,
        };
        FILES.iter().find(|file| file.name == name)
    }

    /// The contents of the file's entity tag. It depends on the coding, since the bytes differ (RFC 9110, section 8.8.3.3).
    pub(crate) fn revision(&self, coding: Coding) -> String {
        match coding {
            Coding::Identity => self.tag.to_owned(),
            Coding::Gzip => format!("{}-gzip", self.tag),
        }
    }

    /// The bytes of the file in this coding.
    pub(crate) fn content(&self, coding: Coding) -> Cow<'static, [u8]> {
        match coding {
            Coding::Gzip => Cow::Borrowed(self.gzip),
            Coding::Identity => {
                let mut content = Vec::new();
                let inflated = GzDecoder::new(self.gzip).read_to_end(&mut content);
                // A test decompresses every file that `build.rs` compressed.
                debug_assert!(inflated.is_ok(), "{} is damaged", self.name);
                Cow::Owned(content)
            }
        }
    }

    /// Whether the name changes whenever the content does, so that browsers can cache the file for ever.
    pub(crate) fn is_immutable(&self) -> bool {
        self.name.starts_with("openapi-explorer-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn every_file_decompresses_to_what_was_compressed() {
        for file in FILES {
            let content = file.content(Coding::Identity);
            assert!(!content.is_empty(), "{}", file.name);
            let hash = format!("{:x}", Sha256::digest(&content));
            assert!(hash.starts_with(file.tag), "{}", file.name);
            assert!(content.len() > file.gzip.len(), "{} does not gain", file.name);
        }
    }

    #[test]
    fn vendored_files_have_the_checksums_that_are_noted() {
        let readme = include_str!("../vendor/README.md");
        let vendored: [(&str, &[u8]); 2] = [
            (
                "openapi-explorer-2.4.820.min.js",
                include_bytes!("../vendor/openapi-explorer-2.4.820.min.js"),
            ),
            (
                "openapi-explorer-2.4.820.LICENSE",
                include_bytes!("../vendor/openapi-explorer-2.4.820.LICENSE"),
            ),
        ];
        for (name, content) in vendored {
            let row = format!("| `{name}` |");
            let row = readme.lines().find(|line| line.starts_with(&row));
            let hash = format!("`{:x}`", Sha256::digest(content));
            assert!(row.is_some_and(|row| row.contains(&hash)), "{name} is {hash}");
        }
    }
}
