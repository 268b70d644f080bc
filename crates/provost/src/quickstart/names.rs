//! Names to draw people from, and their spelling in a login. A third of them are not ASCII, because real ones are not;
//! some hold quotes, commas and hyphens, so that reading the file takes a CSV parser.

use super::random::nth;

#[rustfmt::skip]
pub const FIRST: [&str; 128] = [
    "Ada", "Zoë", "Łukasz", "José", "Søren", "Amélie", "Jürgen", "Siobhán",
    "İpek", "Chloé", "Björn", "Małgorzata", "François", "Núria", "Þóra", "Øystein",
    "李", "伟", "花子", "太郎", "Иван", "Анна", "Олена", "Γιώργος",
    "Nguyệt", "Dũng", "Thảo", "Ștefan", "Ágnes", "Žofia", "Čeněk", "Ēriks",
    "Fatima", "Mehmet", "Priya", "Chidi", "Jing", "Noah", "Olivia", "Liam",
    "Emma", "Ava", "Sophia", "Isabella", "Mia", "Lucas", "Mateo", "Leo",
    "Ethan", "Amara", "Kwame", "Thandiwe", "Ngozi", "Abebe", "Zainab", "Yusuf",
    "Omar", "Layla", "Hassan", "Leila", "Dariush", "Shirin", "Arjun", "Ananya",
    "Ravi", "Deepa", "Sanjay", "Meera", "Hiroshi", "Yuki", "Sakura", "Kenji",
    "Minh", "Linh", "Somchai", "Malee", "Putri", "Budi", "Aroha", "Tane",
    "Anne-Marie", "Jean-Luc", "Karl-Heinz", "Mary Jane", "William \"Bill\"", "Margaret \"Peggy\"", "Robert \"Bob\"", "Catherine \"Kate\"",
    "Grace", "Alan", "Barbara", "Linus", "Edsger", "Frances", "Donald", "Radia",
    "Tim", "Vint", "Ken", "Dennis", "Margit", "Niklaus", "Tony", "Shafi",
    "Clara", "Emil", "Freja", "Astrid", "Lars", "Ingrid", "Sven", "Greta",
    "Pablo", "Carmen", "Diego", "Lucía", "Joaquín", "Inês", "João", "Beatriz",
    "Giulia", "Marco", "Chiara", "Luca", "Elena", "Nikola", "Ivana", "Dragan",
];

#[rustfmt::skip]
pub const LAST: [&str; 128] = [
    "Lovelace", "Hopper", "Müller", "García", "O'Brien", "Nguyễn", "Ødegård", "Łęcki",
    "李", "王", "山田", "鈴木", "佐藤", "Петров", "Шевченко", "Παπαδόπουλος",
    "van der Berg", "de la Cruz", "Smith, Jr.", "Williams, Jr.", "D'Angelo", "Smith-Jones", "Saint-Exupéry", "von Trapp",
    "Weiß", "Çelik", "Yılmaz", "Novák", "Dvořák", "Šimůnek", "Horváth", "Szűcs",
    "Åkesson", "Sjöberg", "Bjørnson", "Jónsdóttir", "Þorsteinsson", "Mäkinen", "Lindqvist", "Andersson",
    "Dubois", "Lefèvre", "Béranger", "Rossi", "Ferrari", "Esposito", "Conti", "Bianchi",
    "Santos", "Gonçalves", "Araújo", "Muñoz", "Hernández", "Peña", "Castro", "Romero",
    "Iyer", "Patel", "Sharma", "Reddy", "Khan", "Haddad", "Al-Farsi", "Ben Amor",
    "Okafor", "Mensah", "Abiodun", "Nkosi", "Dlamini", "Kamau", "Wanjiru", "Tesfaye",
    "Kim", "Park", "Choi", "Tan", "Lim", "Wong", "Chen", "Zhang",
    "Trần", "Phạm", "Đặng", "Hồ", "Suharto", "Wijaya", "Aquino", "Reyes",
    "Kowalski", "Wiśniewska", "Zieliński", "Popescu", "Ionescu", "Petrović", "Kovač", "Hasanović",
    "Schmidt", "Fischer", "Weber", "Zimmermann", "Schäfer", "Krüger", "Vogel", "Jäger",
    "Brown", "Taylor", "Evans", "Young", "Clarke", "Walker", "Murphy", "Kelly",
    "Ó Súilleabháin", "MacGregor", "FitzGerald", "McAllister", "Llewellyn", "Jones", "Davies", "Hughes",
    "Turing", "Hamilton", "Perlman", "Liskov", "Dijkstra", "Knuth", "Kahn", "Noether",
];

/// Letters and how they are spelled in a login. Every letter of the names above that is not ASCII is here.
const SPELLING: &[(&str, &str)] = &[
    ("áãäåạảặầаαАÁÅ", "a"),
    ("çćčÇČ", "c"),
    ("ч", "ch"),
    ("Đδ", "d"),
    ("éèêëěęễệе", "e"),
    ("Ē", "e"),
    ("γΓ", "g"),
    ("花", "hana"),
    ("íıİИι", "i"),
    ("木", "ki"),
    ("к", "k"),
    ("子", "ko"),
    ("łŁлλ", "l"),
    ("李", "li"),
    ("ñńн", "n"),
    ("óöøồόοоÓØОώ", "o"),
    ("ПπΠ", "p"),
    ("řрρ", "r"),
    ("郎", "ro"),
    ("śŠȘς", "s"),
    ("佐", "sa"),
    ("Ш", "sh"),
    ("ß", "ss"),
    ("鈴", "suzu"),
    ("太", "ta"),
    ("田", "da"),
    ("т", "t"),
    ("Þ", "th"),
    ("藤", "to"),
    ("úüűůũυ", "u"),
    ("в", "v"),
    ("王", "wang"),
    ("伟", "wei"),
    ("山", "yama"),
    ("Ž", "z"),
];

/// The name as lower-case ASCII letters, without the nickname in quotes: `Ødegård` is `odegard`, `Smith, Jr.` `smithjr`.
pub fn spell(name: &str) -> String {
    let name = name.split(" \"").next().unwrap_or(name);
    let mut spelled = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_ascii() {
            spelled.extend(letter.is_ascii_alphabetic().then(|| letter.to_ascii_lowercase()));
        } else if let Some((_, ascii)) = SPELLING.iter().find(|(letters, _)| letters.contains(letter)) {
            spelled.push_str(ascii);
        }
    }
    spelled
}

/// First and last name of person `index`, and a login that nobody else has.
///
/// A small cipher walks through all 16,384 pairs of names before one comes again, so that logins are unique without any
/// memory; the second round of pairs appends a 2, as administrators do. The seed has no part in it: whoever joins on a
/// later day gets a login that is free, whatever seed that day has.
pub fn person(index: u64) -> (&'static str, &'static str, String) {
    let round = index >> 14;
    let (mut left, mut right) = (index & 127, (index >> 7) & 127);
    for key in 0..4 {
        (left, right) = (right, left ^ (nth(round * 4 + key, right) & 127));
    }
    let (first, last) = (FIRST[left as usize], LAST[right as usize]);
    let mut login = format!("{}.{}", spell(first), spell(last));
    if round > 0 {
        login.push_str(&(round + 1).to_string());
    }
    (first, last, login)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_name_is_spelled_in_full_and_differs() {
        for names in [FIRST, LAST] {
            for name in names {
                for letter in name.chars().filter(|letter| !letter.is_ascii()) {
                    let found = SPELLING.iter().filter(|(letters, _)| letters.contains(letter)).count();
                    assert_eq!(found, 1, "{letter} of {name}");
                }
            }
            let spelled: HashSet<_> = names.iter().map(|name| spell(name)).collect();
            assert_eq!(spelled.len(), names.len());
        }
    }

    #[test]
    fn spells() {
        for (name, spelled) in [
            ("Zoë", "zoe"),
            ("Łukasz", "lukasz"),
            ("Ødegård", "odegard"),
            ("Nguyễn", "nguyen"),
            ("O'Brien", "obrien"),
            ("Weiß", "weiss"),
            ("Шевченко", "shevchenko"),
            ("Παπαδόπουλος", "papadopoulos"),
            ("花子", "hanako"),
            ("William \"Bill\"", "william"),
            ("Smith, Jr.", "smithjr"),
        ] {
            assert_eq!(spell(name), spelled);
        }
    }

    #[test]
    fn logins_are_unique_beyond_one_round() {
        let logins: HashSet<_> = (0..40_000).map(|index| person(index).2).collect();
        assert_eq!(logins.len(), 40_000);
        assert!(logins.iter().all(|login| login.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')));
    }
}
