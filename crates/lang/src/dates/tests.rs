use super::*;

#[test]
fn reads_what_hr_systems_send() {
    for (text, want) in [
        ("2020-03-16", "3/16/2020 12:00:00 AM"),
        ("2020-03-16-07:00", "3/16/2020 7:00:00 AM"),
        ("2009-06-15T01:45:30-07:00", "6/15/2009 8:45:30 AM"),
        ("2009-06-15T01:45:30.5Z", "6/15/2009 1:45:30 AM"),
        ("2009-06-15 01:45:30 +0200", "6/14/2009 11:45:30 PM"),
        ("2009-06-15T01:45", "6/15/2009 1:45:00 AM"),
        ("8/25/2021 5:41:18 PM", "8/25/2021 5:41:18 PM"),
        ("8/25/2021", "8/25/2021 12:00:00 AM"),
        ("08-25-2021 12:05 am", "8/25/2021 12:05:00 AM"),
        ("1/2/49", "1/2/2049 12:00:00 AM"),
        ("1/2/50", "1/2/1950 12:00:00 AM"),
        ("2021/8/5", "8/5/2021 12:00:00 AM"),
        ("15 June 2009", "6/15/2009 12:00:00 AM"),
        ("15-Jun-09", "6/15/2009 12:00:00 AM"),
        ("Monday, June 15, 2009 1:45:30 PM", "6/15/2009 1:45:30 PM"),
        ("Mon, 15 Jun 2009 20:45:30 GMT", "6/15/2009 8:45:30 PM"),
        ("9999-12-31", "12/31/9999 12:00:00 AM"),
        ("9999-12-31T23:59:59Z", "12/31/9999 11:59:59 PM"),
        (" 2020-02-29 ", "2/29/2020 12:00:00 AM"),
    ] {
        assert_eq!(parse(text).map(print).as_deref(), Some(want), "{text}");
    }
    for text in [
        "",
        "soon",
        "2021",
        "20210825",
        "2021-02-29",
        "2021-13-01",
        "25/8/2021",
        "0000-01-01",
        "2021-08-25x",
        "2021-08-25T25:00:00",
        "0001-01-01T00:00:00+05:00",
        "2021-08-25T",
        "1:2:3",
        "−",
        "2021-08-25T10:00:00+99:00",
        "13/1/2020 13:00 PM",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn reads_and_prints_by_net_patterns() {
    for (text, input, output, want) in [
        ("20150123105347.1Z", "yyyyMMddHHmmss.fZ", "yyyy-MM-dd", "2015-01-23"),
        ("7/30/2025 12:00:00 AM", "M/d/yyyy h:mm:ss tt", "yyyy-MM-dd", "2025-07-30"),
        ("1/5/2025 03:04:05 PM", "M/d/yyyy hh:mm:ss tt", "s", "2025-01-05T15:04:05"),
        ("2020-03-16-07:00", "yyyy-MM-ddzzz", "yyyy-MM-dd HH:mm:ss zzz", "2020-03-16 07:00:00 +00:00"),
        ("05/04/21", "dd/MM/yy", "d MMM yyyy", "5 Apr 2021"),
        ("2021-04-05", "yyyy-MM-dd", "dddd, dd MMMM yyyy", "Monday, 05 April 2021"),
        ("2021-04-05", "yyyy-MM-dd", "'week of' MMM d \\d", "week of Apr 5 d"),
        ("2021-04-05T01:02:03.1200000Z", "o", "HH:mm:ss.FFF", "01:02:03.12"),
        ("2021-04-05T01:02:03.0000000Z", "o", "HH:mm:ss.FFF", "01:02:03"),
        ("2021-04-05", "yyyy-MM-dd", "o", "2021-04-05T00:00:00.0000000Z"),
        ("Mon, 05 Apr 2021 01:02:03 GMT", "r", "yyMMddHHmmss", "210405010203"),
        ("12:30", "HH:mm", "h:mm t", "12:30 P"),
        ("31.1.2024", "d.M.yyyy", "%d", "31"),
        ("1/2/2024", "M/d/yyyy", "d dd ddd dddd", "2 02 Tue Tuesday"),
        ("1/2/24", "M/d/yy", "y yy yyy yyyy yyyyy", "24 24 2024 2024 02024"),
        ("1/2/9", "M/d/y", "yyyy", "2009"),
        ("02024-01-02", "yyyyy-MM-dd", "M MM MMM MMMM", "1 01 Jan January"),
        ("2024-01-02 5:6:7", "yyyy-MM-dd H:m:s", "h hh H HH m mm s ss", "5 05 5 05 6 06 7 07"),
        ("2024-01-02 15:00:00.1234567", "yyyy-MM-dd HH:mm:ss.fffffff", "t tt f ff fff ffff", "P PM 1 12 123 1234"),
        ("2024-01-02 15:00:00.12", "yyyy-MM-dd HH:mm:ss.FFFFFFF", "F_FF_FFF;", "1_12_12;"),
        ("2024-01-02 15:00:00", "yyyy-MM-dd HH:mm:ss.FFFFFFF", "HH:mm:ss.FFF", "15:00:00"),
        ("2024-01-02 15 +02", "yyyy-MM-dd HH zz", "HH z zz zzz K", "13 +0 +00 +00:00 Z"),
        ("2024-01-02 A.D.", "yyyy-MM-dd g", "yyyy g gg", "2024 A.D. A.D."),
        ("2 o'clock 2024", "%h 'o\\'clock' yyyy", "h \"o'clock\"", "2 o'clock"),
        ("Tuesday, 02 January 2024 03:04:05", "F", "U", "Tuesday, 02 January 2024 03:04:05"),
        ("Tuesday, 02 January 2024 03:04", "f", "g", "01/02/2024 03:04"),
        ("01/02/2024 03:04:05", "G", "u", "2024-01-02 03:04:05Z"),
        ("2024-01-02 03:04:05Z", "u", "T", "03:04:05"),
        ("2024 January", "Y", "m", "January 01"),
        ("01/02/2024", "d", "D", "Tuesday, 02 January 2024"),
    ] {
        let (input, output) = (Pattern::parse(input).unwrap(), Pattern::parse(output).unwrap());
        assert_eq!(input.read(text, false).map(|moment| output.print(moment)).as_deref(), Some(want), "{text}");
    }
    for pattern in ["", "q", "'open", "yyyy\\", "ffffffff", "%", "%%d", "d%", "'open\\'", "yyyyyyyyyy", "H", "z"] {
        assert!(Pattern::parse(pattern).is_err(), "{pattern}");
    }
    for (text, pattern) in [
        ("31.02.2024", "dd.MM.yyyy"),
        ("2024-1-1x", "yyyy-M-d"),
        ("13:00 AM", "h:mm tt"),
        // A year in fewer digits than the pattern says is another century's.
        ("1/2/24", "M/d/yyyy"),
        ("1/2/202", "M/d/yyyy"),
        ("1/2/4", "M/d/yy"),
        ("1/2/2024", "M/d/yy"),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap().read(text, false), None, "{text}");
    }
}

#[test]
fn blanks_between_the_parts_are_skipped_when_asked() {
    let pattern = Pattern::parse("M/d/yyyy").unwrap();
    assert_eq!(pattern.read(" 1 / 2/ 2024 ", false), None);
    assert_eq!(pattern.read(" 1 / 2/ 2024 ", true), parse("2024-01-02"));
}

#[test]
fn counts_as_vb_does() {
    let moment = |text: &str| parse(text).unwrap();
    for (code, from, to, want) in [
        ("d", "8/25/2021 5:41:18 PM", "2012-03-16-07:00", -3449),
        ("m", "8/25/2021 5:41:18 PM", "2012-03-16-07:00", -113),
        ("yyyy", "2020-12-31", "2021-01-01", 1),
        ("ww", "2024-01-06", "2024-01-07", 1),
        ("ww", "2024-01-07", "2024-01-13", 0),
        ("ww", "2024-01-07", "2024-01-06", -1),
        ("h", "2021-08-24", "2021-08-25", 24),
        ("n", "2021-08-24T00:00:59", "2021-08-24T00:00:00", 0),
        ("S", "2021-08-24", "2021-08-25", 86_400),
    ] {
        let interval = Interval::parse(code).unwrap();
        assert_eq!(difference(interval, moment(from), moment(to)), want, "{code} {from} {to}");
    }
    assert_eq!(Interval::parse("q"), None);
    assert_eq!(add(moment("2024-01-31"), Interval::Month, 1), Some(moment("2024-02-29")));
    assert_eq!(add(moment("2024-02-29"), Interval::Year, 1), Some(moment("2025-02-28")));
    assert_eq!(add(moment("9999-12-31"), Interval::Day, 1), None);
    assert_eq!(add(moment("2024-01-01"), Interval::Week, i64::MAX), None);
}

#[test]
fn ticks_count_from_1601() {
    for (text, ticks) in
        [("1601-01-01", 0), ("1970-01-01", 116_444_736_000_000_000), ("2020-07-22", 132_398_496_000_000_000)]
    {
        let moment = parse(text).unwrap();
        assert_eq!(to_ticks(moment), ticks, "{text}");
        assert_eq!(from_ticks(ticks), Some(moment), "{ticks}");
    }
    assert_eq!(from_ticks(NEVER), None);
    assert_eq!(from_ticks(i64::MIN), None);
}
