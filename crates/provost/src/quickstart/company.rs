//! The company that the invented people work for: departments, offices, and who reports to whom.
//!
//! The tree follows from the row numbers alone, so that a million people need no memory: row 0 leads the company, the next
//! rows the departments, and in each department the k-th person reports to the (k-1)/8-th, who always stands in an
//! earlier row.

pub struct Department {
    pub name: &'static str,
    pub cost_center: &'static str,
    /// How many of every [`Layout`] round of people work here; at most [`REPORTS`].
    weight: u64,
    /// Titles of those who lead nobody. At least two, so that there is one to move to.
    pub titles: &'static [&'static str],
}

const fn department(
    name: &'static str,
    cost_center: &'static str,
    weight: u64,
    titles: &'static [&'static str],
) -> Department {
    Department { name, cost_center, weight, titles }
}

pub const DEPARTMENTS: [Department; 12] = [
    department(
        "Engineering",
        "CC-2010",
        8,
        &["Software Engineer", "Senior Software Engineer", "Test Engineer", "Staff Engineer"],
    ),
    department("Sales", "CC-3010", 6, &["Account Executive", "Account Manager, Key Accounts", "Sales Development"]),
    department(
        "Customer Support",
        "CC-4010",
        5,
        &["Support Agent", "Support Engineer", "Support Agent, \"First Line\""],
    ),
    department("Operations", "CC-4020", 4, &["Planner", "Logistics Coordinator", "Buyer"]),
    department("Product", "CC-2020", 3, &["Product Manager", "Designer", "Technical Writer"]),
    department("Finance", "CC-1010", 3, &["Accountant", "Controller", "Analyst, Accounts Payable"]),
    department("IT", "CC-2030", 3, &["System Administrator", "Network Engineer", "Service Desk Agent"]),
    department("Research & Development", "CC-2040", 2, &["Scientist", "Senior Scientist", "Laboratory Technician"]),
    department("Marketing", "CC-3020", 2, &["Specialist, Brand", "Content Editor", "Event Manager"]),
    department("People & Culture", "CC-5010", 2, &["People Partner", "Recruiter", "Payroll Specialist"]),
    department("Legal", "CC-5020", 1, &["Counsel", "Paralegal", "Counsel, Employment & Privacy"]),
    department("Facilities", "CC-4030", 1, &["Caretaker", "Receptionist", "Facility Planner"]),
];

/// Where the head of the company works.
pub const EXECUTIVE: (&str, &str) = ("Executive Office", "CC-1000");

/// City, country (ISO 3166-1), telephone prefix. The first ones are drawn more often.
#[rustfmt::skip]
pub const OFFICES: [(&str, &str, &str); 12] = [
    ("München", "DE", "+49 89"), ("Dublin", "IE", "+353 1"), ("Łódź", "PL", "+48 42"), ("Bengaluru", "IN", "+91 80"),
    ("Washington, D.C.", "US", "+1 202"), ("São Paulo", "BR", "+55 11"), ("東京", "JP", "+81 3"), ("Nairobi", "KE", "+254 20"),
    ("København", "DK", "+45 33"), ("Toronto", "CA", "+1 416"), ("Zürich", "CH", "+41 44"), ("Göteborg", "SE", "+46 31"),
];

/// People who report to one manager.
const REPORTS: u64 = 8;
/// Prime, so that it scrambles the order of departments for every sum of weights below it.
const STEP: u64 = 43;

/// Which place in the company each of `people` rows has.
pub struct Layout {
    people: u64,
    /// A small company has fewer departments.
    departments: usize,
    /// The sum of the weights: after so many rows the order of departments repeats.
    round: u64,
    /// Undoes [`STEP`] within a round.
    back: u64,
}

/// What somebody leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    Company,
    Department,
    Team,
    Nobody,
}

/// The `rank`-th person of a department; its head is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    department: usize,
    rank: u64,
}

impl Layout {
    pub fn new(people: u64) -> Self {
        let departments = (people / 4).clamp(1, DEPARTMENTS.len() as u64) as usize;
        let round: u64 = DEPARTMENTS[..departments].iter().map(|d| d.weight).sum();
        let back = (1..round).find(|back| back * STEP % round == 1).unwrap_or(1);
        Self { people, departments, round, back }
    }

    /// Departments that have somebody in them, the executive office included.
    pub fn departments(&self) -> u64 {
        self.people.min(self.departments as u64 + 1)
    }

    /// The department of a row; none for the head of the company.
    pub fn department(&self, row: u64) -> Option<&'static Department> {
        self.place(row).map(|place| &DEPARTMENTS[place.department])
    }

    /// The row of the manager: always an earlier one.
    pub fn manager(&self, row: u64) -> Option<u64> {
        if row == 0 {
            return None;
        }
        match self.place(row) {
            Some(Place { department, rank }) if rank > 0 => Some(self.row(department, (rank - 1) / REPORTS)),
            _ => Some(0),
        }
    }

    pub fn leads(&self, row: u64) -> Leads {
        match self.place(row) {
            None => Leads::Company,
            Some(place) if place.rank == 0 => Leads::Department,
            // The first report's round may just not reach its row; whoever might lead is called a lead.
            Some(place) => {
                let first_report = place.rank * REPORTS / DEPARTMENTS[place.department].weight;
                let leads = self.heads() + first_report * self.round < self.people;
                if leads { Leads::Team } else { Leads::Nobody }
            }
        }
    }

    /// Rows before the rounds: the head of the company and those of the departments.
    fn heads(&self) -> u64 {
        self.departments as u64 + 1
    }

    fn place(&self, row: u64) -> Option<Place> {
        if row == 0 {
            return None;
        }
        let Some(member) = row.checked_sub(self.heads()) else {
            return Some(Place { department: row as usize - 1, rank: 0 });
        };
        let mut seat = member % self.round * STEP % self.round;
        let department = DEPARTMENTS[..self.departments].iter().position(|d| {
            let here = seat < d.weight;
            if !here {
                seat -= d.weight;
            }
            here
        });
        let department = department.expect("a seat is below the sum of the weights");
        Some(Place { department, rank: 1 + member / self.round * DEPARTMENTS[department].weight + seat })
    }

    /// The inverse of [`Layout::place`].
    fn row(&self, department: usize, rank: u64) -> u64 {
        let Some(member) = rank.checked_sub(1) else { return department as u64 + 1 };
        let before: u64 = DEPARTMENTS[..department].iter().map(|d| d.weight).sum();
        let weight = DEPARTMENTS[department].weight;
        let seat = before + member % weight;
        self.heads() + member / weight * self.round + seat * self.back % self.round
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managers_stand_in_earlier_rows_of_the_same_department() {
        for people in [1, 2, 5, 10, 41, 100, 1_000, 20_000] {
            let layout = Layout::new(people);
            for row in 1..people {
                let manager = layout.manager(row).unwrap();
                assert!(manager < row, "{manager} leads {row} of {people}");
                assert_ne!(layout.leads(manager), Leads::Nobody, "{manager} leads {row} of {people}");
                if manager > 0 {
                    let names = [manager, row].map(|row| layout.department(row).unwrap().name);
                    assert_eq!(names[0], names[1]);
                }
            }
        }
    }

    #[test]
    fn row_undoes_place() {
        for people in [10, 30, 1_000] {
            let layout = Layout::new(people);
            for row in 1..people * 3 {
                let place = layout.place(row).unwrap();
                assert_eq!(layout.row(place.department, place.rank), row);
            }
        }
    }
}
