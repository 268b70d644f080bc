//! "Did you mean …?", for everything that has a name: functions, attributes, classes, keys, words.

/// The known name that is nearest to what was written, if one is near enough to be meant.
///
/// ```
/// use provost_lang::nearest;
///
/// assert_eq!(nearest("dispalyName", ["userName", "displayName"].into_iter()), Some("displayName"));
/// assert_eq!(nearest("salary", ["userName", "displayName"].into_iter()), None);
/// ```
pub fn nearest<'n>(written: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = written.to_lowercase();
    known
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}
