//! Who may call the API: random tokens, of which only a hash is kept.
//!
//! A token has 256 random bits, so a plain SHA-256 is enough: there is nothing to guess and nothing to salt.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use provost_model::Text;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::db::{Param, Record, Row};
use crate::{Result, Store, seal};

const USED: &str = "update token set last_used = $2 where id = $1 and (last_used is null or last_used < $2)";
const REVOKE: &str = "update token set revoked = $2 where id = $1 and revoked is null";
// One that was revoked meanwhile stays so, and one that ends sooner anyway does not get longer.
const END: &str = "update token set expires = case when expires < $3 then expires else $3 end \
    where name = $1 and revoked is null and (expires is null or expires > $2)";
const DELETE: &str = "delete from token where id = $1";

/// One token; its text is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    pub id: Text,
    /// For people.
    pub name: String,
    #[serde(skip_serializing, default)]
    pub hash: String,
    /// What it allows, in the words of whoever checks it.
    pub rights: String,
    pub created: i64,
    pub expires: Option<i64>,
    pub last_used: Option<i64>,
    pub revoked: Option<i64>,
    /// What its client is allowed and used to, as JSON; the words are of whoever checks it.
    pub client: String,
}

/// A token's text, to be shown once, with its hash.
pub struct NewToken {
    pub text: Zeroizing<String>,
    pub hash: String,
}

impl NewToken {
    /// `prv_` and 43 random characters.
    pub fn generate() -> Result<Self> {
        let random = seal::random::<32>()?;
        let text = Zeroizing::new(format!("prv_{}", URL_SAFE_NO_PAD.encode(*random)));
        let hash = token_hash(&text);
        Ok(Self { text, hash })
    }
}

/// What is kept of a token: SHA-256 in hexadecimal digits.
pub fn token_hash(text: &str) -> String {
    seal::sha256_hex(text.as_bytes())
}

impl TokenRow {
    /// Whether it may be used at this time.
    pub fn is_valid(&self, now_ms: i64) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now_ms < expires)
    }
}

impl Record for TokenRow {
    const TABLE: &'static str = "token";
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "hash", "rights", "created", "expires", "last_used", "revoked", "client"];
    const KEY: &'static [&'static str] = &["id"];
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.id
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put(self.id.as_str().into());
        put(Param::free(&self.name));
        put((&self.hash).into());
        put((&self.rights).into());
        put(self.created.into());
        put(self.expires.into());
        put(self.last_used.into());
        put(self.revoked.into());
        put((&self.client).into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.id()?,
            name: row.text()?,
            hash: row.text()?,
            rights: row.text()?,
            created: row.int()?,
            expires: row.int_option()?,
            last_used: row.int_option()?,
            revoked: row.int_option()?,
            client: row.text()?,
        })
    }
}

impl Store {
    pub async fn save_token(&self, token: &TokenRow) -> Result<()> {
        let mut transaction = self.begin().await?;
        transaction.upsert(std::slice::from_ref(token)).await?;
        transaction.commit().await
    }

    /// The token of this text, valid or not: see [`TokenRow::is_valid`].
    pub async fn token_by_text(&self, text: &str) -> Result<Option<TokenRow>> {
        let hash = token_hash(text);
        let mut sql = TokenRow::select(self.db().sql());
        sql.push(" where hash = ").bind(&hash);
        self.db().row(sql).await?.map(|mut row| TokenRow::read(&mut row)).transpose()
    }

    pub async fn token(&self, id: &str) -> Result<Option<TokenRow>> {
        let mut sql = TokenRow::select(self.db().sql());
        sql.push(" where id = ").bind(id);
        self.db().row(sql).await?.map(|mut row| TokenRow::read(&mut row)).transpose()
    }

    /// The tokens of this name, oldest first.
    pub async fn tokens_named(&self, name: &str) -> Result<Vec<TokenRow>> {
        let mut sql = TokenRow::select(self.db().sql());
        sql.push(" where name = ").bind(name).push(" order by created, id");
        TokenRow::read_all(self.db().rows(sql).await?)
    }

    /// All tokens, oldest first.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>> {
        let mut sql = TokenRow::select(self.db().sql());
        sql.push(" order by created, id");
        TokenRow::read_all(self.db().rows(sql).await?)
    }

    /// Notes that a token was used. A write each: call it about once a minute per token, not per request.
    pub async fn touch_token(&self, id: &str, now_ms: i64) -> Result<()> {
        self.db().write(self.db().fixed(USED).value(id).value(now_ms)).await.map(drop)
    }

    /// Whether it was there and not revoked yet.
    pub async fn revoke_token(&self, id: &str, now_ms: i64) -> Result<bool> {
        Ok(self.db().write(self.db().fixed(REVOKE).value(id).value(now_ms)).await? > 0)
    }

    /// Puts a new token in place of the valid ones of its name, which work until then at most; how many they were. Where none
    /// is valid any more, nothing is done and the new one is not kept.
    pub async fn rotate_token(&self, new: &TokenRow, now_ms: i64, until_ms: i64) -> Result<u64> {
        let mut transaction = self.begin().await?;
        let end = transaction.fixed(END).value(&new.name).value(now_ms).value(until_ms);
        let ended = transaction.run(end).await?;
        if ended == 0 {
            transaction.rollback().await?;
            return Ok(0);
        }
        transaction.upsert(std::slice::from_ref(new)).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    pub async fn delete_token(&self, id: &str) -> Result<bool> {
        Ok(self.db().write(self.db().fixed(DELETE).value(id)).await? > 0)
    }
}
