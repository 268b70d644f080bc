//! Table `memo`: small things the program remembers for itself, such as which indexes are filled in. Nothing secret.

use crate::{Result, Store, Transaction};

const GET: &str = "select body from memo where name = $1";
const PUT: &str = "insert into memo (name, body) values ($1, $2)
    on conflict (name) do update set body = excluded.body";
const SEED: &str = "insert into memo (name, body) values ($1, $2) on conflict (name) do nothing";

impl Store {
    pub async fn memo(&self, name: &str) -> Result<Option<String>> {
        self.db().row(self.db().fixed(GET).value(name)).await?.map(|mut row| row.text()).transpose()
    }

    /// What is remembered under the name; `first` where nothing was. All nodes get the same.
    pub async fn memo_or(&self, name: &str, first: String) -> Result<String> {
        if let Some(body) = self.memo(name).await? {
            return Ok(body);
        }
        self.db().write(self.db().fixed(SEED).value(name).value(first.as_str())).await?;
        Ok(self.memo(name).await?.unwrap_or(first))
    }
}

impl Transaction {
    /// As this transaction sees it.
    pub async fn memo(&mut self, name: &str) -> Result<Option<String>> {
        let get = self.fixed(GET).value(name);
        self.row(get).await?.map(|mut row| row.text()).transpose()
    }

    pub async fn put_memo(&mut self, name: &str, body: &str) -> Result<()> {
        let put = self.fixed(PUT).value(name).value(body);
        self.run(put).await.map(drop)
    }
}
