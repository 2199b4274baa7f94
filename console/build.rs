//! Compresses the files of the console and lists them, with an entity tag for each, for `src/files.rs` to include.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut sources = vec![PathBuf::from("../docs/openapi.yaml")];
    for folder in ["page", "vendor"] {
        println!("cargo::rerun-if-changed={folder}");
        for entry in fs::read_dir(folder)? {
            sources.push(entry?.path());
        }
    }
    println!("cargo::rerun-if-changed=../docs/openapi.yaml");
    sources.sort();

    let mut list = String::from("[\n");
    for source in &sources {
        let name = name(source)?;
        let Some(media_type) = media_type(source) else {
            continue;
        };
        let content = fs::read(source)?;
        let compressed = out.join(format!("{name}.gz"));
        fs::write(&compressed, gzip(&content)?)?;
        let hash = Sha256::digest(&content);
        let tag = hash[..8].iter().fold(String::new(), |mut tag, byte| {
            let _ = write!(tag, "{byte:02x}");
            tag
        });
        writeln!(
            list,
            "    File {{ name: {name:?}, media_type: {media_type:?}, tag: {tag:?}, gzip: include_bytes!(\"{}\") }},",
            compressed.display()
        )?;
    }
    list.push(']');
    fs::write(out.join("files.rs"), list)?;
    Ok(())
}

fn name(path: &Path) -> Result<&str, String> {
    path.file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| format!("{} has no name in UTF-8", path.display()))
}

/// The media type for the extension; `None` for files that are not served.
fn media_type(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()? {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "yaml" => "application/yaml",
        _ => return None,
    })
}

fn gzip(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}
