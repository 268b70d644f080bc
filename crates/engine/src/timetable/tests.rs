//! Tables of times, with the nights on which clocks change: in Zurich 2026-03-29 at 02:00 and 2026-10-25 at 03:00.

use super::*;

fn table(json: serde_json::Value) -> Timetable {
    let spec: ScheduleSpec = serde_json::from_value(json).unwrap();
    Timetable::compile(&spec, "jobs.j.schedule").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn the_next_time_of_the_clock() {
    for (cron, after, next) in [
        // An ordinary week: Friday evening to Monday morning; exactly at the time means the next one.
        ("0 6 * * 1-5", "2026-11-20T18:00:00Z", "2026-11-23T05:00:00Z"),
        ("0 6 * * 1-5", "2026-11-23T05:00:00Z", "2026-11-24T05:00:00Z"),
        ("*/15 * * * *", "2026-11-23T05:01:30Z", "2026-11-23T05:15:00Z"),
        // Spring: 02:30 does not come, so it is the moment of the change; the day after at its time again.
        ("30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
        ("30 2 * * *", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
        ("0 2 * * *", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"),
        ("0 3 * * *", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"),
        // By elapsed time nothing is left out.
        ("*/30 * * * *", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
        ("*/30 * * * *", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"),
        // Autumn: 02:30 comes twice, and counts once.
        ("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
        ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ("30 2 * * *", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z"),
        ("0 3 * * *", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z"),
        // By elapsed time both hours count.
        ("*/30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"),
        ("*/30 * * * *", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"),
        ("30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        // Days that are rare.
        ("0 0 29 2 *", "2026-11-23T00:00:00Z", "2028-02-28T23:00:00Z"),
        ("0 12 L * *", "2026-11-23T00:00:00Z", "2026-11-30T11:00:00Z"),
    ] {
        let table = table(serde_json::json!({ "cron": cron, "timezone": "Europe/Zurich" }));
        assert_eq!(table.next_time(at(after)), Some(at(next)), "{cron} after {after}");
    }
    let two = table(serde_json::json!({ "cron": ["0 6 * * *", "0 18 * * *"] }));
    assert_eq!(two.next_time(at("2026-11-23T07:00:00Z")), Some(at("2026-11-23T18:00:00Z")));
    assert_eq!(table(serde_json::json!({ "every": "5m" })).next_time(at("2026-11-23T07:00:00Z")), None);
}

#[test]
fn blackouts_end_when_they_end() {
    for (windows, when, end) in [
        (&["Mon-Fri 08:00-12:00"][..], "2026-11-23T06:59:59Z", None),
        (&["Mon-Fri 08:00-12:00"], "2026-11-23T07:00:00Z", Some("2026-11-23T11:00:00Z")),
        (&["Mon-Fri 08:00-12:00"], "2026-11-23T11:00:00Z", None),
        (&["Mon-Fri 08:00-12:00"], "2026-11-22T09:00:00Z", None),
        // Over midnight: the night belongs to the day on which it begins.
        (&["22:00-05:00"], "2026-11-23T20:59:00Z", None),
        (&["22:00-05:00"], "2026-11-23T21:00:00Z", Some("2026-11-24T04:00:00Z")),
        (&["22:00-05:00"], "2026-11-24T03:59:59Z", Some("2026-11-24T04:00:00Z")),
        (&["Fri 22:00-05:00"], "2026-11-28T03:00:00Z", Some("2026-11-28T04:00:00Z")),
        (&["Fri 22:00-05:00"], "2026-11-27T03:00:00Z", None),
        (&["Sat-Mon"], "2026-11-28T12:00:00Z", Some("2026-11-30T23:00:00Z")),
        (&["Wed,sat 00:00-24:00"], "2026-11-25T12:00:00Z", Some("2026-11-25T23:00:00Z")),
        // The last day counts.
        (&["2026-12-24..2027-01-02"], "2026-12-23T22:59:59Z", None),
        (&["2026-12-24..2027-01-02"], "2026-12-23T23:00:00Z", Some("2027-01-02T23:00:00Z")),
        (&["2026-12-25"], "2026-12-25T12:00:00Z", Some("2026-12-25T23:00:00Z")),
        // Windows that touch or overlap are one.
        (&["08:00-12:00", "12:00-13:00", "12:30-14:00"], "2026-11-23T07:30:00Z", Some("2026-11-23T13:00:00Z")),
        // Spring: seven hours of the clock are six; what begins in the hour left out begins with the change.
        (&["22:00-05:00"], "2026-03-28T22:00:00Z", Some("2026-03-29T03:00:00Z")),
        (&["02:15-04:00"], "2026-03-29T01:00:00Z", Some("2026-03-29T02:00:00Z")),
        (&["02:15-02:45"], "2026-03-29T01:00:00Z", None),
        // Autumn: from the first 02:15 to the second 02:45.
        (&["02:15-02:45"], "2026-10-25T00:15:00Z", Some("2026-10-25T01:45:00Z")),
        (&["02:15-02:45"], "2026-10-25T01:00:00Z", Some("2026-10-25T01:45:00Z")),
        (&["22:00-05:00"], "2026-10-24T20:00:00Z", Some("2026-10-25T04:00:00Z")),
    ] {
        let table = table(serde_json::json!({ "every": "5m", "timezone": "Europe/Zurich", "blackout": windows }));
        assert_eq!(table.blackout(at(when)), end.map(at), "{windows:?} at {when}");
    }
}

#[test]
fn mistakes_have_a_place_and_a_hint() {
    for (json, path, message, hint) in [
        (
            serde_json::json!({ "cron": "0 25 * * *" }),
            "cron[0]",
            "value must be in range 0..=23; found 25",
            "minute, hour",
        ),
        (serde_json::json!({ "cron": ["0 6 * * *", "six"] }), "cron[1]", "five fields, not 1", "minute, hour"),
        (serde_json::json!({ "cron": "0 0 6 * * *" }), "cron[0]", "five fields, not 6", "seconds cannot be given"),
        (serde_json::json!({ "cron": "0 6 * * * Europe/Rome" }), "cron[0]", "five fields", "`timezone: Europe/Rome`"),
        (serde_json::json!({ "cron": "@daily" }), "cron[0]", "`@daily` is no cron text", "minute, hour"),
        (serde_json::json!({ "cron": "0 0 30 2 *" }), "cron[0]", "a day that never comes", "day and month"),
        (
            serde_json::json!({ "timezone": "Europe/Zürich" }),
            "timezone",
            "no time zone `Europe/Zürich`",
            "Europe/Zurich",
        ),
        (serde_json::json!({ "blackout": "8-12" }), "blackout[0]", "`8` is no time of the day", "Mon-Fri 08:00-12:00"),
        (serde_json::json!({ "blackout": "Mo 08:00-12:00" }), "blackout[0]", "`Mo` is no day", "for example"),
        (serde_json::json!({ "blackout": "08:00-08:00" }), "blackout[0]", "ends when it starts", "for example"),
        (serde_json::json!({ "blackout": "2027-01-02..2026-12-24" }), "blackout[0]", "end is before", "for example"),
        (serde_json::json!({ "blackout": "2026-02-30" }), "blackout[0]", "`2026-02-30` is no date", "for example"),
        (serde_json::json!({ "blackout": ["Mon-Fri", "Sat,Sun"] }), "blackout", "leave no time", "smaller"),
    ] {
        let spec: ScheduleSpec = serde_json::from_value(json.clone()).unwrap();
        let problems = Timetable::compile(&spec, "jobs.j.schedule").unwrap_err();
        let [problem] = &problems[..] else { panic!("{json}: {problems:?}") };
        assert_eq!(problem.path, format!("jobs.j.schedule.{path}"), "{json}");
        assert!(problem.message.contains(message), "{json}: {}", problem.message);
        assert!(problem.hint.as_deref().unwrap().contains(hint), "{json}: {:?}", problem.hint);
    }
}
