//! The description against its standard, `OpenAPI` 3.1.

use harness::python;

#[test]
fn the_description_is_valid() {
    if harness::without(python::PROGRAM) {
        return;
    }
    let output = python::tool("openapi-spec-validator")
        .args([
            "--validation-errors",
            "all",
            "--subschema-errors",
            "all",
            "--schema",
            "3.1",
        ])
        .arg(harness::root().join("docs/openapi.yaml"))
        .output()
        .expect("the linter runs");
    println!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success());
}
