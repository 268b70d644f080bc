//! What waits for a person: objects of which the rule, or the target, leaves open what is to be done. A case is an object in escrow
//! with one of three codes; an answer is stored beside it, and the next cycle acts on it through the same decision as ever.

use provost_connector::Context;
use provost_model::{ClassName, JobName, ObjectId, Record, Text};
use provost_store::AnswerRow;
use provost_store::escrow::NEVER;
use serde::Serialize;

use crate::control::Waiting;
use crate::cycle::Answers;
use crate::decide::{Answer, Projected, Reply, project, question};
use crate::engine::{Engine, Opened};
use crate::error::EngineError;
use crate::explain;
use crate::rule::Rule;
use crate::similarity::{Compared, score};
use crate::situation::Situation;
use crate::spec::JobSpec;

/// Several accounts match, the account is another object's, the rule says `ask`.
const QUESTIONS: [&str; 3] = ["PRV-0512", "PRV-0514", "PRV-0541"];

const ADOPT: &str = "adopt";

/// The object that a case is about.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Needed where objects of two classes have one id.
    pub class: Option<&'a str>,
    /// Its id at the source.
    pub id: &'a str,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Case {
    #[serde(flatten)]
    pub waiting: Waiting,
    /// What somebody answered, and no cycle has acted on yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerRow>,
}

/// One case with the accounts in question, the likeliest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseTrace {
    #[serde(flatten)]
    pub case: Case,
    pub candidates: Vec<Candidate>,
}

/// An account that may be the object's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    pub target_id: ObjectId,
    /// How much names and addresses resemble the object's, of 100; none when there is nothing to compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<u8>,
    /// The object that has the account already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked_with: Option<ObjectId>,
    /// Mapped attributes that both sides have something for.
    pub attributes: Vec<Compared>,
}

impl Engine {
    /// All cases of a job, by class and id.
    pub async fn cases(&self, job: &JobName) -> Result<Vec<Case>, EngineError> {
        let mut answers = self.store.answers(job).await?;
        let is_case =
            |waiting: &Waiting| QUESTIONS.contains(&waiting.row.code.as_str()) && waiting.row.next_try != NEVER;
        let waiting = self.waiting(job).await?.into_iter().filter(is_case);
        Ok(waiting
            .map(|waiting| {
                let asked = question(&waiting.row.code, &waiting.row.message);
                let of = |row: &AnswerRow| {
                    row.class == waiting.row.class
                        && row.source_id == waiting.row.source_id
                        && (row.question == asked || row.reaction == ADOPT)
                };
                let answer = answers.iter().position(of).map(|at| answers.swap_remove(at));
                Case { waiting, answer }
            })
            .collect())
    }

    /// One case, with what the target has for it now.
    pub async fn case(
        &self,
        name: &JobName,
        spec: &JobSpec,
        of: Named<'_>,
        cx: &Context,
    ) -> Result<CaseTrace, EngineError> {
        let case = self.find_case(name, of).await?;
        let opened = self.open(name, spec).await?;
        let candidates = match opened.job.rules.iter().position(|rule| rule.from == case.waiting.row.class) {
            Some(at) => self.candidates(&opened, at, &case.waiting.row.source_id, cx).await?,
            None => Vec::new(),
        };
        Ok(CaseTrace { case, candidates })
    }

    /// The case about the object with this id, of one class if there are several.
    async fn find_case(&self, name: &JobName, of: Named<'_>) -> Result<Case, EngineError> {
        let Named { class, id } = of;
        let of = |case: &Case| {
            let row = &case.waiting.row;
            row.source_id.as_str() == id && class.is_none_or(|class| row.class.as_str() == class)
        };
        let mut found: Vec<Case> = self.cases(name).await?.into_iter().filter(of).collect();
        match (found.pop(), found.as_slice()) {
            (None, _) => Err(EngineError::NoCase { job: name.clone(), id: id.into() }),
            (Some(case), []) => Ok(case),
            (Some(case), others) => {
                let classes = others.iter().chain([&case]).map(|case| case.waiting.row.class.clone()).collect();
                Err(EngineError::SeveralCases { job: name.clone(), id: id.into(), classes })
            }
        }
    }

    async fn candidates(
        &self,
        opened: &Opened,
        at: usize,
        id: &ObjectId,
        cx: &Context,
    ) -> Result<Vec<Candidate>, EngineError> {
        let rule = &opened.job.rules[at];
        let failed = |error| EngineError::Connection { role: "source", connection: opened.job.source.clone(), error };
        let Some(record) = opened.source.get(cx, &rule.from, id).await.map_err(failed)? else { return Ok(Vec::new()) };
        let now = self.clock.now();
        let found = explain::ask(opened, rule, &record, now, cx, &mut Vec::new()).await?;
        let ids: Vec<ObjectId> = found.iter().map(|record| record.id.clone()).collect();
        let links = match ids.is_empty() {
            true => Vec::new(),
            false => self.store.links_by_target(&opened.job.name, &rule.from, &ids).await?,
        };
        let wanted = wanted(rule, &record, now);
        let mut candidates: Vec<Candidate> = found
            .iter()
            .map(|account| {
                let attributes = compare(&wanted, account);
                let owner = links.iter().find(|link| link.target_id.as_ref() == Some(&account.id));
                Candidate {
                    target_id: account.id.clone(),
                    score: score(&attributes),
                    linked_with: owner.map(|link| link.source_id.clone()),
                    attributes,
                }
            })
            .collect();
        candidates.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.target_id.cmp(&b.target_id)));
        Ok(candidates)
    }

    /// Answers a case; the job runs as soon as it may.
    pub async fn answer(
        &self,
        name: &JobName,
        spec: &JobSpec,
        of: Named<'_>,
        answer: Answer,
        who: &str,
        cx: &Context,
    ) -> Result<Case, EngineError> {
        let id = of.id;
        let refused = |reason: String| EngineError::Answer { job: name.clone(), id: id.into(), reason };
        let asked = self.find_case(name, of).await?;
        if let Some(reason) = misfit(&answer, situation(&asked)) {
            return Err(refused(reason));
        }
        let case = match &answer {
            Answer::Adopt(account) => {
                let trace = self.case(name, spec, of, cx).await?;
                let Some(candidate) = trace.candidates.iter().find(|one| one.target_id == *account) else {
                    return Err(refused(format!("the account `{account}` is not among those that match")));
                };
                if let Some(owner) = &candidate.linked_with {
                    return Err(refused(format!("the account `{account}` is linked with `{owner}`")));
                }
                trace.case
            }
            _ => asked,
        };
        let row = &case.waiting.row;
        let (reaction, target_id) = match &answer {
            Answer::Adopt(account) => (ADOPT, Some(account.clone())),
            Answer::Create => ("create", None),
            Answer::Update => ("update", None),
        };
        let said = AnswerRow {
            job: name.clone(),
            class: row.class.clone(),
            source_id: row.source_id.clone(),
            reaction: reaction.to_owned(),
            target_id,
            who: who.to_owned(),
            created: self.clock.now_ms(),
            question: question(&row.code, &row.message),
        };
        let mut tx = self.store.begin().await?;
        tx.save_answer(&said).await?;
        tx.retry_escrows(name, &row.class, &[row.source_id.as_str()]).await?;
        tx.commit().await?;
        let account = said.target_id.as_ref().map(|id| format!(" `{id}`")).unwrap_or_default();
        self.tell(name, "answer", format!("{who} answered about `{id}`: {reaction}{account}")).await?;
        self.store.wake_job(name).await?;
        Ok(Case { answer: Some(said), ..case })
    }

    /// All answers that a cycle of the job has to act on.
    pub(crate) async fn answers(&self, job: &JobName) -> Result<Answers, EngineError> {
        let mut answers = Answers::new();
        for row in self.store.answers(job).await? {
            if let Some(answer) = read(&row) {
                let reply = Reply { answer, question: row.question };
                answers.entry(row.class).or_default().insert(row.source_id, reply);
            }
        }
        Ok(answers)
    }

    pub(crate) async fn answer_about(
        &self,
        job: &JobName,
        class: &ClassName,
        id: &ObjectId,
    ) -> Result<Option<Reply>, EngineError> {
        Ok(self.answers(job).await?.remove(class).and_then(|mut of_class| of_class.remove(id)))
    }
}

/// What the person is asked about; none in a case from before that was noted, or when the account that was named is gone.
fn situation(case: &Case) -> Option<Situation> {
    let row = &case.waiting.row;
    let noted = row.situation.as_deref().and_then(|key| Situation::ALL.into_iter().find(|one| one.key() == key));
    noted.or(match row.code.as_str() {
        "PRV-0512" => Some(Situation::Ambiguous),
        "PRV-0514" => Some(Situation::Taken),
        _ => None,
    })
}

/// Why the answer is none to a question about this, if so.
fn misfit(answer: &Answer, situation: Option<Situation>) -> Option<String> {
    use Situation::{Ambiguous, Changed, Matched, Missing, New, Returned, Taken};
    let (words, fits): (&str, &[&str]) = match situation {
        Some(Ambiguous) => ("several accounts match; answer `--adopt ACCOUNT` or `--create`", &[ADOPT, "create"]),
        Some(Taken) => ("the account is another object's; answer `--create`, or mend the matching values", &["create"]),
        Some(New | Missing) => ("there is no account; answer `--create` or `--update`", &["create", "update"]),
        Some(Returned | Changed) => ("the object has its account; answer `--update`", &["update"]),
        Some(Matched) | None => return None,
        Some(_) => ("nothing is asked about this", &[]),
    };
    let word = match answer {
        Answer::Adopt(_) => ADOPT,
        Answer::Create => "create",
        Answer::Update => "update",
    };
    (!fits.contains(&word)).then(|| words.to_owned())
}

/// None for a word of a later version.
fn read(row: &AnswerRow) -> Option<Answer> {
    match (row.reaction.as_str(), &row.target_id) {
        (ADOPT, Some(account)) => Some(Answer::Adopt(account.clone())),
        ("create", _) => Some(Answer::Create),
        ("update", _) => Some(Answer::Update),
        _ => None,
    }
}

/// What the mappings make of the object, without what is sensitive.
fn wanted(
    rule: &Rule,
    record: &Record,
    now: provost_model::Timestamp,
) -> Vec<(Text, provost_model::AttributePath, String)> {
    let Ok(Some(projection)) = project(rule, record, now) else { return Vec::new() };
    let pairs = rule.mappings.iter().zip(projection.0).filter(|(mapping, _)| !mapping.sensitive && !mapping.reference);
    pairs
        .filter_map(|(mapping, projected)| match projected {
            Projected::Value(value) if !value.is_unassigned() => {
                Some((mapping.key.clone(), (*mapping.path).clone(), value.to_string()))
            }
            _ => None,
        })
        .collect()
}

fn compare(wanted: &[(Text, provost_model::AttributePath, String)], account: &Record) -> Vec<Compared> {
    wanted
        .iter()
        .filter_map(|(key, path, value)| {
            let has = path.get(&account.attributes).filter(|value| !value.is_unassigned())?.to_string();
            Some(Compared::of(key, value, &has))
        })
        .collect()
}
