//! COQL, as far as a look-up of keys needs it: `select … from … where …`, with `=`, `in`, `>`, `is null` and `and`,
//! `order by`, `limit` and `offset`. What else the service knows is refused as a syntax error, and says so.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::answer::SandboxRefusal;
use super::options::Version;
use super::records::{FieldKind, ModuleRecords, Records};
use super::switches::Switches;

/// A query may have so many comparisons.
const MOST_CRITERIA: usize = 25;

/// A query may follow so many fields to other records.
const MOST_JOINS: usize = 2;

/// A query that has been understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Query {
    columns: Vec<String>,
    pub(super) module: String,
    criteria: Vec<Criterion>,
    limit: usize,
    offset: usize,
}

/// One comparison; all of a query must hold.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Criterion {
    In(String, Vec<String>),
    Above(String, u64),
    IsNull(String, bool),
}

impl Criterion {
    fn column(&self) -> &str {
        match self {
            Criterion::In(column, _) | Criterion::Above(column, _) | Criterion::IsNull(column, _) => column,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum CoqlToken {
    Word(String),
    Text(String),
    Number(String),
    Sign(char),
}

/// Takes a query apart, quotes in texts written twice.
fn tokens(text: &str) -> Result<Vec<CoqlToken>, SandboxRefusal> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            _ if c.is_whitespace() => {}
            '\'' => {
                let mut inner = String::new();
                loop {
                    match rest.next() {
                        Some((_, '\'')) if rest.next_if(|(_, next)| *next == '\'').is_some() => inner.push('\''),
                        Some((_, '\'')) => break,
                        Some((_, c)) => inner.push(c),
                        None => return Err(SandboxRefusal::coql_syntax("a text is not closed")),
                    }
                }
                tokens.push(CoqlToken::Text(inner));
            }
            _ if c.is_ascii_alphanumeric() || c == '_' || c == '$' => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
                let mut end = at + c.len_utf8();
                while let Some((next, c)) = rest.next_if(|(_, c)| is_part(*c)) {
                    end = next + c.len_utf8();
                }
                let word = text.get(at..end).unwrap_or_default().to_owned();
                let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
                tokens.push(if is_number { CoqlToken::Number(word) } else { CoqlToken::Word(word) });
            }
            ',' | '(' | ')' | '=' | '>' | '<' | '!' | '*' => tokens.push(CoqlToken::Sign(c)),
            _ => return Err(SandboxRefusal::coql_syntax("a character that no query has")),
        }
    }
    Ok(tokens)
}

/// The tokens that are still to be understood.
struct Parser {
    tokens: std::vec::IntoIter<CoqlToken>,
    next: Option<CoqlToken>,
}

impl Parser {
    fn new(tokens: Vec<CoqlToken>) -> Parser {
        let mut tokens = tokens.into_iter();
        let next = tokens.next();
        Parser { tokens, next }
    }

    fn take(&mut self) -> Option<CoqlToken> {
        std::mem::replace(&mut self.next, self.tokens.next())
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_it = matches!(&self.next, Some(CoqlToken::Word(next)) if next.eq_ignore_ascii_case(word));
        if is_it {
            self.take();
        }
        is_it
    }

    fn takes_sign(&mut self, sign: char) -> bool {
        let is_it = self.next == Some(CoqlToken::Sign(sign));
        if is_it {
            self.take();
        }
        is_it
    }

    fn word(&mut self, wanted: &'static str) -> Result<String, SandboxRefusal> {
        match self.take() {
            Some(CoqlToken::Word(word)) => Ok(word),
            _ => Err(SandboxRefusal::coql_syntax(wanted)),
        }
    }

    fn number(&mut self) -> Result<usize, SandboxRefusal> {
        match self.take() {
            Some(CoqlToken::Number(number)) => number.parse().map_err(|_| SandboxRefusal::coql_syntax("a number")),
            _ => Err(SandboxRefusal::coql_syntax("a number")),
        }
    }

    fn value(&mut self) -> Result<String, SandboxRefusal> {
        match self.take() {
            Some(CoqlToken::Text(text) | CoqlToken::Number(text)) => Ok(text),
            _ => Err(SandboxRefusal::coql_syntax("a text in single quotes or a number")),
        }
    }

    fn expect(&mut self, sign: char, wanted: &'static str) -> Result<(), SandboxRefusal> {
        if self.takes_sign(sign) { Ok(()) } else { Err(SandboxRefusal::coql_syntax(wanted)) }
    }

    /// Comparisons with `and` between them: two at most, unless brackets make pairs of them.
    fn criteria(&mut self) -> Result<Vec<Criterion>, SandboxRefusal> {
        let (mut criteria, mut parts) = (Vec::new(), 0);
        loop {
            parts += 1;
            if parts > 2 {
                return Err(SandboxRefusal::coql_syntax("brackets: more than two criteria are bracketed in pairs"));
            }
            if self.takes_sign('(') {
                criteria.extend(self.criteria()?);
                self.expect(')', "a closing bracket")?;
            } else {
                criteria.push(self.criterion()?);
            }
            if !self.takes_word("and") {
                return Ok(criteria);
            }
        }
    }

    fn criterion(&mut self) -> Result<Criterion, SandboxRefusal> {
        let column = self.word("the name of a field")?;
        if self.takes_sign('=') {
            return Ok(Criterion::In(column, vec![self.value()?]));
        }
        if self.takes_sign('>') {
            let number = self.value()?.parse().map_err(|_| SandboxRefusal::coql_syntax("a number behind >"))?;
            return Ok(Criterion::Above(column, number));
        }
        if self.takes_word("is") {
            let is_not = self.takes_word("not");
            return match self.takes_word("null") {
                true => Ok(Criterion::IsNull(column, !is_not)),
                false => Err(SandboxRefusal::coql_syntax("null")),
            };
        }
        if !self.takes_word("in") {
            return Err(SandboxRefusal::coql_syntax("one of =, in, > and is: this sandbox compares by no others"));
        }
        self.expect('(', "a bracket behind in")?;
        let mut values = vec![self.value()?];
        while self.takes_sign(',') {
            values.push(self.value()?);
        }
        self.expect(')', "a closing bracket behind the values of in")?;
        Ok(Criterion::In(column, values))
    }
}

impl Query {
    /// Understands a query.
    pub(super) fn parse(text: &str) -> Result<Query, SandboxRefusal> {
        let mut parser = Parser::new(tokens(text)?);
        if !parser.takes_word("select") {
            return Err(SandboxRefusal::coql_syntax("select"));
        }
        let mut columns = vec![parser.word("the name of a field")?];
        while parser.takes_sign(',') {
            columns.push(parser.word("the name of a field")?);
        }
        if !parser.takes_word("from") {
            return Err(SandboxRefusal::coql_syntax("from"));
        }
        let module = parser.word("the name of a module")?;
        if !parser.takes_word("where") {
            return Err(SandboxRefusal::coql_syntax("where"));
        }
        let criteria = parser.criteria()?;
        if parser.takes_word("order") {
            let by_id = parser.takes_word("by") && parser.takes_word("id");
            if !by_id || parser.takes_word("desc") {
                return Err(SandboxRefusal::coql_syntax("order by id: this sandbox knows no other order"));
            }
            parser.takes_word("asc");
        }
        let (mut limit, mut offset) = (200, 0);
        if parser.takes_word("limit") {
            limit = parser.number()?;
            if parser.takes_sign(',') {
                offset = std::mem::replace(&mut limit, parser.number()?);
            } else if parser.takes_word("offset") {
                offset = parser.number()?;
            }
        }
        match parser.take() {
            None => Ok(Query { columns, module, criteria, limit, offset }),
            Some(_) => Err(SandboxRefusal::coql_syntax("the end of the query")),
        }
    }

    /// How many other records are looked at beside each one.
    fn joins(&self) -> usize {
        let columns = self.columns.iter().map(String::as_str).chain(self.criteria.iter().map(Criterion::column));
        columns.filter_map(|column| column.split_once('.')).map(|(own, _)| own).collect::<BTreeSet<_>>().len()
    }

    /// What the service charges for the answer, by the rows asked for.
    pub(super) fn credits(&self) -> u64 {
        match self.limit {
            0..=200 => 1,
            201..=1000 => 2,
            _ => 3,
        }
    }

    /// The answer; `None` when nothing matches.
    pub(super) fn run(
        &self,
        records: &Records,
        version: Version,
        switches: &Switches,
    ) -> Result<Option<Value>, SandboxRefusal> {
        if self.limit > switches.coql_rows {
            return Err(SandboxRefusal::coql_limit("LIMIT", switches.coql_rows));
        }
        if self.offset > if version >= Version::V7 { 100_000 } else { 10_000 } {
            return Err(SandboxRefusal::coql_limit("OFFSET", 10_000));
        }
        let most_columns = if version >= Version::V7 { 500 } else { 50 };
        if self.columns.len() > most_columns {
            return Err(SandboxRefusal::coql_limit("SELECT", most_columns));
        }
        if self.criteria.len() > MOST_CRITERIA {
            return Err(SandboxRefusal::coql_limit("WHERE", MOST_CRITERIA));
        }
        if self.joins() > MOST_JOINS {
            return Err(SandboxRefusal::coql_limit("JOIN", MOST_JOINS));
        }
        let empty = ModuleRecords::default();
        let module = records.module(&self.module).unwrap_or(&empty);
        for column in &self.columns {
            self.judge_column(records, module, column, None)?;
        }
        for criterion in &self.criteria {
            if matches!(criterion, Criterion::In(_, values) if values.len() > switches.coql_in) {
                return Err(SandboxRefusal::coql_limit("in", switches.coql_in));
            }
            self.judge_column(records, module, criterion.column(), Some(criterion))?;
        }
        let view = CoqlView { records, module, is_blind: switches.coql_blind_to_case };
        let mut found = module
            .readable(switches.shows_converted)
            .filter(|(id, cells)| self.criteria.iter().all(|c| view.holds(c, **id, cells)));
        let shown: Vec<Value> = found
            .by_ref()
            .skip(self.offset)
            .take(self.limit)
            .map(|(id, cells)| {
                let mut entry = Map::new();
                for column in &self.columns {
                    entry.insert(column.clone(), view.cell(column, *id, cells).into());
                }
                entry.insert("id".to_owned(), id.to_string().into());
                entry.into()
            })
            .collect();
        let has_more = found.next().is_some();
        let info = json!({"count": shown.len(), "more_records": has_more});
        Ok((!shown.is_empty()).then(|| json!({"data": shown, "info": info})))
    }

    fn judge_column(
        &self,
        records: &Records,
        module: &ModuleRecords,
        column: &str,
        criterion: Option<&Criterion>,
    ) -> Result<(), SandboxRefusal> {
        if column == "id" {
            return Ok(());
        }
        let (own, far) = column.split_once('.').map_or((column, None), |(own, far)| (own, Some(far)));
        let Some((_, field)) = module.field(own) else {
            return Err(SandboxRefusal::coql_column(column, "the column is invalid"));
        };
        match (field.kind, far, criterion) {
            (FieldKind::Lookup, Some(far), _) if records.has_field(far) => Ok(()),
            (_, Some(_), _) => Err(SandboxRefusal::coql_column(column, "the column is invalid")),
            (FieldKind::TextArea, _, Some(_)) => {
                Err(SandboxRefusal::coql_column(column, "the field is not supported in criteria"))
            }
            (FieldKind::Encrypted, _, Some(Criterion::In(..) | Criterion::Above(..))) => Err(
                SandboxRefusal::coql_column(column, "only is null and is not null are allowed for an encrypted field"),
            ),
            _ => Ok(()),
        }
    }
}

/// The records of a module as a query sees them.
struct CoqlView<'r> {
    records: &'r Records,
    module: &'r ModuleRecords,
    is_blind: bool,
}

impl CoqlView<'_> {
    fn cell(&self, column: &str, id: u64, cells: &[Box<str>]) -> Option<String> {
        self.records.cell(self.module, column, id, cells).filter(|cell| !cell.is_empty())
    }

    fn holds(&self, criterion: &Criterion, id: u64, cells: &[Box<str>]) -> bool {
        let cell = self.cell(criterion.column(), id, cells);
        match criterion {
            Criterion::IsNull(_, wanted) => cell.is_none() == *wanted,
            Criterion::Above(_, bound) => cell.and_then(|cell| cell.parse::<u64>().ok()).is_some_and(|n| n > *bound),
            Criterion::In(_, values) => cell.is_some_and(|cell| {
                values.iter().any(|value| match self.is_blind {
                    true => value.to_lowercase() == cell.to_lowercase(),
                    false => *value == cell,
                })
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::tests::read;
    use super::*;

    fn records() -> Records {
        read(
            "module,record,Legacy_Id,Secret:encrypted,Remarks:textarea,Account_Name:lookup\n\
              Contacts,1000000001,a,x,y,1000000009\nContacts,1000000002,A,,,\nContacts,1000000003,it's,,,\n\
              Accounts,1000000009,acc,,,\n",
        )
        .unwrap()
    }

    fn ask(text: &str, switches: &Switches) -> Result<Vec<String>, &'static str> {
        let answer = Query::parse(text).and_then(|query| query.run(&records(), Version::V2, switches));
        let answer = answer.map_err(|refusal| refusal.code)?.unwrap_or_default();
        let data = answer["data"].as_array().cloned().unwrap_or_default();
        Ok(data.iter().map(|entry| entry["id"].as_str().unwrap_or_default().to_owned()).collect())
    }

    #[test]
    fn what_is_compared_is_found_and_nothing_else() {
        let exact = Switches::default();
        for (criteria, wanted) in [
            ("Legacy_Id in ('a','it''s')", &["1000000001", "1000000003"] as &[&str]),
            ("Legacy_Id = 'A'", &["1000000002"]),
            ("(Legacy_Id in ('a','A') and id > 1000000001)", &["1000000002"]),
            ("Account_Name.Legacy_Id in ('acc')", &["1000000001"]),
            ("Secret is not null", &["1000000001"]),
            ("Legacy_Id in ('none')", &[]),
        ] {
            let query = format!("select id, Legacy_Id from Contacts where {criteria} order by id asc limit 0, 200");
            assert_eq!(ask(&query, &exact), Ok(wanted.iter().map(|id| (*id).to_owned()).collect()), "{criteria}");
        }
        let blind = Switches { coql_blind_to_case: true, ..exact };
        assert_eq!(ask("select id from Contacts where Legacy_Id = 'a'", &blind).map(|ids| ids.len()), Ok(2));
    }

    #[test]
    fn what_the_service_refuses_is_refused() {
        let few = Switches { coql_in: 1, coql_rows: 10, ..Switches::default() };
        for (query, code) in [
            ("select id from Contacts", "SYNTAX_ERROR"),
            ("select id from Contacts where Legacy_Id like 'a%'", "SYNTAX_ERROR"),
            ("select id from Contacts where Legacy_Id = 'a", "SYNTAX_ERROR"),
            ("select id from Contacts where Nothing = 'a' limit 1", "INVALID_QUERY"),
            ("select id from Contacts where Secret = 'a' limit 1", "INVALID_QUERY"),
            ("select id from Contacts where Remarks = 'a' limit 1", "INVALID_QUERY"),
            ("select id from Contacts where Legacy_Id in ('a','b') limit 1", "LIMIT_EXCEEDED"),
            ("select id from Contacts where Legacy_Id = 'a' limit 11", "LIMIT_EXCEEDED"),
            ("select id from Contacts where id > 1 and id > 2 and id > 3 limit 1", "SYNTAX_ERROR"),
            ("select A.id, B.id, C.id from Contacts where id > 1 limit 1", "LIMIT_EXCEEDED"),
        ] {
            assert_eq!(ask(query, &few), Err(code), "{query}");
        }
        let columns = vec!["Legacy_Id"; 51].join(", ");
        assert_eq!(ask(&format!("select {columns} from Contacts where id > 1 limit 1"), &few), Err("LIMIT_EXCEEDED"));
        let pairs = |count: usize| {
            (1..count).fold("id > 1".to_owned(), |criteria, number| format!("({criteria} and id > {number})"))
        };
        let criteria = |count| format!("select id from Contacts where {} limit 1", pairs(count));
        assert_eq!(ask(&criteria(25), &few).map(|ids| ids.len()), Ok(1));
        assert_eq!(ask(&criteria(26), &few), Err("LIMIT_EXCEEDED"));
    }

    #[test]
    fn a_page_says_whether_more_follow() {
        let query = Query::parse("select id from Contacts where id > 5 limit 2").unwrap();
        let page = query.run(&records(), Version::V2, &Switches::default()).unwrap().unwrap();
        assert_eq!(page["info"], json!({"count": 2, "more_records": true}));
    }
}
