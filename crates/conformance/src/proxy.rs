//! A TCP proxy that can break things between a connector and its peer, whatever they speak.
//!
//! It understands nothing that it carries, so it breaks by bytes and by turns: a *turn* is the first bytes that the peer
//! sends after bytes of the client, which is an answer in every protocol of questions and answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle};

const CHUNK: usize = 16 * 1024;

/// How the proxy treats connections, also those that are open when it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conduct {
    #[default]
    Pass,
    /// New connections are closed at once; open ones are cut.
    Refuse,
    /// After so many bytes from the peer, all connections together, everything is cut and stays so.
    CutAfter(u64),
    /// So many turns go through; the bytes that would begin the next one never arrive, everything is cut and then carried as
    /// before. The peer has seen the question, and nobody its answer.
    LoseTurn(u64),
    /// What the peer answers is replaced by bytes without meaning.
    Garble,
    /// Connections are taken, and nothing is ever carried.
    Silence,
}

/// A running proxy; stopped, its connections cut, on drop.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    peer: (String, u16),
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    conduct: Conduct,
    /// From the peer, since the conduct was chosen.
    bytes: u64,
    turns: u64,
    open: Vec<AbortHandle>,
}

/// What to do with bytes that the peer sent.
enum Fate {
    Carry,
    Replace,
    Keep,
    Cut,
}

impl Proxy {
    /// Listens on a free loopback port.
    pub async fn start(peer: (String, u16)) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { peer, now: Mutex::default() });
        let task = tokio::spawn(listen(listener, state.clone()));
        Ok(Self { address, state, task })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on. What was counted is forgotten.
    pub fn behave(&self, conduct: Conduct) {
        let mut now = self.state.now();
        (now.conduct, now.bytes, now.turns) = (conduct, 0, 0);
        if conduct == Conduct::Refuse {
            now.cut();
        }
    }

    /// Bytes that the peer sent since the conduct was chosen.
    pub fn bytes(&self) -> u64 {
        self.state.now().bytes
    }

    /// Whether something was broken since the conduct was chosen.
    pub fn has_struck(&self) -> bool {
        let now = self.state.now();
        match now.conduct {
            Conduct::CutAfter(most) => now.bytes > most,
            Conduct::LoseTurn(most) => now.turns > most,
            _ => false,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.state.now().cut();
    }
}

impl Now {
    fn cut(&mut self) {
        self.open.drain(..).for_each(|task| task.abort());
    }

    fn fate(&mut self, bytes: u64, is_turn: bool) -> Fate {
        self.bytes += bytes;
        self.turns += u64::from(is_turn);
        match self.conduct {
            Conduct::Pass => Fate::Carry,
            Conduct::Refuse => Fate::Cut,
            Conduct::CutAfter(most) if self.bytes > most => Fate::Cut,
            // Only one answer is lost.
            Conduct::LoseTurn(most) if is_turn && self.turns == most + 1 => Fate::Cut,
            Conduct::CutAfter(_) | Conduct::LoseTurn(_) => Fate::Carry,
            Conduct::Garble => Fate::Replace,
            Conduct::Silence => Fate::Keep,
        }
    }
}

impl State {
    fn now(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn listen(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let carried = tokio::spawn(carry(client, state.clone()));
        let mut now = state.now();
        now.open.retain(|task| !task.is_finished());
        now.open.push(carried.abort_handle());
    }
}

/// One connection, until either side ends it or it is cut.
async fn carry(mut client: TcpStream, state: Arc<State>) {
    let conduct = state.now().conduct;
    let struck = matches!(conduct, Conduct::CutAfter(most) if state.now().bytes > most);
    if conduct == Conduct::Refuse || struck {
        return;
    }
    if conduct == Conduct::Silence {
        std::future::pending::<()>().await;
    }
    let Ok(mut peer) = TcpStream::connect((state.peer.0.as_str(), state.peer.1)).await else { return };
    // What is small goes out at once, as it does without a proxy.
    let _ = (client.set_nodelay(true), peer.set_nodelay(true));
    let (mut from_client, mut from_peer) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut asked = false;
    loop {
        let done = tokio::select! {
            read = client.read(&mut from_client) => match read {
                Ok(count) if count > 0 => {
                    asked = true;
                    peer.write_all(&from_client[..count]).await
                }
                _ => return,
            },
            read = peer.read(&mut from_peer) => match read {
                Ok(count) if count > 0 => {
                    let fate = state.now().fate(count as u64, std::mem::take(&mut asked));
                    match fate {
                        Fate::Carry => client.write_all(&from_peer[..count]).await,
                        Fate::Replace => client.write_all(&vec![b'#'; count]).await,
                        Fate::Keep => Ok(()),
                        Fate::Cut => return cut_others(&state),
                    }
                }
                _ => return,
            },
        };
        if done.is_err() {
            return;
        }
    }
}

/// The connections of a client are cut together, as when a network goes down; this task ends by itself.
fn cut_others(state: &State) {
    let me = tokio::task::try_id();
    let mut now = state.now();
    now.open.drain(..).filter(|task| Some(task.id()) != me).for_each(|task| task.abort());
}
