//! Email addresses, internationalized ones included.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The maximum number of octets in a local part, in a domain, and in a whole address (RFC 5321, section 4.5.3.1: a path
/// has at most 256 octets including two angle brackets). RFC 6531 keeps these limits and counts octets of UTF-8.
const LOCAL_PART_LIMIT: usize = 64;
const DOMAIN_LIMIT: usize = 255;
const ADDRESS_LIMIT: usize = 254;
/// The maximum number of octets in a label, and in a domain without its length bytes (RFC 1035, section 2.3.4).
const LABEL_LIMIT: usize = 63;
const DNS_NAME_LIMIT: usize = 253;

/// Checks that `address` is an email address: a `Mailbox` of RFC 5321, section 4.1.2, as RFC 6531, section 3.3, extends it
/// to Unicode.
///
/// Addresses are kept as written and compared byte by byte: neither letter case nor the Unicode normalization form is
/// changed. Of the rules for internationalized labels (RFC 5892), only those that need no tables are applied: blocks of
/// Unicode without letters are refused, and so are labels that are too long for the DNS.
///
/// ```
/// use users::domain::email;
///
/// assert_eq!(email::check("jörg@müller.example"), Ok(()));
/// assert_eq!(email::check("jörg"), Err(email::InvalidEmail::NoAt));
/// ```
///
/// # Errors
/// Returns an [`InvalidEmail`] that tells which part of the address is wrong.
pub fn check(address: &str) -> Result<(), InvalidEmail> {
    // A quoted local part may contain `@`; a domain never does.
    let (local, domain) = address.rsplit_once('@').ok_or(InvalidEmail::NoAt)?;
    if local.len() > LOCAL_PART_LIMIT || !(is_dot_string(local) || is_quoted_string(local)) {
        Err(InvalidEmail::LocalPart)
    } else if domain.len() > DOMAIN_LIMIT || !(is_domain(domain) || is_address_literal(domain)) {
        Err(InvalidEmail::Domain)
    } else if address.len() > ADDRESS_LIMIT {
        Err(InvalidEmail::TooLong)
    } else {
        Ok(())
    }
}

/// `Dot-string`: one or more atoms (RFC 5322, section 3.2.3), with dots between them.
fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| {
        !atom.is_empty()
            && atom.chars().all(|c| {
                c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_visible_unicode(c)
            })
    })
}

/// `Quoted-string`: printable characters in double quotes; a quote or a backslash inside has a backslash before it.
fn is_quoted_string(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return false;
    };
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        let is_printable = match character {
            // `quoted-pairSMTP` stays ASCII.
            '\\' => matches!(characters.next(), Some(' '..='~')),
            '"' => false,
            other => matches!(other, ' '..='~') || is_visible_unicode(other),
        };
        if !is_printable {
            return false;
        }
    }
    text.len() >= 2
}

/// `Domain`: labels with dots between them.
fn is_domain(text: &str) -> bool {
    let mut length = 0;
    text.split('.').all(|label| {
        let encoded = if label.is_ascii() {
            is_ascii_label(label).then_some(label.len())
        } else {
            unicode_label_length(label)
        };
        match encoded {
            Some(encoded) if encoded <= LABEL_LIMIT => {
                length += encoded + 1;
                length - 1 <= DNS_NAME_LIMIT
            }
            _ => false,
        }
    })
}

/// Letters, digits and inner hyphens. This includes `A-label`s; what they encode is not checked.
fn is_ascii_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The length in the DNS, as an `A-label`, of `label`; `None` if it is not a `U-label` (RFC 5890, section 2.3.2.1).
fn unicode_label_length(label: &str) -> Option<usize> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || is_letter_like(c);
    // A label must not start with a combining mark, nor look like an A-label (RFC 5891, section 4.2.3).
    let starts_well = !label.starts_with(|c| c == '-' || matches!(c, '\u{300}'..='\u{36f}'));
    let has_tag = label.chars().skip(2).take(2).eq("--".chars());
    if label.chars().all(is_allowed) && starts_well && !label.ends_with('-') && !has_tag {
        Some("xn--".len() + punycode_length(label)?)
    } else {
        None
    }
}

/// Whether a character beyond ASCII may be part of a local part: not a control character, not a space, not invisible, and
/// not a placeholder.
fn is_visible_unicode(c: char) -> bool {
    let is_noncharacter = matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    !c.is_ascii()
        && !c.is_whitespace()
        && !is_noncharacter
        && !matches!(
            c,
            // Controls, and the soft hyphen.
            '\u{80}'..='\u{9f}' | '\u{ad}'
            // Direction marks and invisible characters; joiners between letters are allowed.
            | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}'
            // Replacement characters; private use; tags.
            | '\u{fff0}'..='\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..
        )
}

/// Whether a character beyond ASCII may be part of a label: blocks without letters, marks and digits of RFC 5892 are
/// excluded.
#[expect(
    clippy::match_same_arms,
    reason = "the blocks are in the order of their code points"
)]
fn is_letter_like(c: char) -> bool {
    is_visible_unicode(c)
        && match c {
            // Signs, except the middle dot of Catalan.
            '\u{a0}'..='\u{bf}' => c == '·',
            '×' | '÷' => false,
            // Punctuation, super- and subscripts, currencies, arrows, mathematics, drawings.
            '\u{2000}'..='\u{2bff}' => matches!(c, '\u{200c}' | '\u{200d}'),
            '\u{2e00}'..='\u{2fff}' => c == '\u{2e2f}',
            // Many programs treat the ideographic full stop as a dot.
            '\u{3000}'..='\u{3004}' | '\u{3008}'..='\u{3029}' | '\u{3030}'..='\u{303b}' => false,
            // Presentation forms, variation selectors, full-width forms.
            '\u{fb00}'..='\u{fe1f}' => c == '\u{fb1e}',
            '\u{fe30}'..='\u{ffef}' => c == '\u{fe73}',
            // Mathematical letters, games and emoji.
            '\u{1d400}'..='\u{1d7ff}' | '\u{1f000}'..='\u{1faff}' => false,
            _ => true,
        }
}

/// The length of a label in Punycode (RFC 3492, section 6.3); `None` if it overflows, so that it is far too long.
fn punycode_length(label: &str) -> Option<usize> {
    const BASE: u32 = 36;
    const T_MIN: u32 = 1;
    const T_MAX: u32 = 26;
    const SKEW: u32 = 38;
    const DAMP: u32 = 700;

    let basic = label.bytes().filter(u8::is_ascii).count();
    let total = u32::try_from(label.chars().count()).ok()?;
    let mut length = if basic > 0 { basic + 1 } else { 0 };
    let mut handled = u32::try_from(basic).ok()?;
    let (mut code_point, mut delta, mut bias) = (128_u32, 0_u32, 72_u32);
    let mut is_first = true;
    while handled < total {
        let next = label.chars().map(u32::from).filter(|c| *c >= code_point).min()?;
        delta = delta.checked_add((next - code_point).checked_mul(handled + 1)?)?;
        code_point = next;
        for c in label.chars().map(u32::from) {
            if c < code_point {
                delta = delta.checked_add(1)?;
            }
            if c != code_point {
                continue;
            }
            let (mut rest, mut k) = (delta, BASE);
            loop {
                length += 1;
                let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
                if rest < threshold {
                    break;
                }
                rest = (rest - threshold) / (BASE - threshold);
                k += BASE;
            }
            handled += 1;
            delta /= if is_first { DAMP } else { 2 };
            is_first = false;
            delta += delta / handled;
            let mut steps = 0;
            while delta > (BASE - T_MIN) * T_MAX / 2 {
                delta /= BASE - T_MIN;
                steps += BASE;
            }
            bias = steps + (BASE - T_MIN + 1) * delta / (delta + SKEW);
            delta = 0;
        }
        delta += 1;
        code_point += 1;
    }
    Some(length)
}

/// `address-literal`: an IPv4 or IPv6 address in brackets.
fn is_address_literal(text: &str) -> bool {
    let Some(address) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) else {
        return false;
    };
    match address.strip_prefix("IPv6:") {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => address.parse::<Ipv4Addr>().is_ok(),
    }
}

/// Why a text is not an email address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidEmail {
    /// It has no `@`.
    NoAt,
    /// The text before the `@` is not a local part.
    LocalPart,
    /// The text after the `@` is not a domain.
    Domain,
    /// It has more than 254 octets.
    TooLong,
}

impl fmt::Display for InvalidEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAt => "must be an email address such as john@example.com",
            Self::LocalPart => {
                "must have a local part before the @ that RFC 5321 or RFC 6531 allows, of at most 64 bytes in UTF-8"
            }
            Self::Domain => {
                "must have a domain name after the @, with labels of at most 63 bytes, or an IP address in brackets"
            }
            Self::TooLong => "must have at most 254 bytes in UTF-8",
        })
    }
}

impl std::error::Error for InvalidEmail {}

#[cfg(test)]
mod tests;
