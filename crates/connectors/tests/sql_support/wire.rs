//! A TCP proxy that cuts the line where a test says, and so loses answers as networks do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Clone, PartialEq)]
pub enum Mode {
    Pass,
    /// Whatever the client sends that has this word (in lower case) arrives, and its answer does not.
    LoseAnswerTo(&'static str),
    /// It does not even arrive.
    LoseRequest(&'static str),
    /// After so many bytes from the server.
    CutAfter(usize),
}

pub struct Wire {
    pub port: u16,
    mode: Arc<Mutex<Mode>>,
    task: tokio::task::JoinHandle<()>,
}

impl Wire {
    /// A proxy before a port of this machine.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let mode = Arc::new(Mutex::new(Mode::Pass));
        let shared = mode.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mode = shared.clone();
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
                        relay(client, server, mode).await;
                    }
                });
            }
        });
        Self { port: own, mode, task }
    }

    pub fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(mut client: TcpStream, mut server: TcpStream, mode: Arc<Mutex<Mode>>) {
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut told = 0;
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                let text = String::from_utf8_lossy(&up[..length]).to_lowercase();
                let now = mode.lock().unwrap().clone();
                match now {
                    Mode::LoseRequest(word) if text.contains(word) => return,
                    Mode::LoseAnswerTo(word) if text.contains(word) => {
                        let _ = server.write_all(&up[..length]).await;
                        // Long enough for the server to do it, and nothing of its answer goes on.
                        tokio::time::sleep(Duration::from_millis(300)).await;
                        return;
                    }
                    _ => if server.write_all(&up[..length]).await.is_err() { return },
                }
            }
            read = server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                told += length;
                let now = mode.lock().unwrap().clone();
                if matches!(now, Mode::CutAfter(limit) if told > limit) {
                    return;
                }
                if client.write_all(&down[..length]).await.is_err() { return }
            }
        }
    }
}
