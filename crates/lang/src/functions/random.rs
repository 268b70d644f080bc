//! Chance. The bytes come from the context, where a caller gives them, else from the operating system.

use provost_model::Text;
use uuid::Uuid;

use super::Kind::{self, Integer};
use super::{Function, entry, example, form, needed, optional};
use crate::Context;
use crate::datum::Datum;
use crate::error::code;
use crate::program::{Arguments, Eval};

const DIGITS: &str = "0123456789";
const CAPITALS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
/// The special characters of Windows' password complexity rule.
const SPECIAL: &str = "~!@#$%^&*_-+=`|\\(){}[]:;\"'<>,.?/";
const MAX_LENGTH: i64 = 256;

pub(super) const FUNCTIONS: &[Function] = &[
    entry(
        "Guid",
        &[form(&[])],
        Kind::Text,
        guid,
        "A new random GUID, in lower case with dashes.",
        &[
            example("Guid()", "{}", r#""07070707-0707-4707-8707-070707070707""#).random(7),
            example("ToUpper(Guid())", "{}", r#""ABABABAB-ABAB-4BAB-ABAB-ABABABABABAB""#).random(0xAB),
            example("Left(Guid(), 8)", "{}", r#""07070707""#).random(7),
        ],
    )
    .edges(&[
        "A new one with every evaluation: use it in mappings that apply on creation only.",
        "Version 4: 122 random bits of the operating system.",
    ])
    .random(),
    entry(
        "RandomString",
        &[form(&[
            needed("length", Integer),
            needed("minimumNumbers", Integer),
            needed("minimumSpecialCharacters", Integer),
            needed("minimumCapital", Integer),
            needed("minimumLowerCase", Integer),
            optional("charactersToAvoid", Kind::Text),
        ])],
        Kind::Text,
        random_string,
        "Random characters: at least so many digits, special characters, capitals and small letters, the rest \
         of any of these, shuffled. The length is at most 256 and no less than the minimums together. For \
         initial passwords.",
        &[
            example("RandomString(6, 3, 0, 0, 3)", "{}", r#""7hhh77""#).random(7),
            example(
                r#"RandomString(8, 8, 0, 0, 0, "1234567890")"#,
                "{}",
                "PRV-0222: RandomString: `charactersToAvoid` leaves no characters to choose \
 from",
            )
            .random(7),
            example(
                "RandomString(2, 3, 0, 0, 0)",
                "{}",
                "PRV-0222: RandomString: `length` is not 1 to 256 or less than the minimums \
             together",
            )
            .random(7),
        ],
    )
    .edges(&[
        "A new one with every evaluation: use it in mappings that apply on creation only.",
        "Special characters are those of Windows' password rule: ~!@#$%^&*_-+=`|(){}[]:;\"'<>,.?/ and the \
         backslash.",
        "Minimums beyond the length, a length beyond 256, and characters to avoid that leave nothing are \
         errors.",
        "Wrap it in Redact, so that a password does not stand in logs.",
    ])
    .random(),
];

/// Random numbers below a bound, from a stock of bytes.
struct Dice<'a> {
    context: &'a Context<'a>,
    stock: Vec<u8>,
}

impl Dice<'_> {
    fn byte(&mut self) -> u8 {
        if self.stock.is_empty() {
            self.stock = random_bytes(self.context).to_vec();
        }
        self.stock.pop().unwrap_or_default()
    }

    /// Even chances for all, by throwing again what would favour the small. The bound is 1 to 256.
    fn below(&mut self, bound: usize) -> usize {
        let fair = 256 - 256 % bound;
        // A source that never gives a fair byte must not hang us.
        for _ in 0..1_000 {
            let byte = usize::from(self.byte());
            if byte < fair {
                return byte % bound;
            }
        }
        0
    }
}

fn random_bytes(context: &Context<'_>) -> [u8; 14] {
    let mut bytes = [0; 14];
    match context.random {
        Some(fill) => fill(&mut bytes),
        None => {
            // A version 4 UUID is 122 random bits; the two bytes that hold its version and variant are left out.
            let all = Uuid::new_v4().into_bytes();
            let random = all.iter().enumerate().filter(|(at, _)| !matches!(at, 6 | 8)).map(|(_, byte)| *byte);
            bytes.iter_mut().zip(random).for_each(|(to, from)| *to = from);
        }
    }
    bytes
}

fn guid<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let id = match call.context().random {
        Some(fill) => {
            let mut bytes = [0; 16];
            fill(&mut bytes);
            uuid::Builder::from_random_bytes(bytes).into_uuid()
        }
        None => Uuid::new_v4(),
    };
    Ok(Datum::text(compact_str::ToCompactString::to_compact_string(&id.as_hyphenated())))
}

fn random_string<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let length = call.needed_integer(0)?;
    let classes = [DIGITS, SPECIAL, CAPITALS, LOWER];
    let mut least = [0i64; 4];
    for (at, least) in least.iter_mut().enumerate() {
        *least = call.needed_integer(at + 1)?;
        if !(0..=MAX_LENGTH).contains(least) {
            return Err(call.wrong(at + 1, code::VALUE_RANGE, &format!("is not 0 to {MAX_LENGTH}"), None));
        }
    }
    if !(1..=MAX_LENGTH).contains(&length) || least.iter().sum::<i64>() > length {
        let what = format!("is not 1 to {MAX_LENGTH} or less than the minimums together");
        return Err(call.wrong(0, code::VALUE_RANGE, &what, None));
    }
    let avoid = call.text(5)?;
    let avoid = avoid.as_deref().unwrap_or_default();
    let allowed = classes.map(|class| class.chars().filter(|c| !avoid.contains(*c)).collect::<Vec<char>>());
    let any: Vec<char> = allowed.concat();
    let is_empty = |(class, least): (&Vec<char>, &i64)| class.is_empty() && *least > 0;
    if any.is_empty() || allowed.iter().zip(&least).any(is_empty) {
        return Err(call.wrong(5, code::VALUE_RANGE, "leaves no characters to choose from", None));
    }

    let mut dice = Dice { context: call.context(), stock: Vec::new() };
    let mut out: Vec<char> = Vec::with_capacity(length as usize);
    for (class, least) in allowed.iter().zip(least) {
        out.extend((0..least).map(|_| class[dice.below(class.len())]));
    }
    while out.len() < length as usize {
        out.push(any[dice.below(any.len())]);
    }
    // Fisher and Yates.
    for last in (1..out.len()).rev() {
        out.swap(last, dice.below(last + 1));
    }
    Ok(Datum::text(out.into_iter().collect::<Text>()))
}
