//! Dates. Between these functions a date is a UTC date-time; as a result it prints `M/d/yyyy h:mm:ss tt`. Null and empty
//! sources give null, so that a missing date is no error.

use jiff::civil::DateTime;
use provost_model::{Text, Value};

use super::Kind::{self, Date, Integer};
use super::{Form, Function, entry, example, form, needed, optional};
use crate::LangError;
use crate::dates::{self, Interval, NEVER, Pattern};
use crate::datum::{Datum, NULL};
use crate::error::code;
use crate::program::{Arguments, Eval, Node, Prepared, Stop};

const INTERVAL: Kind = Kind::Word(Interval::CODES);
const STYLES: Kind = Kind::Words(&[
    "None",
    "AllowLeadingWhite",
    "AllowTrailingWhite",
    "AllowInnerWhite",
    "AllowWhiteSpaces",
    "NoCurrentDateDefault",
    "AdjustToUniversal",
    "AssumeLocal",
    "AssumeUniversal",
    "RoundtripKind",
]);

const FORMAT_FORMS: &[Form] = &[
    form(&[needed("source", Kind::Any), optional("inputFormat", Kind::Text), needed("outputFormat", Kind::Text)]),
    form(&[
        needed("source", Kind::Any),
        optional("dateTimeStyles", STYLES),
        optional("inputFormat", Kind::Text),
        needed("outputFormat", Kind::Text),
    ]),
];

pub(super) const FUNCTIONS: &[Function] = &[
    entry(
        "Now",
        &[form(&[])],
        Date,
        |call| Ok(Datum::Moment(dates::from_timestamp(call.context().now))),
        "The time of the cycle in UTC.",
        &[
            example("DateDiff(\"yyyy\", Now(), Now())", "{}", "0"),
            example("Now()", "{}", r#""7/30/2025 12:00:00 PM""#).at("2025-07-30T12:00:00Z"),
            example(r#"FormatDateTime(Now(), , , "yyyy-MM-dd")"#, "{}", r#""2025-07-30""#).at("2025-07-30T12:00:00Z"),
        ],
    )
    .edges(&[
        "The same in all mappings of a cycle.",
        "A mapping with it is computed anew in every cycle, whether its source changed or not.",
        "To the second when printed; comparisons see fractions.",
    ])
    .volatile(),
    entry(
        "CDate",
        &[form(&[needed("dateString", Date)])],
        Date,
        |call| date_or_null(call.moment(0)?),
        "The date of a text: ISO 8601, M/d/yyyy with or without a time, or with the month's English name. An \
         offset is applied; without one the text is UTC.",
        &[
            example("CDate([hired])", r#"{"hired":"2020-03-16-07:00"}"#, r#""3/16/2020 7:00:00 AM""#),
            example("CDate([hired])", r#"{"hired":""}"#, "null"),
            example(r#"CDate("15 June 2009 1:45 PM")"#, "{}", r#""6/15/2009 1:45:00 PM""#),
        ],
    )
    .edges(&[
        "Null and empty give null; what is no date is an error.",
        "Month before day: 3/4/2024 is the fourth of March. FormatDateTime reads other orders.",
        "Two-digit years mean 1950 to 2049.",
        "Years 1 to 9999; a bare number is no date.",
    ]),
    entry(
        "DateAdd",
        &[form(&[needed("interval", INTERVAL), needed("value", Integer), needed("dateTime", Date)])],
        Date,
        date_add,
        "The date so many intervals later, or earlier for a negative value. Intervals: yyyy, m, d, ww (week), \
         h, n (minute), s. Years and months end at the last day of a shorter month.",
        &[
            example("DateAdd(\"d\", 7, [hired])", r#"{"hired":"2012-03-16"}"#, r#""3/23/2012 12:00:00 AM""#),
            example("DateAdd(\"m\", \"1\", CDate(\"2024-01-31\"))", "{}", r#""2/29/2024 12:00:00 AM""#),
            example(r#"DateAdd("yyyy", -1, "2024-02-29")"#, "{}", r#""2/28/2023 12:00:00 AM""#),
        ],
    )
    .edges(&[
        "Null when the value or the date is null or empty.",
        "A date outside of the years 1 to 9999 is an error.",
        "The value is a whole number or its text.",
    ]),
    entry(
        "DateDiff",
        &[form(&[needed("interval", INTERVAL), needed("date1", Date), needed("date2", Date)])],
        Integer,
        date_diff,
        "How many intervals from the first date to the second; negative when the second is earlier. yyyy and \
         m compare the calendar's numbers, ww counts Sundays, the others cut elapsed time toward zero.",
        &[
            example("DateDiff(\"d\", \"2021-08-18\", \"2021-08-31\")", "{}", "13"),
            example("DateDiff(\"m\", \"2024-01-31\", \"2024-02-01\")", "{}", "1"),
            example(r#"DateDiff("d", Now(), [end])"#, r#"{"end":"2025-07-25"}"#, "-5").at("2025-07-30T12:00:00Z"),
        ],
    )
    .edges(&[
        "Null when either date is null or empty, so that a comparison with it fails.",
        "A year lies between 12/31 and the 1/1 after it.",
    ]),
    entry(
        "DateFromNum",
        &[form(&[needed("value", Integer)])],
        Date,
        date_from_num,
        "The date of an Active Directory number: 100 ns ticks since 1601. Null for \"never\" \
         (9223372036854775807).",
        &[
            example("DateFromNum([expires])", r#"{"expires":"132398496000000000"}"#, r#""7/22/2020 12:00:00 AM""#),
            example("DateFromNum(9223372036854775807)", "{}", "null"),
            example("DateFromNum(0)", "{}", r#""1/1/1601 12:00:00 AM""#),
        ],
    )
    .edges(&[
        "Null stays null.",
        "A number outside of the years 1 to 9999 is an error.",
        "0 is the first of January 1601.",
    ]),
    entry(
        "NumFromDate",
        &[form(&[needed("value", Date)])],
        Integer,
        num_from_date,
        "The Active Directory number of a date.",
        &[
            example("NumFromDate(\"2020-07-22 00:00:00-08:00\")", "{}", "132398784000000000"),
            example("NumFromDate([a])", "{}", "null"),
            example(r#"NumFromDate(CDate("1601-01-02"))"#, "{}", "864000000000"),
        ],
    )
    .edges(&["Null and empty give null.", "Any date that CDate reads; before 1601 the number is negative."]),
    entry(
        "FormatDateTime",
        FORMAT_FORMS,
        Kind::Text,
        format_date,
        "A date text of one .NET pattern in another. The styles are accepted and may be left out: blanks \
         around the text are skipped and an offset is applied in any case. A date from CDate, DateAdd or Now \
         needs no input pattern.",
        &[
            example(
                "FormatDateTime([a], , \"yyyyMMddHHmmss.fZ\", \"yyyy-MM-dd\")",
                r#"{"a":"20150123105347.1Z"}"#,
                r#""2015-01-23""#,
            ),
            example("FormatDateTime([a], \"dd.MM.yyyy\", \"s\")", r#"{"a":"31.12.2024"}"#, r#""2024-12-31T00:00:00""#),
            example(r#"FormatDateTime(Now(), , , "yyyyMMdd")"#, "{}", r#""20250730""#).at("2025-07-30T12:00:00Z"),
            example(
                r#"FormatDateTime([a], "AllowInnerWhite, AssumeUniversal", "M/d/yyyy", "s")"#,
                r#"{"a":"1 / 2 / 2024"}"#,
                r#""2024-01-02T00:00:00""#,
            ),
        ],
    )
    .edges(&[
        "Null and empty give null; a text that does not have the input format is an error.",
        "Without an input format the text is read as CDate reads it.",
        "Styles are words of .NET, several between commas. AllowInnerWhite skips blanks between the parts; \
         the others say what happens in any case.",
        "`yyyy` takes four digits, no fewer; `M`, `d`, `H` and the like take one or two.",
        "Custom specifiers: d dd ddd dddd f to fffffff F to FFFFFFF g h hh H HH K m mm M MM MMM MMMM s ss t \
         tt y yy yyyy z zz zzz, texts in quotes, \\ and %. Standard patterns: d D f F g G m o r s t T u U y.",
        "English names, as in .NET's invariant culture; the result is UTC.",
    ])
    .prepared(prepare_formats),
];

fn date_or_null<'a>(moment: Option<DateTime>) -> Eval<'a> {
    Ok(moment.map_or(NULL, Datum::Moment))
}

fn interval(call: &Arguments<'_, '_>) -> Result<Interval, Stop> {
    let code = call.text(0)?;
    let code = code.as_deref().unwrap_or_default();
    Interval::parse(code).ok_or_else(|| {
        call.wrong(0, code::VALUE_TEXT, "is no interval", Some(Text::from(code)))
            .hint(format!("intervals: {}", Interval::CODES.join(", ")))
    })
}

fn date_add<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let interval = interval(call)?;
    let (Some(count), Some(moment)) = (call.integer(1)?, call.moment(2)?) else { return Ok(NULL) };
    match dates::add(moment, interval, count) {
        Some(sum) => Ok(Datum::Moment(sum)),
        None => Err(call.fail(code::VALUE_RANGE, "the date is outside of the years 1 to 9999")),
    }
}

fn date_diff<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let interval = interval(call)?;
    let (Some(from), Some(to)) = (call.moment(1)?, call.moment(2)?) else { return Ok(NULL) };
    Ok(Datum::Own(Value::Integer(dates::difference(interval, from, to))))
}

fn date_from_num<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    match call.integer(0)? {
        None | Some(NEVER) => Ok(NULL),
        Some(ticks) => match dates::from_ticks(ticks) {
            Some(moment) => Ok(Datum::Moment(moment)),
            None => Err(call.fail(code::VALUE_RANGE, "the date is outside of the years 1 to 9999")),
        },
    }
}

fn num_from_date<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    Ok(call.moment(0)?.map_or(NULL, |moment| Datum::Own(Value::Integer(dates::to_ticks(moment)))))
}

/// Where the input pattern stands; the output pattern follows it.
fn input_at(arguments: usize) -> usize {
    if arguments == 3 { 1 } else { 2 }
}

fn prepare_formats(
    slots: &[Option<Node>],
    _: &std::ops::Range<usize>,
    _: &crate::Environment,
) -> Result<Prepared, Vec<LangError>> {
    let mut errors = Vec::new();
    let mut read = |slot: usize| {
        let node = slots.get(slot)?.as_ref()?;
        match Pattern::parse(node.constant_text()?) {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                let error = LangError::new(code::DATE_PATTERN, node.span.clone(), message);
                errors.push(error.hint("patterns are those of .NET, as in yyyy-MM-dd HH:mm:ss"));
                None
            }
        }
    };
    let input = input_at(slots.len());
    let patterns = [read(input), read(input + 1)];
    if errors.is_empty() { Ok(Prepared::DatePatterns(Box::new(patterns))) } else { Err(errors) }
}

fn format_date<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let source = call.single(0)?;
    if source.is_unassigned() {
        return Ok(NULL);
    }
    let input = input_at(call.len());
    let moment = match source {
        Datum::Moment(moment) => moment,
        other => {
            let Some(text) = call.as_str_of(0, other)? else { return Ok(NULL) };
            let moment = if call.is_given(input) {
                let skips_blanks = skips_blanks(call)?;
                with_pattern(call, input, 0, |pattern| pattern.read(&text, skips_blanks))?
            } else {
                dates::parse(&text)
            };
            let what = if call.is_given(input) { "does not have the input format" } else { "is no date" };
            moment.ok_or_else(|| call.wrong(0, code::VALUE_TEXT, what, Some(text.into_text())))?
        }
    };
    Ok(Datum::text(with_pattern(call, input + 1, 1, |pattern| pattern.print(moment))?))
}

/// Whether the styles let blanks stand between the parts. The other styles are how dates are read in any case.
fn skips_blanks(call: &Arguments<'_, '_>) -> Result<bool, Stop> {
    if call.len() == 3 {
        return Ok(false);
    }
    let Some(styles) = call.text(1)? else { return Ok(false) };
    if !STYLES.has_word(&styles) {
        let found = Some(styles.into_text());
        return Err(call.wrong(1, code::VALUE_TEXT, "is no style", found).hint("AllowInnerWhite, for example"));
    }
    let allows =
        |style: &str| ["AllowInnerWhite", "AllowWhiteSpaces"].iter().any(|word| word.eq_ignore_ascii_case(style));
    Ok(styles.split(',').map(str::trim).any(allows))
}

/// Uses the pattern of an argument, prepared or read now.
fn with_pattern<T>(
    call: &Arguments<'_, '_>,
    at: usize,
    which: usize,
    then: impl FnOnce(&Pattern) -> T,
) -> Result<T, Stop> {
    if let Prepared::DatePatterns(patterns) = call.prepared()
        && let Some(pattern) = &patterns[which]
    {
        return Ok(then(pattern));
    }
    let text = call.text(at)?;
    match Pattern::parse(text.as_deref().unwrap_or_default()) {
        Ok(pattern) => Ok(then(&pattern)),
        Err(message) => Err(call.wrong(at, code::VALUE_TEXT, "is no date pattern", None).hint(message)),
    }
}
