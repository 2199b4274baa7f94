//! The names of members with a meaning here, and other names that clients may confuse with them.

/// The members of a record that have a meaning here.
pub(crate) const KNOWN: [&str; 4] = ["username", "email", "points", "status"];

/// Returns the known member from which `name` differs only in letter case, if there is one.
///
/// Many clients read members regardless of case. To such a client `Status` would be a second `status`, which anybody who
/// creates a user could choose.
///
/// ```
/// use users::domain::member_name::confused_with;
///
/// assert_eq!(confused_with("Status"), Some("status"));
/// assert_eq!(confused_with("status"), None);
/// assert_eq!(confused_with("state"), None);
/// ```
#[must_use]
pub fn confused_with(name: &str) -> Option<&'static str> {
    KNOWN
        .into_iter()
        .find(|known| *known != name && is_same_without_case(name, known))
}

/// Whether `name` equals `known`, which is in lower case, regardless of case.
pub(crate) fn is_same_without_case(name: &str, known: &str) -> bool {
    let mut rest = known;
    for character in name.chars() {
        match rest.strip_prefix(folded(character).as_str()) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

/// The lower-case ASCII that some Unicode case mapping makes of one character; empty if there is none.
struct Folded([u8; 2], usize);

impl Folded {
    fn as_str(&self) -> &str {
        match std::str::from_utf8(&self.0[..self.1]) {
            // No known name contains it.
            Err(_) | Ok("") => "\0",
            Ok(text) => text,
        }
    }
}

/// Folds the case of a character as any client may.
///
/// Clients fold by different rules: Go uses simple case folding, JavaScript and Python convert the whole text, Java
/// compares the upper case of each character and then the lower case of that. This function combines all of them for the
/// characters that matter here. A test compares it with the standard library's tables, which would make every component
/// much larger.
fn folded(character: char) -> Folded {
    match character {
        // Long s, dotted capital and dotless small i, the Kelvin sign, and the ligatures of s and t.
        'ſ' => Folded(*b"s\0", 1),
        'İ' | 'ı' => Folded(*b"i\0", 1),
        '\u{212a}' => Folded(*b"k\0", 1),
        'ﬅ' | 'ﬆ' => Folded(*b"st", 2),
        _ => match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => Folded([byte.to_ascii_lowercase(), 0], 1),
            _ => Folded([0; 2], 0),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_another_case_are_confused_with_known_ones() {
        for (name, known) in [
            ("Status", "status"),
            ("STATUS", "status"),
            ("ſtatuſ", "status"),
            ("ﬆatus", "status"),
            ("ﬅatuS", "status"),
            ("emaıl", "email"),
            ("EMAİL", "email"),
            ("pOıNTS", "points"),
            ("uſerName", "username"),
        ] {
            assert_eq!(confused_with(name), Some(known), "{name}");
        }
    }

    #[test]
    fn other_names_are_not_confused() {
        for name in [
            "username", "email", "points", "status", "", "statu", "statuss", "stâtus", "e-mail", "ｓtatus",
            "сtatus", "\0", "st\0atus", "point s",
        ] {
            assert_eq!(confused_with(name), None, "{name}");
        }
    }

    #[test]
    fn every_character_is_folded_as_the_tables_of_the_standard_library_fold_it() {
        for character in '\0'..=char::MAX {
            let lower: String = character.to_lowercase().collect();
            let upper: String = character.to_uppercase().collect();
            let simple = |text: &str| {
                let mut characters = text.chars();
                characters.next().filter(|_| characters.next().is_none())
            };
            // Java's: İ becomes i, although the full mapping adds a dot above.
            let first_of_lower = lower
                .chars()
                .next()
                .filter(|_| character == 'İ')
                .map(String::from);
            let forms = [
                Some(lower.clone()),
                Some(upper.to_lowercase()),
                simple(&upper).map(|upper| upper.to_lowercase().collect()),
                first_of_lower,
            ];
            for form in forms.into_iter().flatten() {
                // Only what occurs in a known name matters.
                if KNOWN.iter().any(|known| known.contains(&form)) {
                    assert_eq!(folded(character).as_str(), form, "{character:?}");
                }
            }
        }
    }
}
