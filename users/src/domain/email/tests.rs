//! Tests of email addresses.

use super::*;
use proptest::prelude::*;

#[test]
fn accepts_mailboxes() {
    for text in [
        "john@example.com",
        "a@b",
        "john.o'doe+tag@mail.example.co.uk",
        "\"john doe\"@example.com",
        "\"a@b\\\"c\"@example.com",
        "\"\"@example.com",
        "root@[127.0.0.1]",
        "root@[IPv6:::1]",
        "x@xn--bcher-kva.example",
    ] {
        assert_eq!(check(text), Ok(()), "{text}");
    }
}

#[test]
fn accepts_internationalized_mailboxes() {
    for text in [
        "jörg@müller.example",
        "jörg@example.com",
        "joerg@müller.example",
        "JÖRG@MÜLLER.example",
        "\"jörg müller\"@example.com",
        "用户@例子.广告",
        "अजय@डाटा.भारत",
        "квіточка@пошта.укр",
        "χρήστης@παράδειγμα.ελ",
        "Dörte@Sörensen.example.com",
        "коля@пример.рф",
        "ユーザー@例え.テスト",
        "사용자@예제.한국",
        "مستخدم@مثال.إختبار",
        "ירושלים@דוגמה.טעסט",
        "mañana@xn--maana-pta.example",
        "user@faß.example",
        "ل\u{200c}ا@نامه\u{200c}ای.example",
        "a@l·l.example",
        "😀@example.com",
        "u\u{308}@u\u{308}ber.example",
    ] {
        assert_eq!(check(text), Ok(()), "{text}");
    }
}

#[test]
fn refuses_the_rest_and_says_why() {
    for (text, why) in [
        ("john", InvalidEmail::NoAt),
        ("", InvalidEmail::NoAt),
        ("jörg＠example.com", InvalidEmail::NoAt),
        ("@example.com", InvalidEmail::LocalPart),
        (".john@example.com", InvalidEmail::LocalPart),
        ("jo..hn@example.com", InvalidEmail::LocalPart),
        ("john doe@example.com", InvalidEmail::LocalPart),
        ("\"john@example.com", InvalidEmail::LocalPart),
        ("\"@example.com", InvalidEmail::LocalPart),
        ("\"a\\\"@example.com", InvalidEmail::LocalPart),
        ("\"\\ö\"@example.com", InvalidEmail::LocalPart),
        ("jo\u{a0}hn@example.com", InvalidEmail::LocalPart),
        ("jo\u{85}hn@example.com", InvalidEmail::LocalPart),
        ("jo\u{202e}hn@example.com", InvalidEmail::LocalPart),
        ("\u{feff}john@example.com", InvalidEmail::LocalPart),
        ("\"jo\u{2028}hn\"@example.com", InvalidEmail::LocalPart),
        ("jo\u{fffe}hn@example.com", InvalidEmail::LocalPart),
        ("john@", InvalidEmail::Domain),
        ("john@-example.com", InvalidEmail::Domain),
        ("john@example..com", InvalidEmail::Domain),
        ("john@example.com.", InvalidEmail::Domain),
        ("john@exam_ple.com", InvalidEmail::Domain),
        ("john@[1.2.3]", InvalidEmail::Domain),
        ("john@[::1]", InvalidEmail::Domain),
        ("john@müller-.example", InvalidEmail::Domain),
        ("john@-müller.example", InvalidEmail::Domain),
        ("john@mü_ller.example", InvalidEmail::Domain),
        ("john@mü--ller.example", InvalidEmail::Domain),
        ("john@例子。广告", InvalidEmail::Domain),
        ("john@\u{301}a.example", InvalidEmail::Domain),
        ("john@mü ller.example", InvalidEmail::Domain),
        ("john@mü\u{200b}ller.example", InvalidEmail::Domain),
        ("john@i❤.example", InvalidEmail::Domain),
        ("john@😀.example", InvalidEmail::Domain),
        ("john@ｅxample.com", InvalidEmail::Domain),
        ("john@a⁄b.example", InvalidEmail::Domain),
        ("john@[müller]", InvalidEmail::Domain),
    ] {
        assert_eq!(check(text), Err(why), "{text:?}");
    }
}

#[test]
fn limits_count_bytes() {
    let domain = |labels: usize| vec!["d".repeat(63); labels].join(".");
    assert_eq!(check(&format!("{}@example.com", "l".repeat(64))), Ok(()));
    assert_eq!(
        check(&format!("{}@example.com", "l".repeat(65))),
        Err(InvalidEmail::LocalPart)
    );
    assert_eq!(check(&format!("{}@example.com", "é".repeat(32))), Ok(()));
    assert_eq!(
        check(&format!("{}x@example.com", "é".repeat(32))),
        Err(InvalidEmail::LocalPart)
    );
    assert_eq!(check(&format!("a@{}", "d".repeat(64))), Err(InvalidEmail::Domain));
    assert_eq!(
        check(&format!("{}@{}", "l".repeat(60), domain(3) + ".dddd")),
        Err(InvalidEmail::TooLong)
    );
    assert_eq!(check(&format!("{}@{}", "l".repeat(60), domain(3) + ".d")), Ok(()));
}

#[test]
fn a_label_has_room_for_its_ascii_form() {
    for (label, length) in [
        ("bücher", "xn--bcher-kva".len()),
        ("münchen", "xn--mnchen-3ya".len()),
        ("例子", "xn--fsqu00a".len()),
        ("ελ", "xn--qxam".len()),
        ("भारत", "xn--h2brj9c".len()),
        ("한국", "xn--3e0b707e".len()),
        ("faß", "xn--fa-hia".len()),
        ("пример", "xn--e1afmkfd".len()),
        ("παράδειγμα", "xn--hxajbheg2az3al".len()),
    ] {
        assert_eq!(unicode_label_length(label), Some(length), "{label}");
    }
    let label = |count: usize| format!("ü{}", "a".repeat(count));
    let longest = (1..63)
        .take_while(|count| check(&format!("a@{}", label(*count))).is_ok())
        .count();
    assert_eq!(unicode_label_length(&label(longest)), Some(63));
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,40}@?\\PC{0,40}", raw in any::<String>()) {
        let _ = (check(&text), check(&raw));
    }

    #[test]
    fn an_accepted_address_has_nothing_that_ends_a_line_or_a_header(text in "[^@]{1,3}@[^@]{1,3}") {
        if check(&text).is_ok() {
            let ends_line = |c: char| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c);
            prop_assert!(!text.chars().any(ends_line));
        }
    }

    #[test]
    fn addresses_of_letters_are_accepted(
        local in "[a-zà-öø-ÿα-ωа-яあ-んक-ह]{1,16}(\\.[a-zа-я]{1,4})?",
        domain in "[a-zà-öø-ÿα-ωа-яあ-んक-ह0-9]{1,8}(\\.[a-zα-ω]{1,6}){0,3}",
    ) {
        prop_assert_eq!(check(&format!("{local}@{domain}")), Ok(()));
    }

    #[test]
    fn a_domain_never_has_a_dot_at_an_end_or_two_in_a_row(
        before in "[a-zö]{0,3}", between in "\\.{1,3}", after in "[a-zö]{0,3}",
    ) {
        let is_fit = !before.is_empty() && between.len() == 1 && !after.is_empty();
        prop_assert_eq!(check(&format!("a@{before}{between}{after}")).is_ok(), is_fit);
        prop_assert_eq!(check(&format!("{before}{between}{after}@a")).is_ok(), is_fit);
    }
}
