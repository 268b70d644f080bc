//! Names, places and departments to draw people from. A third of the names are not ASCII, because real ones are not.

/// A name and the spelling of it that goes into a login.
#[derive(Debug)]
pub struct Name {
    pub text: &'static str,
    pub ascii: &'static str,
}

#[derive(Debug)]
pub struct City {
    pub name: &'static str,
    pub country: &'static str,
    pub prefix: &'static str,
}

#[derive(Debug)]
pub struct Department {
    pub name: &'static str,
    pub division: &'static str,
    pub cost_center: &'static str,
    pub role: &'static str,
}

const fn n(text: &'static str, ascii: &'static str) -> Name {
    Name { text, ascii }
}

const fn c(name: &'static str, country: &'static str, prefix: &'static str) -> City {
    City { name, country, prefix }
}

const fn d(name: &'static str, division: &'static str, cost_center: &'static str, role: &'static str) -> Department {
    Department { name, division, cost_center, role }
}

#[rustfmt::skip]
pub const FIRST: &[Name] = &[
    n("Ada", "ada"), n("Grace", "grace"), n("Linus", "linus"), n("Zoë", "zoe"), n("José", "jose"), n("Søren", "soren"),
    n("Łukasz", "lukasz"), n("Maria", "maria"), n("Björk", "bjork"), n("Иван", "ivan"), n("Анна", "anna"),
    n("太郎", "taro"), n("花子", "hanako"), n("Amélie", "amelie"), n("Jürgen", "jurgen"), n("Olivia", "olivia"),
    n("Noah", "noah"), n("Priya", "priya"), n("Chidi", "chidi"), n("Fatima", "fatima"), n("Mehmet", "mehmet"),
    n("İpek", "ipek"), n("Siobhán", "siobhan"), n("Peter", "peter"), n("Paula", "paula"), n("Quentin", "quentin"),
    n("Rosa", "rosa"), n("Samuel", "samuel"), n("Tove", "tove"), n("Uma", "uma"), n("Victor", "victor"), n("Wei", "wei"),
];

#[rustfmt::skip]
pub const LAST: &[Name] = &[
    n("Lovelace", "lovelace"), n("Hopper", "hopper"), n("Müller", "muller"), n("García", "garcia"),
    n("O'Brien", "obrien"), n("Nguyễn", "nguyen"), n("Smith", "smith"), n("Kowalski", "kowalski"), n("Østergaard", "ostergaard"),
    n("山田", "yamada"), n("Петров", "petrov"), n("van der Berg", "vanderberg"), n("Smith, Jr.", "smithjr"), n("Çelik", "celik"),
    n("Iyer", "iyer"), n("Okafor", "okafor"), n("Lindqvist", "lindqvist"), n("Haddad", "haddad"), n("Rossi", "rossi"),
    n("Dubois", "dubois"), n("Novák", "novak"), n("Papadopoulos", "papadopoulos"), n("Santos", "santos"), n("Tanaka", "tanaka"),
    n("Weiß", "weiss"), n("Young", "young"), n("Zimmermann", "zimmermann"), n("Andersson", "andersson"), n("Brown", "brown"),
    n("Castro", "castro"), n("Evans", "evans"), n("Fischer", "fischer"),
];

#[rustfmt::skip]
pub const CITIES: &[City] = &[
    c("Zürich", "CH", "+41 44"), c("Köln", "DE", "+49 221"), c("London", "GB", "+44 20"), c("São Paulo", "BR", "+55 11"),
    c("Kraków", "PL", "+48 12"), c("東京", "JP", "+81 3"), c("New York", "US", "+1 212"), c("Bengaluru", "IN", "+91 80"),
    c("København", "DK", "+45 33"), c("Dublin", "IE", "+353 1"), c("Toronto", "CA", "+1 416"), c("Nairobi", "KE", "+254 20"),
];

#[rustfmt::skip]
pub const DEPARTMENTS: &[Department] = &[
    d("Accounts Payable", "Finance", "CC-1010", "Accountant"), d("Treasury", "Finance", "CC-1020", "Analyst"),
    d("Platform Engineering", "Technology", "CC-2010", "Engineer"), d("Site Reliability", "Technology", "CC-2020", "Engineer"),
    d("Information Security", "Technology", "CC-2030", "Analyst"), d("Field Sales", "Commercial", "CC-3010", "Account Executive"),
    d("Marketing & Brand", "Commercial", "CC-3020", "Specialist"), d("Customer Support", "Operations", "CC-4010", "Agent"),
    d("Logistics", "Operations", "CC-4020", "Planner"), d("People Operations", "Corporate", "CC-5010", "Partner"),
    d("Legal", "Corporate", "CC-5020", "Counsel"), d("Research", "Technology", "CC-2040", "Scientist"),
];

pub const GRADES: &[&str] = &["Junior", "Senior", "Lead", "Principal", "Associate", "Chief"];
