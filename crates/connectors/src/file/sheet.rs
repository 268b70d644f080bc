//! Spreadsheets (XLSX, ODS), read only: the first row that is not empty is the header, every cell is a text.
//!
//! A spreadsheet is a zip archive, whose directory stands at its end: one that is cut does not open. Before anything is
//! parsed every part is unpacked once with a bound, which checks its sum as well.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::Arc;

use calamine::{Data, Ods, Reader as _, Xlsx};
use provost_connector::{CheckResult, ConnectorError, ErrorCode};
use provost_model::{Attributes, ObjectId, Text};

use super::cell;
use super::config::{Config, nearest};
use super::fault::RowFault;
use super::format::item_error;
use super::input::Input;
use super::shape::Format;
use super::table::{Table, push_part};
use super::whole::{self, Part, Whole};

/// Bytes of all parts, unpacked.
const MAX_UNPACKED: u64 = 1 << 30;
const MAX_CELLS: u64 = 20_000_000;
/// From here on a float is not every whole number.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// A cell's text; an error names what it holds instead.
type Found = Result<String, String>;
/// Cells that are not empty, by row and column from 0.
type Rows = BTreeMap<u32, Vec<(u32, Found)>>;

/// Reads the sheet as a whole.
pub(super) fn open(config: &Arc<Config>) -> Result<Whole, ConnectorError> {
    let mut input = Input::open(config)?;
    let bytes = whole::read(&mut input, config)?;
    unpack(&bytes, config)?;
    let (sheet, rows) = match config.format {
        Format::Ods => ods(bytes, config)?,
        _ => xlsx(bytes, config)?,
    };
    let mut rows = rows.into_iter();
    let Some((at, header)) = rows.next() else {
        let message = format!("{}: the sheet `{sheet}` is empty, not even a header", config.file);
        return Err(ConnectorError::new(ErrorCode::Unreadable, message)
            .hint("export it again; a sheet without people still has its header row"));
    };
    let table = table(&sheet, at, header, config)?;
    let parts: Vec<Part> = rows.filter_map(|(row, cells)| part(u64::from(row) + 1, cells, &table, config)).collect();
    let columns = table.columns.iter().filter(|column| !column.name.is_empty()).map(|column| column.name.clone());
    let check = CheckResult::ok("sheet", format!("`{sheet}`, {} columns, {} rows", table.columns.len(), parts.len()));
    Ok(Whole::new(config, input, parts, columns.collect(), vec![check]))
}

fn unreadable(config: &Config, message: &str, hint: &str) -> ConnectorError {
    ConnectorError::new(ErrorCode::Unreadable, format!("{} {message}", config.file)).hint(hint)
}

fn broken(config: &Config) -> ConnectorError {
    let message = format!("is no whole {}", config.format.title());
    unreadable(config, &message, "it may be cut short, still be written, or be locked by a password; export it again")
}

/// Unpacks every part into nothing: whole, and of a bearable size.
fn unpack(bytes: &[u8], config: &Config) -> Result<(), ConnectorError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| broken(config))?;
    let (mut left, mut repeats) = (MAX_UNPACKED, false);
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(|_| broken(config))?;
        let is_content = part.name().is_ok_and(|name| name == "content.xml");
        let mut part = part.take(left + 1);
        if is_content && config.format == Format::Ods {
            let mut content = Vec::new();
            left = left.saturating_sub(part.read_to_end(&mut content).map_err(|_| broken(config))? as u64);
            repeats = repeated_cells(&content) > MAX_CELLS;
        } else {
            let read = std::io::copy(&mut part, &mut std::io::sink()).map_err(|_| broken(config))?;
            left = left.saturating_sub(read);
        }
        if left == 0 || repeats {
            let message = if repeats { "repeats cells beyond measure" } else { "unpacks to more than a gigabyte" };
            return Err(unreadable(config, message, "export the people alone, without styles for whole columns"));
        }
    }
    Ok(())
}

/// Cells of the largest table once its repeated rows and columns are written out, from its beginning to its last value.
fn repeated_cells(content: &[u8]) -> u64 {
    let (mut most, mut rows, mut width) = (0u64, 0u64, 0u64);
    let (mut row_repeat, mut column, mut last) = (1u64, 0u64, 0u64);
    for tag in content.split(|byte| *byte == b'<') {
        let end = tag.iter().position(|byte| *byte == b'>').unwrap_or(tag.len());
        let tag = &tag[..end];
        let is_empty = tag.ends_with(b"/");
        let name = tag.split(|byte| byte.is_ascii_whitespace() || *byte == b'/').next().unwrap_or_default();
        let ends_row = match name {
            b"table:table" => {
                (rows, width) = (0, 0);
                false
            }
            b"table:table-row" => {
                (row_repeat, column, last) = (repeat(tag, b"number-rows-repeated="), 0, 0);
                is_empty
            }
            b"table:table-cell" | b"table:covered-table-cell" => {
                column = column.saturating_add(repeat(tag, b"number-columns-repeated="));
                if !is_empty || find(tag, b"office:").is_some() {
                    last = column;
                }
                false
            }
            _ => tag.starts_with(b"/table:table-row"),
        };
        if ends_row {
            rows = rows.saturating_add(row_repeat);
            if last > 0 {
                width = width.max(last);
                most = most.max(rows.saturating_mul(width));
            }
        }
    }
    most
}

fn repeat(tag: &[u8], name: &[u8]) -> u64 {
    let value = find(tag, name).map(|at| &tag[at + name.len()..]).unwrap_or_default();
    let digits = value.iter().skip(1).take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    number.max(1)
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

fn choose(names: Vec<String>, config: &Config) -> Result<String, ConnectorError> {
    let Some(wanted) = &config.shape.sheet else {
        return names.into_iter().next().ok_or_else(|| unreadable(config, "has no sheets", "export it again"));
    };
    let found = names.iter().find(|name| *name == wanted.as_str());
    found.cloned().ok_or_else(|| {
        let message = format!("{} has no sheet `{wanted}`; its sheets are {}", config.file, names.join(", "));
        let hint = match nearest(wanted, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "change `sheet`, or leave it out to read the first one".to_owned(),
        };
        ConnectorError::new(ErrorCode::SchemaChanged, message).hint(hint).at("sheet")
    })
}

fn xlsx(bytes: Vec<u8>, config: &Config) -> Result<(String, Rows), ConnectorError> {
    let mut book = Xlsx::new(Cursor::new(bytes)).map_err(|_| broken(config))?;
    let sheet = choose(book.sheet_names(), config)?;
    // Cell by cell: a sheet with two far corners is not laid out in memory.
    let mut cells = book.worksheet_cells_reader(&sheet).map_err(|_| broken(config))?;
    let (mut rows, mut count) = (Rows::new(), 0);
    while let Some(cell) = cells.next_cell().map_err(|_| broken(config))? {
        let (row, column) = cell.get_position();
        let value = Data::from(cell.get_value().clone());
        if let Some(text) = text(&value) {
            count += 1;
            if count > MAX_CELLS {
                return Err(unreadable(config, "has too many cells", "split the export"));
            }
            rows.entry(row).or_default().push((column, text));
        }
    }
    Ok((sheet, rows))
}

fn ods(bytes: Vec<u8>, config: &Config) -> Result<(String, Rows), ConnectorError> {
    let mut book = Ods::new(Cursor::new(bytes)).map_err(|_| broken(config))?;
    let sheet = choose(book.sheet_names(), config)?;
    let range = book.worksheet_range(&sheet).map_err(|_| broken(config))?;
    let (row, column) = range.start().unwrap_or_default();
    let mut rows = Rows::new();
    for (down, cells) in range.rows().enumerate() {
        for (across, value) in cells.iter().enumerate() {
            if let Some(text) = text(value) {
                rows.entry(row + down as u32).or_default().push((column + across as u32, text));
            }
        }
    }
    Ok((sheet, rows))
}

/// The text of a cell; none when it is empty.
fn text(value: &Data) -> Option<Found> {
    Some(Ok(match value {
        Data::Empty => return None,
        Data::String(text) if text.is_empty() => return None,
        Data::String(text) => text.clone(),
        Data::Bool(flag) => flag.to_string(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) if number.fract() == 0.0 && number.abs() < WHOLE => (*number as i64).to_string(),
        Data::Float(number) => number.to_string(),
        // The suffix of a time of day; a date alone is a date alone.
        Data::DateTimeIso(text) => text.strip_suffix("T00:00:00").unwrap_or(text).to_owned(),
        Data::DurationIso(text) => text.clone(),
        Data::DateTime(time) if time.is_duration() => duration(time.as_f64()),
        Data::DateTime(time) => date(time),
        Data::Error(error) => return Some(Err(error.to_string())),
    }))
}

/// RFC 3339 without an offset, which a spreadsheet does not have: `2026-01-31`, `2026-01-31T08:30:00`, or a time of day.
fn date(time: &calamine::ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let fraction = if milli > 0 { format!(".{milli:03}") } else { String::new() };
    let clock = format!("{hour:02}:{minute:02}:{second:02}{fraction}");
    match time.as_f64() {
        days if (0.0..1.0).contains(&days) => clock,
        days if days.fract() == 0.0 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:04}-{month:02}-{day:02}T{clock}"),
    }
}

/// ISO 8601: `PT26H30M0S`.
fn duration(days: f64) -> String {
    let seconds = (days.abs() * 86_400.0).round() as u64;
    let sign = if days < 0.0 { "-" } else { "" };
    format!("{sign}PT{}H{}M{}S", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn table(sheet: &str, row: u32, cells: Vec<(u32, Found)>, config: &Config) -> Result<Table, ConnectorError> {
    let width = cells.iter().map(|(column, _)| *column as usize + 1).max().unwrap_or(0);
    let mut names = vec![Text::default(); width];
    for (column, found) in cells {
        names[column as usize] = found.unwrap_or_default().trim().into();
    }
    let mut table = Table::with_names(config, names)?;
    let used = (config.key.iter().map(|name| ("key", name)))
        .chain(config.references.iter().map(|(name, _)| ("references", name)))
        .chain(config.multi.iter().map(|(name, _)| ("multi", name)))
        .chain(config.rename.iter().map(|(name, _)| ("columns", name)));
    for (setting, name) in used {
        if let Some(at) = table.position(name) {
            if setting == "key" {
                table.keys.push(at);
            }
            continue;
        }
        let headers: Vec<&str> = table.columns.iter().map(|column| column.header.as_str()).collect();
        let message = format!(
            "{} has no column `{name}`; row {} of the sheet `{sheet}` is {}",
            config.file,
            row + 1,
            headers.iter().copied().take(20).collect::<Vec<_>>().join(", ")
        );
        let hint = match nearest(name, headers.iter().copied().filter(|header| !header.is_empty())) {
            Some(near) => format!("did you mean `{near}`? change `{setting}`, or bring the column back"),
            None => {
                format!("the header is the first row that is not empty; change `{setting}`, or bring the column back")
            }
        };
        return Err(ConnectorError::new(ErrorCode::SchemaChanged, message).hint(hint).at(setting));
    }
    Ok(table)
}

/// A row as a record; none for one without any text.
fn part(line: u64, cells: Vec<(u32, Found)>, table: &Table, config: &Config) -> Option<Part> {
    let mut texts = vec![String::new(); table.columns.len()];
    let mut raw = Vec::new();
    let mut bad: Option<(usize, String, &str)> = None;
    for (column, found) in cells {
        let at = column as usize;
        let name = match table.columns.get(at) {
            Some(column) if !column.name.is_empty() => column.name.as_str(),
            Some(_) => continue,
            None => {
                bad.get_or_insert((at, "the row has a value beyond the header".into(), "give the column a name"));
                continue;
            }
        };
        match found {
            Err(what) => {
                let hint = "correct the formula in the spreadsheet";
                bad.get_or_insert((at, format!("`{name}` holds the error {what}"), hint));
            }
            Ok(text) if text.len() > config.max_field_bytes => {
                let message = format!("`{name}` has {} bytes, more than {}", text.len(), config.max_field_bytes);
                bad.get_or_insert((at, message, "raise `max_field_bytes`"));
            }
            Ok(text) => texts[at] = if config.trim { text.trim().to_owned() } else { text },
        }
    }
    if bad.is_none() && texts.iter().all(String::is_empty) {
        return None;
    }
    for (text, column) in texts.iter().zip(&table.columns) {
        raw.extend_from_slice(&(column.header.len() as u64).to_le_bytes());
        raw.extend_from_slice(column.header.as_bytes());
        raw.extend_from_slice(&(text.len() as u64).to_le_bytes());
        raw.extend_from_slice(text.as_bytes());
    }
    let attributes = match bad {
        Some((at, message, hint)) => {
            // Every cell has its own place, so one that is broken says nothing about the key.
            let id = id(&texts, table, config).filter(|_| !table.keys.contains(&at));
            let error = item_error(ErrorCode::InvalidValue, message, hint);
            Err(RowFault { line, column: Some(at), id, error })
        }
        None => {
            let mut attributes = Attributes::with_capacity(texts.len());
            for (text, column) in texts.iter().zip(&table.columns).filter(|(_, column)| !column.name.is_empty()) {
                attributes.push(column.name.clone(), cell::read(text, column, config));
            }
            Ok(attributes)
        }
    };
    Some(Part { line, raw, attributes })
}

fn id(texts: &[String], table: &Table, config: &Config) -> Option<ObjectId> {
    let mut id = String::new();
    for key in &table.keys {
        let text = texts.get(*key).filter(|text| !cell::is_null(text, config))?;
        if table.keys.len() == 1 {
            id.push_str(text);
        } else {
            push_part(&mut id, text);
        }
    }
    Some(id.into())
}
