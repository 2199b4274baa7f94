//! Tests of reading JSON.

use super::*;
use proptest::prelude::*;

fn read(bytes: &[u8]) -> Result<Object, InvalidDocument> {
    Object::read_strictly(bytes, |object, _| Some(object))
}

fn refusal(json: &str) -> InvalidDocument {
    match read(json.as_bytes()) {
        Ok(_) => panic!("accepted: {json}"),
        Err(refusal) => refusal,
    }
}

#[test]
fn members_keep_their_order_and_their_text() {
    let json = r#"{"b": 1.50e3, "a" : { "x":[ 1 ,2]} ,"\u0063":"\u00e9"}"#;
    let mut object = read(json.as_bytes()).unwrap();
    object.set("d", "4".to_owned());
    assert_eq!(
        object.to_json(),
        r#"{"b":1.50e3,"a":{ "x":[ 1 ,2]},"c":"\u00e9","d":4}"#
    );
    object.set("a", "0".to_owned());
    assert_eq!(object.to_json(), r#"{"b":1.50e3,"a":0,"c":"\u00e9","d":4}"#);
    assert_eq!(read(b"{}").unwrap().to_json(), "{}");
}

#[test]
fn what_is_not_json_is_placed() {
    for (text, place) in [
        (&b"{\"a\":\n 1,}"[..], "line 2 column 4"),
        (b"", "line 1 column 0"),
        (b"{\"a\":1} x", "line 1 column 9"),
        (b"{\"a\":01}", "line 1 column 7"),
        (b"\xef\xbb\xbf{}", "line 1 column 1"),
        (b"{\n\"a\":\"\xff\"}", "line 2 column 6"),
        (b"{\"a\":\"\n\"}", "line 1 column 6"),
    ] {
        match read(text) {
            Err(InvalidDocument::Malformed(detail)) => {
                assert!(detail.ends_with(place), "{detail}, not {place}");
            }
            _ => panic!("not refused as malformed: {}", text.escape_ascii()),
        }
    }
}

fn pointers(refusal: InvalidDocument) -> Vec<String> {
    match refusal {
        InvalidDocument::Invalid(violations) => violations
            .into_iter()
            .map(|violation| violation.pointer)
            .collect(),
        InvalidDocument::Malformed(detail) => panic!("{detail}"),
    }
}

#[test]
fn depth_has_a_limit() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(nested(63).as_bytes()).is_ok());
    assert_eq!(pointers(refusal(&nested(64))), [format!("/a{}", "/0".repeat(63))]);
    assert_eq!(
        pointers(refusal(&nested(8000))),
        [format!("/a{}", "/0".repeat(63))]
    );
}

#[test]
fn half_characters_are_found() {
    assert_eq!(
        pointers(refusal(r#"{"a":["\ud83d\ude00","\ud800"],"b":"\udc00x"}"#)),
        ["/a/1", "/b"]
    );
    assert_eq!(pointers(refusal(r#"{"a":{"\ud800":1}}"#)), ["/a"]);
}

#[test]
fn every_name_that_stands_twice_is_found() {
    let refusal = refusal(r#"{"a":1,"b":[{"x/y":1,"x\/y":2}],"a":3,"~":{},"~":0}"#);
    assert_eq!(pointers(refusal), ["/b/0/x~1y", "/a", "/~0"]);
}

#[test]
fn only_an_object_will_do() {
    for json in ["[]", "null", "\"{}\"", "1"] {
        let detail = "must be a JSON object".to_owned();
        assert_eq!(
            refusal(json),
            InvalidDocument::Invalid(vec![Violation {
                pointer: String::new(),
                detail
            }])
        );
    }
}

#[test]
fn the_list_of_violations_is_short() {
    let name = "~".repeat(8000);
    let json = format!(
        "{{\"{name}\":{}{}{}}}",
        "[".repeat(63),
        "[],".repeat(2000) + "[]",
        "]".repeat(63)
    );
    let length: usize = pointers(refusal(&json)).iter().map(String::len).sum();
    assert!(
        (1..=2 * 8000 + 64 * 2 + POINTER_LIMIT).contains(&length),
        "{length}"
    );
    let twice = "\"a\":1,".repeat(1000) + "\"a\":1";
    assert_eq!(pointers(refusal(&format!("{{{twice}}}"))).len(), VIOLATION_LIMIT);
}

#[test]
fn values_are_the_same_however_they_are_written() {
    for (one, other) in [
        (
            r#"{"a":1,"b":[1,{"c":"x"}]}"#,
            r#"{ "b": [1, {"\u0063": "\u0078"}], "a": 1 }"#,
        ),
        ("[]", "[ ]"),
        (r#""é""#, r#""\u00e9""#),
        ("null", "null"),
    ] {
        assert!(is_same_value(one, other), "{one} {other}");
    }
    for (one, other) in [
        ("[1,2]", "[2,1]"),
        ("[1]", "[1,1]"),
        ("{}", r#"{"a":null}"#),
        (r#"{"a":1}"#, r#"{"b":1}"#),
        ("1", "1.0"),
        ("1", r#""1""#),
        ("{}", "[]"),
    ] {
        assert!(!is_same_value(one, other), "{one} {other}");
    }
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn what_was_read_reads_again(json in r#"\{("[a-z\\\\n]{0,3}":[0-9]{1,3}(,"[a-z]{4}": ?\[[0-9]?\])?)?\}"#) {
        if let Ok(object) = read(json.as_bytes()) {
            prop_assert_eq!(read(object.to_json().as_bytes()), Ok(object));
        }
    }
}
