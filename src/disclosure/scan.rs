//! The last look at values: e-mail addresses, telephone numbers, IBANs and social-security numbers (NIR).

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use regex::Regex;

use crate::contract::arrow::Listed;

/// What kind of personal value a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// An e-mail address.
    Email,
    /// A French or international telephone number.
    Telephone,
    /// A bank account number with a right check.
    Iban,
    /// A French social-security number with a right key.
    Nir,
}

impl Finding {
    /// Code of the finding in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "courriel",
            Self::Telephone => "telephone",
            Self::Iban => "iban",
            Self::Nir => "nir",
        }
    }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the patterns of this file are tested")
}

static EMAIL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)[a-z0-9._%+-]+\s?(?:@|\[at\]|\(at\))\s?[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}"));
/// What stands between the digits of a telephone number: one mark, or one blank of any kind. A new line parts numbers.
const GAP: &str = r"[[\s&&[^\r\n]]./_‐‑-]?";
static TELEPHONE: LazyLock<Regex> = LazyLock::new(|| {
    let before = r"(?:^|[^\w.,+-]|\p{L}\.)";
    let after = r"(?:$|[^\w.,-]|[.,](?:\D|$))";
    let french = format!(r"(?:(?:\+{GAP}|00{GAP})33\)?{GAP}(?:\(0\){GAP}|0)?[1-9]|\(?0[1-9]\)?|\(0\){GAP}[1-9])");
    let pairs = format!(r"{french}(?:{GAP}[0-9]{{2}}){{4}}");
    let blank = r"[[\s&&[^\r\n]].‐‑-]";
    let threes = format!(
        r"0[1-9]{blank}[0-9]{{3}}{blank}(?:[0-9]{{3}}{blank}[0-9]{{2}}|[0-9]{{2}}{blank}[0-9]{{3}})|0[1-9][0-9]{{2}}{blank}[0-9]{{3}}{blank}[0-9]{{3}}"
    );
    // The countries of one digit have ten digits behind it.
    let between = r"[[\s&&[^\r\n]]()./_‐‑-]{0,2}";
    let abroad = format!(r"\+{GAP}(?:[17](?:{between}[0-9]){{10}}|[2-689](?:{between}[0-9]){{9,13}})");
    pattern(&format!("{before}(?:(?<french>{pairs}|{threes})|(?<abroad>{abroad})){after}"))
});
static IBAN: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b[a-z]{2}[0-9]{2}"));
static NIR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b[1-478]\s?[0-9]{2}\s?(?:0[1-9]|1[0-2]|[2-9][0-9])\s?(?:[0-9]{2}|2[ab])\s?[0-9]{3}\s?[0-9]{3}\s?[0-9]{2}\b",
    )
});

/// Lengths of IBANs and the countries that have them, of the register of ISO 13616 (SWIFT, release 100) and of banks that
/// follow it. The territories of France and of the United Kingdom write FR and GB.
const IBAN_LENGTHS: [(usize, &str); 18] = [
    (15, "NO"),
    (16, "BE"),
    (18, "DK FI FK FO GL NL SD"),
    (19, "MK SI"),
    (20, "AT BA EE KZ LT LU MN XK"),
    (21, "CH HR LI LV"),
    (22, "BG BH CR DE GB GE IE ME RS VA"),
    (23, "AE GI IL IQ OM SO TL"),
    (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
    (25, "AO CV GW LY MZ PT ST"),
    (26, "DZ IR IS TR"),
    (27, "BI CF CG CM DJ FR GA GQ GR IT KM MC MG MR SM TD"),
    (28, "AL AZ BF BJ BY CI CY DO GT HN HU LB MA ML NE NI PL SN SV TG"),
    (29, "BR EG PS QA UA"),
    (30, "JO KW MU YE"),
    (31, "MT SC"),
    (32, "LC"),
    (33, "RU"),
];

/// The first personal value in a text.
pub fn find(text: &str) -> Option<Finding> {
    let bytes = text.as_bytes();
    // Counted to the end, so that many bytes are looked at at once.
    let marked = memchr::memchr(b'@', bytes).is_some();
    let words = bytes.iter().zip(bytes.iter().skip(1)).filter(|pair| *pair == (&b'a', &b't')).count();
    if (marked || words > 0) && EMAIL.is_match(text) {
        return Some(Finding::Email);
    }
    // Most cells end here: no other value has fewer digits, and a telephone number has a zero or a plus.
    if bytes.iter().filter(|byte| byte.is_ascii_digit()).count() < 10 {
        return None;
    }
    if next(Finding::Iban, text, 0).is_some() {
        return Some(Finding::Iban);
    }
    if next(Finding::Nir, text, 0).is_some() {
        return Some(Finding::Nir);
    }
    let dials = bytes.iter().any(|byte| matches!(byte, b'0' | b'+'));
    (dials && next(Finding::Telephone, text, 0).is_some()).then_some(Finding::Telephone)
}

/// The text with its personal values struck out, for cells that may not be empty.
pub fn struck_out(text: &str) -> String {
    let mut rest = text.to_owned();
    for finding in [Finding::Email, Finding::Iban, Finding::Nir, Finding::Telephone] {
        let mut at = 0;
        while let Some(found) = next(finding, &rest, at) {
            at = found.start + " […] ".len();
            rest.replace_range(found, " […] ");
        }
    }
    if find(&rest).is_some() { "[…]".to_owned() } else { rest.trim().to_owned() }
}

/// A text without its e-mail addresses, telephone numbers, IBANs and NIRs; as it is where it has none.
pub fn without(text: &str) -> Cow<'_, str> {
    if find(text).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(struck_out(text).replace("  […]", " […]").replace("[…]  ", "[…] "))
}

/// Where the next value of a kind stands in a text, from a byte on.
fn next(finding: Finding, text: &str, mut from: usize) -> Option<Range<usize>> {
    let pattern = match finding {
        Finding::Email => &EMAIL,
        Finding::Telephone => &TELEPHONE,
        Finding::Iban => &IBAN,
        Finding::Nir => &NIR,
    };
    // What looks like a value and is none may overlap one: the search goes on behind its first character.
    while let Some(found) = pattern.captures_at(text, from) {
        let (french, abroad) = (found.name("french"), found.name("abroad"));
        let value = french.or(abroad).or_else(|| found.get(0))?;
        let end = match finding {
            Finding::Email => Some(value.end()),
            Finding::Telephone if abroad.is_some() => is_abroad(value.as_str()).then_some(value.end()),
            Finding::Telephone => is_french(value.as_str()).then_some(value.end()),
            Finding::Iban => iban_end(text, value.start()),
            Finding::Nir => nir_is_right(value.as_str()).then_some(value.end()),
        };
        if let Some(end) = end {
            return Some(value.start()..end);
        }
        from = value.start() + 1;
    }
    None
}

/// Groups of digits, and the marks between them.
fn groups(text: &str) -> (Vec<&str>, Vec<&str>) {
    let digits = text.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty());
    let gaps = text.split(|c: char| c.is_ascii_digit()).filter(|gap| !gap.is_empty());
    (digits.collect(), gaps.collect())
}

/// Whether ten digits are a telephone number rather than a date and an hour.
fn is_french(text: &str) -> bool {
    let (digits, gaps) = groups(text);
    if let [day, month, year, ..] = digits.as_slice() {
        let is_year = year.len() == 4 && (year.starts_with("19") || year.starts_with("20"));
        if is_year && day.len() == 2 && month.len() == 2 && *month <= "12" {
            return false;
        }
    }
    // Marks that also stand in dates and names of files stand between all pairs or none.
    let marked = gaps.iter().find(|gap| matches!(**gap, "/" | "_"));
    text.starts_with(['+', '('])
        || text.starts_with("00")
        || marked.is_none_or(|mark| gaps.iter().all(|gap| gap == mark) && digits.iter().all(|pair| pair.len() == 2))
}

/// Whether digits behind a plus are a telephone number rather than coordinates.
fn is_abroad(text: &str) -> bool {
    let (digits, gaps) = groups(text);
    let gaps = gaps.get(1..).unwrap_or_default();
    !text.contains('.')
        || (gaps.len() >= 3 && gaps.iter().all(|gap| *gap == ".") && digits.iter().all(|group| group.len() <= 4))
}

/// Where the IBAN ends that starts at a byte: as long as its country has them, in groups or not, with a right check.
fn iban_end(text: &str, start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    let country = rest.get(..2)?.to_ascii_uppercase();
    let (length, _) = IBAN_LENGTHS.iter().find(|(_, countries)| countries.split(' ').any(|known| known == country))?;
    let mut compact = Vec::with_capacity(*length);
    let mut gap = false;
    for (at, c) in rest.char_indices() {
        if c.is_ascii_alphanumeric() {
            compact.extend(u8::try_from(c.to_ascii_uppercase()));
            gap = false;
        } else if !gap && (c.is_whitespace() || matches!(c, '-' | '‐' | '‑' | '.')) {
            gap = true;
        } else {
            return None;
        }
        if compact.len() == *length {
            let ends = !rest.get(at + 1..)?.starts_with(char::is_alphanumeric);
            let digits = compact.iter().filter(|byte| byte.is_ascii_digit()).count();
            return (ends && digits >= 10 && iban_is_right(&compact)).then_some(start + at + 1);
        }
    }
    None
}

/// ISO 13616: country and check moved to the end, letters as 10 to 35, remainder by 97 is 1.
fn iban_is_right(compact: &[u8]) -> bool {
    let (Some(head), Some(tail)) = (compact.get(..4), compact.get(4..)) else { return false };
    let rest = tail.iter().chain(head).fold(0_u64, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u64::from(byte - b'0')) % 97,
        _ => (rest * 100 + u64::from(byte - b'A') + 10) % 97,
    });
    rest == 1
}

/// INSEE: the key is 97 less the remainder of the number by 97, with 2A as 19 and 2B as 18.
fn nir_is_right(text: &str) -> bool {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let compact = compact.to_ascii_uppercase().replace("2A", "19").replace("2B", "18");
    let (Some(number), Some(key)) = (compact.get(..13), compact.get(13..)) else { return false };
    match (number.parse::<u64>(), key.parse::<u64>()) {
        (Ok(number), Ok(key)) => key == 97 - number % 97,
        _ => false,
    }
}

/// A personal value in a batch: column, row within the batch, kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The column.
    pub column: String,
    /// Row of the batch, from 0.
    pub row: usize,
    /// What it holds.
    pub finding: Finding,
}

/// All hits in the text columns of a batch.
pub fn batch(batch: &RecordBatch) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let mut take = |row: usize, text: &str| {
            if let Some(finding) = find(text) {
                hits.push(Hit { column: field.name().clone(), row, finding });
            }
        };
        match field.data_type() {
            DataType::Utf8 => {
                let texts: &StringArray = column.as_string();
                texts.iter().enumerate().for_each(|(row, text)| text.into_iter().for_each(|text| take(row, text)));
            }
            DataType::List(item) if item.data_type() == &DataType::Utf8 => {
                for (row, list) in column.as_list::<i32>().iter().enumerate() {
                    let Some(list) = list else { continue };
                    list.as_string::<i32>().iter().flatten().for_each(|text| take(row, text));
                }
            }
            DataType::Dictionary(..) => listed(column, &mut take),
            _ => {}
        }
    }
    hits
}

/// The texts of a dictionary are looked at once each; its rows only when one of them holds something.
fn listed(column: &ArrayRef, take: &mut dyn FnMut(usize, &str)) {
    let Some(listed) = Listed::of(column) else { return };
    if listed.texts.iter().flatten().any(|text| find(text).is_some()) {
        (0..listed.rows()).for_each(|row| listed.text(row).into_iter().for_each(|text| take(row, text)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::email("écrire à jean.dupont@example.org svp", Some(Finding::Email))]
    #[case::disguised_email("contact [at] exemple.fr", Some(Finding::Email))]
    #[case::telephone("tél. 02 99 12 34 56", Some(Finding::Telephone))]
    #[case::telephone_in_dots("06.12.34.56.78", Some(Finding::Telephone))]
    #[case::telephone_abroad("+33 6 12 34 56 78", Some(Finding::Telephone))]
    #[case::telephone_at_the_end_of_a_sentence("Appeler le 0612345678.", Some(Finding::Telephone))]
    #[case::iban("FR14 2004 1010 0505 0001 3M02 606", Some(Finding::Iban))]
    #[case::iban_with_a_wrong_check("FR15 2004 1010 0505 0001 3M02 606", None)]
    #[case::nir("2 55 08 14 168 025 38", Some(Finding::Nir))]
    #[case::no_break_spaces("06\u{a0}12\u{a0}34\u{a0}56\u{a0}78", Some(Finding::Telephone))]
    #[case::narrow_no_break_spaces("06\u{202f}12\u{202f}34\u{202f}56\u{202f}78", Some(Finding::Telephone))]
    #[case::thin_spaces("06\u{2009}12\u{2009}34\u{2009}56\u{2009}78", Some(Finding::Telephone))]
    #[case::tabs("06\t12\t34\t56\t78", Some(Finding::Telephone))]
    #[case::slashes("06/12/34/56/78", Some(Finding::Telephone))]
    #[case::low_lines("06_12_34_56_78", Some(Finding::Telephone))]
    #[case::hyphens("06-12-34-56-78", Some(Finding::Telephone))]
    #[case::first_pair_in_brackets("(06) 12 34 56 78", Some(Finding::Telephone))]
    #[case::zero_in_brackets("(0)6 12 34 56 78", Some(Finding::Telephone))]
    #[case::country_in_brackets("(+33) 6 12 34 56 78", Some(Finding::Telephone))]
    #[case::country_and_zero("+33 (0)6 12 34 56 78", Some(Finding::Telephone))]
    #[case::country_behind_zeros("00 33 6 12 34 56 78", Some(Finding::Telephone))]
    #[case::dot_behind_a_word("tél.06.12.34.56.78", Some(Finding::Telephone))]
    #[case::threes("06 123 456 78", Some(Finding::Telephone))]
    #[case::overseas("+262 692 12 34 56", Some(Finding::Telephone))]
    #[case::belgium("+32 475 12 34 56", Some(Finding::Telephone))]
    #[case::denmark("+4512345678", Some(Finding::Telephone))]
    #[case::united_states("+1.415.555.2671", Some(Finding::Telephone))]
    #[case::behind_a_date("le 01/02/2025 06 12 34 56 78", Some(Finding::Telephone))]
    #[case::iban_in_lower_case("fr14 2004 1010 0505 0001 3m02 606 merci", Some(Finding::Iban))]
    #[case::iban_with_hyphens("FR14-2004-1010-0505-0001-3M02-606", Some(Finding::Iban))]
    #[case::iban_with_no_break_spaces(
        "IBAN : FR14\u{a0}2004\u{a0}1010\u{a0}0505\u{a0}0001\u{a0}3M02\u{a0}606.",
        Some(Finding::Iban)
    )]
    #[case::iban_before_a_word("BE68 5390 0754 7034 avec", Some(Finding::Iban))]
    #[case::nir_with_no_break_spaces("2\u{a0}55\u{a0}08\u{a0}14\u{a0}168\u{a0}025\u{a0}38", Some(Finding::Nir))]
    #[case::decimal_comma("0,6123", None)]
    #[case::decimal_comma_of_many_digits("0,6123456789", None)]
    #[case::signed_coordinates("+48.85661312, +2.35222212", None)]
    #[case::signed_coordinates_with_a_blank("+48.8566 2.3522", None)]
    #[case::long_coordinates("48.0612345678 2.35222190000001", None)]
    #[case::siret_in_groups("732 829 320 00074", None)]
    #[case::siret_with_no_break_spaces("732\u{a0}829\u{a0}320\u{a0}00074", None)]
    #[case::siren_in_groups("012 345 678", None)]
    #[case::nine_digits("612345678", None)]
    #[case::insee_codes("01053 01054 2A004", None)]
    #[case::dates("du 01/02/2025 au 10/03/2025", None)]
    #[case::dates_that_touch("01/02/2025-10/03/2025", None)]
    #[case::date_and_hour("01/02/2025 10:30", None)]
    #[case::date_in_dots_and_hour("01.02.2025 10:30", None)]
    #[case::timestamp_with_a_zone("2025-01-02T03:04:05+02:00", None)]
    #[case::price("+1 234 567 890 €", None)]
    #[case::prices("1 234,50 € puis 12 345 678,90 €", None)]
    #[case::numbers_on_lines("01\n02\n03\n04\n05", None)]
    #[case::siret("73282932000074", None)]
    #[case::siren("732829320", None)]
    #[case::coordinates("48.856613, 2.352222", None)]
    #[case::timestamp("2026-11-22T20:19:12", None)]
    #[case::number("0123456789.25", None)]
    #[case::handle_without_domain("@essaim", None)]
    #[case::sentence("Nous accompagnons 62 structures depuis 2014", None)]
    fn personal_values_are_found_and_public_ones_are_not(#[case] text: &str, #[case] finding: Option<Finding>) {
        assert_eq!(find(text), finding);
    }

    #[rstest]
    #[case::email("Chez Paul, paul@exemple.fr", "Chez Paul, […]")]
    #[case::both("tél. 02 99 12 34 56 ou a@b.fr", "tél. […] ou […]")]
    #[case::beside_a_date("le 01/02/2025 (06) 12 34 56 78.", "le 01/02/2025 […] .")]
    #[case::iban("fr14-2004-1010-0505-0001-3m02-606 merci", "[…] merci")]
    #[case::nothing("Chez Paul", "Chez Paul")]
    fn personal_values_are_struck_out(#[case] text: &str, #[case] expected: &str) {
        let found = struck_out(text);
        assert_eq!(found.split_whitespace().collect::<Vec<_>>().join(" "), expected);
        assert_eq!(find(&found), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_scan_fail(text in ".*") {
            let _ = find(&text);
        }
    }

    /// The examples of the register of ISO 13616.
    const REGISTER: &str = "AD1200012030200359100100 AE070331234567890123456 AL47212110090000000235698741 AT611904300234573201 \
        AZ21NABZ00000000137010001944 BA391290079401028494 BE68539007547034 BG80BNBG96611020345678 BH67BMAG00001299123456 \
        BI4210000100010000332045181 BR1800360305000010009795493C1 BY13NBRB3600900000002Z00AB00 CH9300762011623852957 \
        CR05015202001026284066 CY17002001280000001200527600 CZ6508000000192000145399 DE89370400440532013000 \
        DJ2100010000000154000100186 DK5000400440116243 DO28BAGR00000001212453611324 EE382200221020145685 \
        EG380019000500000000263180002 ES9121000418450200051332 FI2112345600000785 FK88SC123456789012 FO6264600001631634 \
        FR1420041010050500013M02606 GB29NWBK60161331926819 GE29NB0000000101904917 GI75NWBK000000007099453 \
        GL8964710001000206 GR1601101250000000012300695 GT82TRAJ01020000001210029690 HN88CABF00000000000250005469 \
        HR1210010051863000160 HU42117730161111101800000000 IE29AIBK93115212345678 IL620108000000099999999 \
        IQ98NBIQ850123456789012 IS140159260076545510730339 IT60X0542811101000000123456 JO94CBJO0010000000000131000302 \
        KW81CBKU0000000000001234560101 KZ86125KZT5004100100 LB62099900000001001901229114 LC55HEMM000100010012001200023015 \
        LI21088100002324013AA LT121000011101001000 LU280019400644750000 LV80BANK0000435195001 LY83002048000020100120361 \
        MC5811222000010123456789030 MD24AG000225100013104168 ME25505000012345678951 MK07250120000058984 \
        MN121234123456789123 MR1300020001010000123456753 MT84MALT011000012345MTLCAST001S MU17BOMM0101101030300200000MUR \
        NI45BAPR00000013000003558124 NL91ABNA0417164300 NO9386011117947 OM810180000001299123456 PK36SCBL0000001123456702 \
        PL61109010140000071219812874 PS92PALS000000000400123456702 PT50000201231234567890154 QA58DOHB00001234567890ABCDEFG \
        RO49AAAA1B31007593840000 RS35260005601001611379 RU0304452522540817810538091310419 SA0380000000608010167519 \
        SC18SSCB11010000000000001497USD SD2129010501234001 SE4550000000058398257466 SI56263300012039086 \
        SK3112000000198742637541 SM86U0322509800000000270100 SO211000001001000100141 ST23000100010051845310146 \
        SV62CENR00000000000000700025 TL380080012345678910157 TN5910006035183598478831 TR330006100519786457841326 \
        UA213223130000026007233566001 VA59001123000012345678 VG96VPVG0000012345678901 XK051212012345678906 \
        YE15CBYE0001018861234567891234";

    #[test]
    fn every_example_of_the_register_of_ibans_is_found_and_none_with_another_check_or_length() {
        let examples: Vec<&str> = REGISTER.split_whitespace().collect();
        assert_eq!(examples.len(), 89);
        for example in examples {
            assert_eq!(find(example), Some(Finding::Iban), "{example}");
            let (head, tail) = example.split_at(4);
            let (country, check) = head.split_at(2);
            let wrong = format!("{country}{}{tail}", if check == "14" { "15" } else { "14" });
            assert_ne!(find(&wrong), Some(Finding::Iban), "{wrong}");
            assert_ne!(find(&format!("{example}0")), Some(Finding::Iban), "{example}0");
        }
    }
}
